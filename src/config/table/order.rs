//! Which of two values allows less: how an untrusted project narrows and an organisation clamps.
//!
//! `meet` is symmetric in what it allows: its result never allows anything that either value does
//! not. Looks paths up, opens nothing.

use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;

use super::fields::Cover;
use super::fields::Order;
use super::quantity::Size;
use super::quantity::Span;
use crate::protocol::HostRule;

/// What both values allow; `None` where the setting has no order. `current` absent means without
/// bound for numbers and nothing for lists. Relative paths are relative to `directory`.
pub fn meet(
    order: Order,
    current: Option<&Value>,
    bound: &Value,
    directory: &Path,
) -> Option<Value> {
    let Some(current) = current else { return without_current(order, bound) };
    let lower = match order {
        Order::None => return None,
        Order::Lower => magnitude(bound)? < magnitude(current)?,
        Order::Words(words) => rank(words, bound)? < rank(words, current)?,
        Order::True => bound.as_bool()?,
        Order::False => !bound.as_bool()?,
        Order::Fewer(cover) => return Some(common(cover, current, bound, directory)),
        Order::More => return Some(union(current, bound)),
    };
    Some(if lower { bound } else { current }.clone())
}

fn without_current(order: Order, bound: &Value) -> Option<Value> {
    match order {
        Order::None => None,
        Order::Fewer(_) => Some(Value::Array(Vec::new())),
        _ => Some(bound.clone()),
    }
}

/// Both lists, each entry once.
pub fn union(first: &Value, second: &Value) -> Value {
    let mut all: Vec<Value> = Vec::new();
    for entry in list(first).iter().chain(list(second)) {
        if !all.contains(entry) {
            all.push(entry.clone());
        }
    }
    Value::Array(all)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A number, the seconds of a length of time, or the bytes of a size.
fn magnitude(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => match text.parse::<Span>() {
            Ok(span) => Some(span.0.as_secs_f64()),
            #[expect(clippy::cast_precision_loss, reason = "compared, not computed with")]
            Err(_) => text.parse::<Size>().ok().map(|size| size.0 as f64),
        },
        value => value.as_f64(),
    }
}

fn rank(words: &[&str], value: &Value) -> Option<usize> {
    words.iter().position(|word| Some(*word) == value.as_str())
}

/// The entries of either list that the other one allows as well.
fn common(cover: Cover, first: &Value, second: &Value, directory: &Path) -> Value {
    let texts = |value: &Value| -> Vec<String> {
        let entries = list(value).iter().filter_map(Value::as_str);
        match cover {
            Cover::Directory => entries.filter_map(|path| real(directory, path)).collect(),
            _ => entries.map(str::to_owned).collect(),
        }
    };
    let (first, second) = (texts(first), texts(second));
    let mut all: Vec<String> = Vec::new();
    let pairs = [(&first, &second), (&second, &first)];
    for (entries, bounds) in pairs {
        for entry in entries {
            let allowed = bounds.iter().any(|bound| covers(cover, bound, entry));
            if allowed && !all.contains(entry) {
                all.push(entry.clone());
            }
        }
    }
    all.into_iter().map(Value::from).collect()
}

fn covers(cover: Cover, bound: &str, entry: &str) -> bool {
    if bound == entry {
        return true;
    }
    match cover {
        Cover::Same => false,
        Cover::Host => {
            let rules = HostRule::parse(bound).zip(HostRule::parse(entry));
            rules.is_some_and(|(bound, entry)| bound.includes(&entry))
        }
        Cover::Directory => Path::new(entry).starts_with(bound),
        // `tool` alone stands for all of its calls.
        Cover::Rule => {
            !bound.contains('(')
                && entry.split_once('(').is_some_and(|(tool, _)| tool.trim() == bound.trim())
        }
    }
}

/// The real path, as text; `None` where `..` would lead out of what it seems to be in.
fn real(directory: &Path, path: &str) -> Option<String> {
    let full = directory.join(path);
    let real = std::fs::canonicalize(&full).ok().or_else(|| {
        let climbs = full.components().any(|part| part == Component::ParentDir);
        (!climbs).then(|| full.components().collect::<PathBuf>())
    })?;
    real.to_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;
    use serde_json::json;

    use super::meet;
    use crate::config::table::fields::Cover;
    use crate::config::table::fields::Order;

    fn met(order: Order, first: Value, second: Value) -> Value {
        let both = meet(order, Some(&first), &second, Path::new("/w")).unwrap();
        let turned = meet(order, Some(&second), &first, Path::new("/w")).unwrap();
        let sorted = |value: &Value| {
            let mut texts: Vec<String> =
                value.as_array().into_iter().flatten().map(Value::to_string).collect();
            texts.sort();
            texts
        };
        assert_eq!(sorted(&both), sorted(&turned));
        both
    }

    #[test]
    fn the_narrower_value_is_left() {
        assert_eq!(met(Order::Lower, json!(5), json!(3)), json!(3));
        assert_eq!(met(Order::Lower, json!("2m"), json!(90)), json!(90));
        assert_eq!(met(Order::Lower, json!("1GiB"), json!("600MiB")), json!("600MiB"));
        assert_eq!(met(Order::Lower, json!(1 << 20), json!("2MiB")), json!(1 << 20));
        let levels = Order::Words(&["a", "b", "c"]);
        assert_eq!(met(levels, json!("c"), json!("b")), json!("b"));
        assert_eq!(met(Order::True, json!(false), json!(true)), json!(true));
        assert_eq!(met(Order::False, json!(false), json!(true)), json!(false));
        assert_eq!(met(Order::More, json!(["a"]), json!(["b", "a"])), json!(["a", "b"]));
        assert_eq!(meet(Order::None, Some(&json!(1)), &json!(2), Path::new("/")), None);
    }

    #[test]
    fn lists_keep_what_both_allow() {
        let host = Order::Fewer(Cover::Host);
        assert_eq!(met(host, json!(["all"]), json!(["a.org"])), json!(["a.org"]));
        assert_eq!(met(host, json!(["*.a.org"]), json!(["x.a.org", "aa.org"])), json!(["x.a.org"]));
        assert_eq!(met(host, json!(["evil.org"]), json!(["*.org.uk"])), json!([]));
        let rule = Order::Fewer(Cover::Rule);
        assert_eq!(
            met(rule, json!(["shell"]), json!(["shell(git *)", "x"])),
            json!(["shell(git *)"])
        );
        assert_eq!(met(rule, json!(["shell(git *)"]), json!(["shell(git status)"])), json!([]));
        let same = Order::Fewer(Cover::Same);
        assert_eq!(met(same, json!(["A", "B"]), json!(["B", "C"])), json!(["B"]));
    }

    #[test]
    fn a_directory_does_not_climb_out() {
        let directory = Order::Fewer(Cover::Directory);
        let bound = json!(["/nonexistent/data"]);
        let inside = json!(["/nonexistent/data/x"]);
        assert_eq!(met(directory, bound.clone(), inside.clone()), inside);
        for outside in ["/nonexistent/data/../etc", "/nonexistent/database", "/"] {
            let result = meet(directory, Some(&json!([outside])), &bound, Path::new("/w")).unwrap();
            let widened = result.as_array().unwrap().iter().any(|path| path != &bound[0]);
            assert!(!widened, "{outside}: {result}");
        }
    }
}
