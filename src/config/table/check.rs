//! Checks a tree against the table of settings: every finding at once, each at its place, and the
//! values that are fine.
//!
//! Knows kinds and ranges, not meaning; a value that fits here always fits the typed struct.

mod objects;

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;

use super::fields::Field;
use super::fields::Kind;
use super::near;
use super::quantity::Size;
use super::quantity::Span;
use super::schema;
use super::schema::Config;
use super::schema::VERSION;
use crate::config::error::Diagnostic;
use crate::config::error::Place;
use crate::config::error::Rule;
use crate::config::error::Severity;
use crate::config::source::Node;
use crate::config::source::Source;
use crate::config::source::node::Data;
use crate::config::source::node::Member;

/// Where a tree comes from.
#[derive(Debug, Clone, Copy)]
pub enum Whence<'a> {
    File(&'a Source),
    /// A variable or a flag: one place for everything.
    Given(&'a Place),
}

/// One value of one setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaf {
    pub key: String,
    /// The key's parts; names of maps may hold dots.
    pub segments: Vec<String>,
    pub field: Field,
    pub value: Value,
    pub place: Place,
}

/// What a tree holds.
#[derive(Debug, Default)]
pub struct Checked {
    pub leaves: Vec<Leaf>,
    pub diagnostics: Vec<Diagnostic>,
}

/// How strict unknown names are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// Errors where power is granted or limited, warnings elsewhere: files live longer than one
    /// version of a program.
    Lenient,
    /// Errors everywhere: an organisation's file binds, and who types a command line is there to
    /// mend it.
    Strict,
}

/// Checks a whole configuration.
pub fn check(tree: &Node, whence: Whence<'_>, strictness: Strictness) -> Checked {
    let mut walk = Walk { whence, strictness, checked: Checked::default(), newer: false };
    if let Data::Object(members) = &tree.data {
        walk.version(members);
    }
    let root = Field::new("", "", Kind::Object(Config::FIELDS), super::fields::Rules::PLAIN);
    walk.value(tree, root, &mut Vec::new());
    walk.checked
}

/// Checks a value for one dotted key.
pub fn check_key(key: &str, value: &Value, place: &Place) -> Checked {
    let tree =
        schema::segments(key).into_iter().rev().fold(Node::of_value(value), |inner, name| {
            let data = Data::Object(vec![Member { name, name_span: 0..0, value: inner }]);
            Node { span: 0..0, data }
        });
    check(&tree, Whence::Given(place), Strictness::Strict)
}

struct Walk<'a> {
    whence: Whence<'a>,
    strictness: Strictness,
    checked: Checked,
    /// The file was written for a newer program: its unknown names are no typing errors.
    newer: bool,
}

