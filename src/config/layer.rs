//! Layers of configuration and how they merge, setting by setting: every value ever given is kept
//! with its place, and one of them, or what they leave, is in force.
//!
//! The rules: the highest layer wins; prohibitions of all layers count; what an untrusted project
//! says may only narrow what the layers below it left; what an organisation says bounds the result.
//! Knows nothing of what the keys mean. Reading files is `load`'s.

use std::collections::BTreeMap;

use serde_json::Map;
use serde_json::Value;

use super::error::ConfigError;
use super::error::Diagnostic;
use super::error::Place;
use super::error::Severity;
use super::project::ProjectState;
use super::secret::MASK;
use crate::config::table::built_in;
use crate::config::table::check::Leaf;
use crate::config::table::fields::Field;
use crate::config::table::fields::Kind;
use crate::config::table::order;

/// Layers, low to high. `Managed` does not lie above the others but bounds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    BuiltIn,
    System,
    User,
    Project,
    Profile,
    Environment,
    CommandLine,
    Managed,
}

impl Layer {
    /// All of them, low to high.
    pub const ALL: [Self; 8] = [
        Self::BuiltIn,
        Self::System,
        Self::User,
        Self::Project,
        Self::Profile,
        Self::Environment,
        Self::CommandLine,
        Self::Managed,
    ];

    /// The name in `config explain` and `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BuiltIn => "built-in",
            Self::System => "system",
            Self::User => "user",
            Self::Project => "project",
            Self::Profile => "profile",
            Self::Environment => "environment",
            Self::CommandLine => "command-line",
            Self::Managed => "managed",
        }
    }
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub layer: Layer,
    pub place: Place,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.place.fmt(formatter)
    }
}

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It is in force.
    Wins,
    /// It is part of what is in force (prohibitions add up, a project narrowed a list).
    Joined,
    /// A higher layer says something else.
    Overridden,
    /// An untrusted project's value that would widen.
    Ignored,
    /// The organisation allows less.
    Clamped,
    /// A bound that what is in force keeps within.
    Holds,
}

/// One value that a layer gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub origin: Origin,
    pub value: Value,
    pub fate: Fate,
}

/// One setting: what is in force, and everything that was said about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The key's parts; names of maps may hold dots.
    pub segments: Vec<String>,
    pub field: Field,
    /// What is in force. Secrets are here as they were given; [`Setting::shown`] masks them.
    pub value: Value,
    /// Of the value in force; of the last that took part where several do.
    pub origin: Origin,
    /// Low to high, bounds last.
    pub entries: Vec<Entry>,
}

impl Setting {
    /// The value in force, fit to be shown.
    pub fn shown(&self) -> Value {
        shown(&self.field, &self.value)
    }
}

/// A value fit to be shown: text of secrets is masked, where a secret is read from is not.
pub fn shown(field: &Field, value: &Value) -> Value {
    masked(field.kind, value)
}

/// A value of a kind with the text of secrets masked, at any depth.
pub(super) fn masked(kind: Kind, value: &Value) -> Value {
    match (kind, value) {
        (Kind::Secret { .. }, Value::Object(_)) => value.clone(),
        (Kind::Secret { .. }, _) => Value::from(MASK),
        (Kind::List(inner), Value::Array(list)) => {
            list.iter().map(|entry| masked(*inner, entry)).collect()
        }
        (Kind::Map(inner), Value::Object(map)) => Value::Object(
            map.iter().map(|(name, value)| (name.clone(), masked(*inner, value))).collect(),
        ),
        (Kind::Object(fields), Value::Object(map)) => {
            let member = |(name, value): (&String, &Value)| {
                let field = fields.iter().find(|field| field.name == *name);
                let value = field.map_or_else(|| value.clone(), |field| masked(field.kind, value));
                (name.clone(), value)
            };
            Value::Object(map.iter().map(member).collect())
        }
        (Kind::Text, Value::String(text)) => Value::from(without_password(text)),
        _ => value.clone(),
    }
}

/// A text with the password masked where it is an address that has one.
pub fn without_password(text: &str) -> String {
    let Some(mut url) = text.contains('@').then(|| url::Url::parse(text).ok()).flatten() else {
        return text.to_owned();
    };
    if url.password().is_none() || url.set_password(Some(MASK)).is_err() {
        return text.to_owned();
    }
    url.into()
}

/// Whether what a project says counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A layer like any other.
    Believed,
    /// It may narrow, nothing else.
    Untrusted,
}

/// All layers merged.
#[derive(Debug, Clone, Default)]
pub struct Merged {
    /// By dotted key: what somebody set, and what is built in below it. The rest of what is built in
    /// is there after [`Merged::complete`] only.
    pub settings: BTreeMap<String, Setting>,
    /// Everything that was found, in the order of the layers.
    pub diagnostics: Vec<Diagnostic>,
    /// The projects around the working directory, the outermost first.
    pub projects: Vec<ProjectState>,
    /// Keys and servers of models that a trusted project's `.env` sets.
    pub project_environment: BTreeMap<String, String>,
}

