//! Checks a tree against the table of settings: every finding at once, each at its place, and the
//! values that are fine.
//!
//! Knows kinds and ranges, not meaning; a value that fits here always fits the typed struct.

mod objects;
mod values;

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;

use values::Refusal;
use values::accept;

use super::fields::Field;
use super::fields::Kind;
use super::near;
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