impl Walk<'_> {
    fn place(&self, span: &Range<usize>) -> Place {
        match self.whence {
            Whence::File(source) => source.place(span.start),
            Whence::Given(place) => place.clone(),
        }
    }

    fn report(
        &mut self,
        rule: Rule,
        key: &[String],
        span: &Range<usize>,
        message: String,
    ) -> &mut Diagnostic {
        let found = match self.whence {
            Whence::File(source) => source.diagnostic(rule, span.clone(), message),
            Whence::Given(place) => Diagnostic::error(rule, place.clone(), message),
        };
        let found = found.about(key.join("."));
        let all = &mut self.checked.diagnostics;
        let index = all.len();
        all.push(found);
        &mut all[index]
    }

    /// A newer file is refused as a whole, with one error instead of many.
    fn version(&mut self, members: &[Member]) {
        let Some(member) = members.iter().find(|member| member.name == "config_version") else {
            return;
        };
        let Data::Number(text) = &member.value.data else { return };
        if text.parse::<u64>().is_ok_and(|version| version > u64::from(VERSION)) {
            self.newer = true;
            let message =
                format!("the file has version {text}, this program understands up to {VERSION}");
            let key = ["config_version".to_owned()];
            self.report(Rule::NewerVersion, &key, &member.value.span, message).remedy =
                Some("use a newer agi-agent; this file is never rewritten by an older one".into());
        }
    }

    fn value(&mut self, node: &Node, field: Field, key: &mut Vec<String>) {
        match (field.kind, &node.data) {
            (Kind::Object(fields), Data::Object(members)) => {
                self.duplicates(members, key);
                for member in members {
                    self.member(member, fields, field, key);
                }
            }
            (Kind::Map(inner), Data::Object(members)) => {
                self.duplicates(members, key);
                for member in members {
                    key.push(member.name.clone());
                    self.value(&member.value, Field { kind: *inner, ..field }, key);
                    key.pop();
                }
            }
            (Kind::List(Kind::Object(fields)), Data::List(list)) => {
                self.objects(node, list, fields, field, key);
            }
            (kind, data) => self.leaf(node, field, kind, data, key),
        }
    }

    fn member(&mut self, member: &Member, fields: &[Field], parent: Field, key: &mut Vec<String>) {
        key.push(member.name.clone());
        match fields.iter().find(|field| field.name == member.name) {
            Some(field) => {
                // A group has the power of what it stands in.
                let power = field.rules.power || parent.rules.power;
                let rules = super::fields::Rules { power, ..field.rules };
                self.value(&member.value, Field { rules, ..*field }, key);
            }
            // Editors look there for the schema.
            None if key.len() == 1 && member.name == "$schema" => {}
            None => self.unknown(member, fields, parent, key),
        }
        key.pop();
    }

    fn unknown(&mut self, member: &Member, fields: &[Field], parent: Field, key: &[String]) {
        if self.newer {
            return;
        }
        let guess = near::guess(&member.name, fields, key.len() == 1);
        let grave = parent.rules.power || guess.power || self.strictness == Strictness::Strict;
        let message = format!("unknown setting `{}`", key.join("."));
        let parents = &key[..key.len() - 1];
        let remedy = guess.name.map(|name| {
            let full: Vec<&str> =
                parents.iter().map(String::as_str).chain([name.as_str()]).collect();
            format!("did you mean `{}`?", full.join("."))
        });
        let found = self.report(Rule::UnknownKey, key, &member.name_span, message);
        found.severity = if grave { Severity::Error } else { Severity::Warning };
        found.remedy =
            remedy.or_else(|| Some("`agi-agent config schema` lists every setting".into()));
    }

    fn duplicates(&mut self, members: &[Member], key: &mut Vec<String>) {
        let mut seen: BTreeMap<&str, &Member> = BTreeMap::new();
        for member in members {
            let Some(first) = seen.insert(&member.name, member) else { continue };
            let first = match self.place(&first.name_span) {
                Place::File { line, .. } => format!(", first in line {line}"),
                _ => String::new(),
            };
            key.push(member.name.clone());
            let message = format!("key `{}` stands here twice{first}", key.join("."));
            self.report(Rule::DuplicateKey, key, &member.name_span, message).remedy =
                Some("keep one of the two".into());
            key.pop();
        }
    }

    fn leaf(&mut self, node: &Node, field: Field, kind: Kind, data: &Data, key: &[String]) {
        match accept(kind, data, &field) {
            Ok(value) => {
                let place = self.place(&node.span);
                let segments = key.to_vec();
                self.checked.leaves.push(Leaf {
                    key: key.join("."),
                    segments,
                    field,
                    value,
                    place,
                });
            }
            Err(refusals) => {
                for refusal in refusals {
                    self.refuse(node, &field, refusal, key);
                }
            }
        }
    }

    fn refuse(&mut self, node: &Node, field: &Field, refusal: Refusal, key: &[String]) {
        let (inner, name) = match refusal.index {
            Some(index) => {
                let entry = match &node.data {
                    Data::List(list) => list.get(index).unwrap_or(node),
                    _ => node,
                };
                (entry, format!("`{}`: entry {}", key.join("."), index + 1))
            }
            None if key.is_empty() => (node, "a configuration".to_owned()),
            None => (node, format!("`{}`", key.join("."))),
        };
        let given = if field.is_secret() { "something else".into() } else { inner.words() };
        let message = match refusal.rule {
            Rule::PlainSecret => format!("{name} is a secret and must not be written here"),
            _ => format!("{name} must be {}, not {given}", refusal.wanted),
        };
        let null = matches!(inner.data, Data::Null);
        let found = self.report(refusal.rule, key, &inner.span, message);
        found.remedy = if null {
            Some("leave the key out to keep the value of a lower layer".into())
        } else {
            refusal.remedy
        };
    }
}

/// Why a value is not taken.
struct Refusal {
    rule: Rule,
    /// Entry of a list, from 0.
    index: Option<usize>,
    /// After "must be".
    wanted: String,
    remedy: Option<String>,
}

impl Refusal {
    fn of(rule: Rule, wanted: impl Into<String>) -> Vec<Self> {
        vec![Self { rule, index: None, wanted: wanted.into(), remedy: None }]
    }
}

fn accept(kind: Kind, data: &Data, field: &Field) -> Result<Value, Vec<Refusal>> {
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
    let low = field.rules.min.max(0.0);
    let Ok(number) = text.parse::<u64>() else {
        let whole = text.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
        return Err(if whole {
            Refusal::of(Rule::OutOfRange, format!("a whole number from {low} to {max}"))
        } else {
            Refusal::of(Rule::WrongType, "a whole number")
        });
    };
    #[expect(clippy::cast_precision_loss, reason = "bounds are small numbers")]
    if number > max || (number as f64) < low || (number as f64) > field.rules.max {
        return Err(Refusal::of(Rule::OutOfRange, format!("a whole number from {low} to {max}")));
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
        match accept(kind, &node.data, field) {
            Ok(value) => values.push(value),
            Err(found) => refusals
                .extend(found.into_iter().map(|refusal| Refusal { index: Some(index), ..refusal })),
        }
    }
    if refusals.is_empty() { Ok(Value::Array(values)) } else { Err(refusals) }
}