/// What the command line adds: `-c` assignments and flags, by dotted key.
pub type Assignments = Vec<(String, Value, String)>;

impl Merged {
    /// Values of one layer alone, without what is built in.
    pub fn of_leaves(leaves: Vec<Leaf>, layer: Layer) -> Self {
        let mut merged = Self::default();
        for leaf in leaves {
            merged.add(leaf, layer);
        }
        merged
    }

    /// Where a key, or a group that holds it, was set.
    pub fn place(&self, key: &str) -> Place {
        let inside = format!("{key}.");
        let mut settings = self.settings.iter();
        let found = settings.find(|(name, _)| *name == key || name.starts_with(&inside));
        match (found, key.rsplit_once('.')) {
            (Some((_, setting)), _) => setting.origin.place.clone(),
            // A part of a value, such as a model of a route.
            (None, Some((parent, _))) => self.place(parent),
            (None, None) => Place::BuiltIn,
        }
    }

    /// With the settings that nobody set and that have a default, for those who show or search all.
    #[must_use]
    pub fn complete(mut self) -> Self {
        for leaf in built_in::leaves() {
            if !self.settings.contains_key(&leaf.key) {
                self.add(leaf, Layer::BuiltIn);
            }
        }
        self
    }

    /// Puts below a value what is built in for its setting.
    pub(super) fn ground(&mut self, leaf: &Leaf) {
        if !self.settings.contains_key(&leaf.key)
            && let Some(below) = built_in::leaf(&leaf.segments, leaf.field)
        {
            self.add(below, Layer::BuiltIn);
        }
    }

    /// The value in force at a dotted key; groups have none of their own.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.settings.get(key).map(|setting| &setting.value)
    }

    /// Where the value in force came from.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.settings.get(key).map(|setting| &setting.origin)
    }

    /// The findings of a severity.
    pub fn found(&self, severity: Severity) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(move |found| found.severity == severity)
    }

    /// All errors, if there are any.
    pub fn check(&self) -> Result<(), ConfigError> {
        let errors: Vec<Diagnostic> = self.found(Severity::Error).cloned().collect();
        if errors.is_empty() { Ok(()) } else { Err(ConfigError { errors }) }
    }

    /// All settings that are here, as one object. With secrets: never print it.
    pub fn value(&self) -> Map<String, Value> {
        self.nested(|setting| setting.value.clone())
    }

    /// All settings that are here, as one object fit to be shown.
    pub fn shown(&self) -> Map<String, Value> {
        self.nested(Setting::shown)
    }

    fn nested(&self, value: impl Fn(&Setting) -> Value) -> Map<String, Value> {
        let mut root = Map::new();
        for setting in self.settings.values() {
            if let Some((first, rest)) = setting.segments.split_first() {
                insert(&mut root, first, rest, value(setting));
            }
        }
        root
    }

    /// Lays a value over what is there.
    pub(super) fn add(&mut self, leaf: Leaf, layer: Layer) {
        let origin = Origin { layer, place: leaf.place };
        let Some(setting) = self.settings.get_mut(&leaf.key) else {
            self.settings
                .insert(leaf.key.clone(), fresh(leaf.segments, leaf.field, leaf.value, origin));
            return;
        };
        let joins = leaf.field.rules.union;
        for entry in &mut setting.entries {
            if !joins && entry.fate != Fate::Ignored {
                entry.fate = Fate::Overridden;
            } else if entry.fate == Fate::Wins && !is_empty_list(&entry.value) {
                entry.fate = Fate::Joined;
            }
        }
        let alone = !joins || is_empty_list(&setting.value);
        let fate = if alone { Fate::Wins } else { Fate::Joined };
        setting.value =
            if joins { order::union(&setting.value, &leaf.value) } else { leaf.value.clone() };
        setting.origin = origin.clone();
        setting.entries.push(Entry { origin, value: leaf.value, fate });
    }
}

/// Puts a value where its key says, making the groups on the way.
fn insert(map: &mut Map<String, Value>, name: &str, rest: &[String], value: Value) {
    let Some((next, deeper)) = rest.split_first() else {
        map.insert(name.to_owned(), value);
        return;
    };
    let group = map.entry(name.to_owned()).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(group) = group {
        insert(group, next, deeper, value);
    }
}

pub(super) fn fresh(segments: Vec<String>, field: Field, value: Value, origin: Origin) -> Setting {
    let entry = Entry { origin: origin.clone(), value: value.clone(), fate: Fate::Wins };
    Setting { segments, field, value, origin, entries: vec![entry] }
}

pub(super) fn is_empty_list(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}
