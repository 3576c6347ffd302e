//! One value against the kind of its setting: what is taken, and why another is not.

use serde_json::Value;

use crate::config::error::Rule;
use crate::config::source::Node;
use crate::config::source::node::Data;
use crate::config::table::fields::Cover;
use crate::config::table::fields::Field;
use crate::config::table::fields::Kind;
use crate::config::table::fields::Order;
use crate::config::table::near;
use crate::config::table::quantity::Size;
use crate::config::table::quantity::Span;
use crate::protocol::HostRule;

/// Why a value is not taken.
pub(super) struct Refusal {
    pub(super) rule: Rule,
    /// Entry of a list, from 0.
    pub(super) index: Option<usize>,
    /// After "must be".
    pub(super) wanted: String,
    pub(super) remedy: Option<String>,
}

impl Refusal {
    fn of(rule: Rule, wanted: impl Into<String>) -> Vec<Self> {
        vec![Self { rule, index: None, wanted: wanted.into(), remedy: None }]
    }
}

/// The value as the setting takes it.
pub(super) fn accept(kind: Kind, data: &Data, field: &Field) -> Result<Value, Vec<Refusal>> {
    let wrong = || Err(Refusal::of(Rule::WrongType, kind.words()));
    match (kind, data) {
        (Kind::Boolean, Data::Boolean(value)) => Ok(Value::Bool(*value)),
        (Kind::Integer { max }, Data::Number(text)) => integer(text, max, field),
        (Kind::Number, Data::Number(text)) => number(text, field),
        (Kind::Span, Data::Number(text)) => span(text),
        (Kind::Span, Data::Text(text)) => span(text).map(|_| Value::from(text.clone())),
        (Kind::Size, Data::Number(text) | Data::Text(text)) => size(text, data, field),
        (Kind::Text | Kind::Path, Data::Text(text)) => plain_text(text, kind),
        (Kind::Choice(words), Data::Text(text)) => choice(text, words, kind),
        (Kind::Secret { plain: true }, Data::Text(text)) => Ok(Value::from(text.clone())),
        (Kind::Secret { .. }, data) => secret(data, kind),
        (Kind::List(inner), Data::List(list)) => entries(*inner, list, field),
        _ => wrong(),
    }
}

fn plain_text(text: &str, kind: Kind) -> Result<Value, Vec<Refusal>> {
    if text.contains('\0') {
        return Err(Refusal::of(Rule::OutOfRange, "text without a NUL character"));
    }
    if kind == Kind::Path && text.is_empty() {
        return Err(Refusal::of(Rule::OutOfRange, "a path that is not empty"));
    }
    Ok(Value::from(text))
}

fn integer(text: &str, max: u64, field: &Field) -> Result<Value, Vec<Refusal>> {
    let (low, high) = (field.rules.min.max(0.0), field.rules.max);
    let shown = if high.is_finite() { high.to_string() } else { max.to_string() };
    let outside = || Refusal::of(Rule::OutOfRange, format!("a whole number from {low} to {shown}"));
    let Ok(number) = text.parse::<u64>() else {
        let whole = text.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
        return Err(if whole { outside() } else { Refusal::of(Rule::WrongType, "a whole number") });
    };
    #[expect(clippy::cast_precision_loss, reason = "bounds are small numbers")]
    if number > max || (number as f64) < low || (number as f64) > high {
        return Err(outside());
    }
    Ok(Value::from(number))
}

fn number(text: &str, field: &Field) -> Result<Value, Vec<Refusal>> {
    let (low, high) = (field.rules.min, field.rules.max);
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= low && number <= high => {
            Ok(Value::from(number))
        }
        _ => {
            let wanted = match (low.is_finite(), high.is_finite()) {
                (true, true) => format!("a number from {low} to {high}"),
                (true, false) => format!("a number of at least {low}"),
                (false, true) => format!("a number of at most {high}"),
                (false, false) => "a finite number".into(),
            };
            Err(Refusal::of(Rule::OutOfRange, wanted))
        }
    }
}

fn span(text: &str) -> Result<Value, Vec<Refusal>> {
    let wrong = || Refusal::of(Rule::OutOfRange, Kind::Span.words());
    text.parse::<Span>().map_err(|_| wrong())?;
    // A number of seconds stays a number.
    Ok(text.parse::<serde_json::Number>().map_or_else(|_| Value::from(text), Value::Number))
}

/// A number of bytes stays a number.
fn size(text: &str, data: &Data, field: &Field) -> Result<Value, Vec<Refusal>> {
    let Ok(Size(bytes)) = text.parse::<Size>() else {
        return Err(Refusal::of(Rule::OutOfRange, Kind::Size.words()));
    };
    #[expect(clippy::cast_precision_loss, reason = "bounds are small numbers")]
    if (bytes as f64) < field.rules.min {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as above")]
        let least = Size(field.rules.min as u64);
        return Err(Refusal::of(Rule::OutOfRange, format!("a size of at least {least}")));
    }
    Ok(if matches!(data, Data::Number(_)) { Value::from(bytes) } else { Value::from(text) })
}

fn choice(text: &str, words: &[&str], kind: Kind) -> Result<Value, Vec<Refusal>> {
    if words.contains(&text) {
        return Ok(Value::from(text));
    }
    let mut refusals = Refusal::of(Rule::OutOfRange, kind.words());
    refusals[0].remedy = near::closest(text, words).map(|word| format!("did you mean `{word}`?"));
    Err(refusals)
}

fn secret(data: &Data, kind: Kind) -> Result<Value, Vec<Refusal>> {
    let wrong = || Err(Refusal::of(Rule::WrongType, kind.words()));
    if let Data::Text(_) = data {
        let mut refusals = Refusal::of(Rule::PlainSecret, kind.words());
        refusals[0].remedy = Some(
            "name where it is: `{\"env\": \"NAME\"}`, `{\"file\": \"PATH\"}` or `{\"command\": [\"PROGRAM\", …]}`"
                .into(),
        );
        return Err(refusals);
    }
    let Data::Object(members) = data else { return wrong() };
    let [member] = &members[..] else { return wrong() };
    let fits = match (member.name.as_str(), &member.value.data) {
        ("env" | "file", Data::Text(text)) => !text.is_empty() && !text.contains('\0'),
        ("command", Data::List(list)) => {
            !list.is_empty()
                && list
                    .iter()
                    .all(|part| matches!(&part.data, Data::Text(text) if !text.contains('\0')))
        }
        _ => false,
    };
    if !fits {
        return wrong();
    }
    let mut object = serde_json::Map::new();
    object.insert(member.name.clone(), member.value.to_value());
    Ok(Value::Object(object))
}

fn entries(kind: Kind, list: &[Node], field: &Field) -> Result<Value, Vec<Refusal>> {
    let mut values = Vec::with_capacity(list.len());
    let mut refusals = Vec::new();
    for (index, node) in list.iter().enumerate() {
        match accept(kind, &node.data, field).and_then(|value| host_rule(value, field)) {
            Ok(value) => values.push(value),
            Err(found) => refusals
                .extend(found.into_iter().map(|refusal| Refusal { index: Some(index), ..refusal })),
        }
    }
    if refusals.is_empty() { Ok(Value::Array(values)) } else { Err(refusals) }
}

/// An entry of a list of hosts means a host: one that never could would go unnoticed.
fn host_rule(value: Value, field: &Field) -> Result<Value, Vec<Refusal>> {
    let is_of_hosts = matches!(field.rules.order, Order::Fewer(Cover::Host));
    if is_of_hosts && value.as_str().is_some_and(|text| HostRule::parse(text).is_none()) {
        let wanted =
            "a host such as `example.org`, `*.example.org` or `example.org:8080`, or `all`";
        return Err(Refusal::of(Rule::OutOfRange, wanted));
    }
    Ok(value)
}
