//! The only reader of the environment: every name once, with what it means.
//!
//! The process environment is copied once at start; nothing else in the program may ask for a
//! variable (clippy.toml forbids `std::env::var`). Every setting has a variable, `AGI_` and its key
//! in capitals; a few have a short name as well.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use serde_json::Value;

use crate::protocol::secrets::is_secret_name;

use super::error::Diagnostic;
use super::error::Place;
use super::error::Rule;
use super::error::Severity;
use crate::config::table::check;
use crate::config::table::check::Checked;
use crate::config::table::fields::Field;
use crate::config::table::fields::Kind;
use crate::config::table::near;
use crate::config::table::schema;

/// What all our variables begin with.
const PREFIX: &str = "AGI_";

/// A further file of an organisation: it is clamped to in addition to the one at the fixed place, so
/// that whoever sets it can only take away from themselves.
pub const MANAGED_VARIABLE: &str = "AGI_MANAGED_CONFIG";

/// Short names of settings.
const SHORT: [(&str, &str); 2] =
    [("AGI_MAX_TURNS", "limits.max_turns"), ("AGI_TIMEOUT", "limits.timeout")];

/// Names of ours that are no settings.
const OTHER: [&str; 1] = [MANAGED_VARIABLE];

/// Keys and servers of models, which providers have names for; a trusted project's `.env` may set
/// them.
pub const PROVIDER_VARIABLES: [&str; 4] =
    ["OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"];

/// A variable that sets a configuration key.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    pub name: String,
    /// Dotted configuration key.
    pub key: String,
    pub field: Field,
}

/// Variables that set a key, in the order of the settings, short names behind the long ones.
pub fn variables() -> Vec<Variable> {
    let mut all = Vec::new();
    for (key, field) in schema::keys() {
        // Names of maps are the person's, and the shape of a file is not the environment's.
        if key.contains('*') || key == "config_version" {
            continue;
        }
        all.push(Variable { name: name_of(&key), key: key.clone(), field });
        for (name, _) in SHORT.iter().filter(|(_, short)| *short == key) {
            all.push(Variable { name: (*name).to_owned(), key: key.clone(), field });
        }
    }
    all
}

/// The variable of a dotted key.
pub fn name_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_uppercase())
}

/// A copy of the process environment.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
}

impl Environment {
    /// Copies the environment of this process.
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the environment")]
    pub fn of_process() -> Self {
        Self { variables: std::env::vars_os().collect() }
    }

    /// For tests.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self {
            variables: pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
        }
    }

    /// A variable's text; unset, empty and non-Unicode ones are `None`.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.variables
            .get(std::ffi::OsStr::new(name))
            .and_then(|value| value.to_str())
            .filter(|value| !value.is_empty())
    }

    /// A variable as a path; empty ones are `None`.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.variables
            .get(std::ffi::OsStr::new(name))
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    }

    /// The first of several spellings that is set.
    pub fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.text(name))
    }

    /// True where the variable is there at all, even empty (`NO_COLOR`).
    pub fn is_set(&self, name: &str) -> bool {
        self.variables.contains_key(std::ffi::OsStr::new(name))
    }

    /// Variables whose names say that their values are secret.
    pub fn secrets(&self) -> Vec<(String, String)> {
        let texts = self.variables.iter().filter_map(|(name, value)| {
            Some((name.to_str()?.to_owned(), value.to_str()?.to_owned()))
        });
        texts.filter(|(name, _)| is_secret_name(name)).collect()
    }

    /// All of it, for children (`sandbox` filters).
    pub fn all(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.variables.iter()
    }

    /// Variables that are set below these, from a file that is believed.
    #[must_use]
    pub fn above(mut self, lower: &BTreeMap<String, String>) -> Self {
        for (name, value) in lower {
            self.variables.entry(name.into()).or_insert_with(|| value.into());
        }
        self
    }

    /// The settings that our variables set, and what is wrong with them. Empty ones count as unset.
    pub fn configuration(&self) -> Checked {
        let ours = self.variables.iter().filter(|(name, value)| {
            name.as_encoded_bytes().starts_with(PREFIX.as_bytes()) && !value.is_empty()
        });
        let mut known = None;
        let mut checked = Checked::default();
        for (name, value) in ours {
            let Some(name) = name.to_str() else { continue };
            let known = known.get_or_insert_with(variables);
            let place = Place::Variable(name.to_owned());
            let Some(value) = value.to_str() else {
                let message = "the value is not Unicode text";
                checked.diagnostics.push(Diagnostic::error(Rule::Encoding, place, message));
                continue;
            };
            match known.iter().find(|variable| variable.name == name) {
                Some(variable) => {
                    let value = from_variable(variable, value);
                    let found = check::check_key(&variable.key, &value, &place);
                    checked.leaves.extend(found.leaves);
                    checked.diagnostics.extend(found.diagnostics);
                }
                None if OTHER.contains(&name) || super::legacy::is_known(name) => {}
                None => checked.diagnostics.push(unknown(name, known)),
            }
        }
        checked
    }
}

/// A mistyped variable of ours: an error where what it seems to mean grants or limits power.
fn unknown(name: &str, known: &[Variable]) -> Diagnostic {
    let names: Vec<&str> = known.iter().map(|variable| variable.name.as_str()).collect();
    let near = near::closest(name, &names);
    let variable = known.iter().find(|variable| Some(&variable.name) == near.as_ref());
    let place = Place::Variable(name.to_owned());
    let message = format!("no setting has the variable `{name}`");
    let mut found = match near {
        Some(_) => Diagnostic::warning(Rule::UnknownKey, place, message),
        // Somebody else's name may begin as ours do.
        None => Diagnostic::note(Rule::UnknownKey, place, message),
    };
    if variable.is_some_and(|variable| schema::has_power(&variable.key)) {
        found.severity = Severity::Error;
    }
    found.remedy = near.map(|name| format!("did you mean `{name}`?"));
    found
}

fn from_variable(variable: &Variable, raw: &str) -> Value {
    match variable.field.kind {
        // The environment is where secrets may come from.
        Kind::Secret { .. } => serde_json::json!({ "env": variable.name }),
        kind => from_text(kind, raw),
    }
}

/// The text of a variable or of `-c` as a value of a kind; what does not fit stays text, and is
/// refused where values are checked.
pub fn from_text(kind: Kind, raw: &str) -> Value {
    let json = || serde_json::from_str::<Value>(raw);
    match kind {
        Kind::Boolean => boolean(raw).map_or_else(|| Value::from(raw), Value::from),
        Kind::Integer { .. } | Kind::Number => match serde_json::from_str(raw.trim()) {
            Ok(number @ Value::Number(_)) => number,
            _ => Value::from(raw),
        },
        Kind::Text | Kind::Path | Kind::Choice(_) | Kind::Span | Kind::Size => match json() {
            Ok(Value::String(text)) => Value::from(text),
            _ => Value::from(raw),
        },
        Kind::List(_) => match json() {
            Ok(list @ Value::Array(_)) => list,
            _ => raw
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(Value::from)
                .collect(),
        },
        Kind::Secret { .. } | Kind::Map(_) | Kind::Object(_) => {
            json().unwrap_or_else(|_| Value::from(raw))
        }
    }
}

fn boolean(raw: &str) -> Option<bool> {
    match raw.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Environment;
    use super::from_text;
    use super::variables;
    use crate::config::error::Severity;
    use crate::config::table::fields::Kind;

    #[test]
    fn names_are_unique() {
        let all = variables();
        let names: std::collections::BTreeSet<_> = all.iter().map(|v| &v.name).collect();
        assert_eq!(names.len(), all.len());
        assert!(names.contains(&"AGI_SANDBOX_ADD_DIRS".to_owned()));
    }

    #[test]
    fn types_are_checked() {
        let environment = Environment::from_pairs([("AGI_MAX_TURNS", "many")]);
        let found = environment.configuration().diagnostics;
        assert_eq!(
            found[0].headline(),
            "environment variable AGI_MAX_TURNS: `limits.max_turns` must be a whole number, not the text `many`"
        );
    }

    #[test]
    fn empty_means_unset() {
        let environment = Environment::from_pairs([("AGI_MODEL_NAME", "")]);
        let checked = environment.configuration();
        assert!(checked.leaves.is_empty() && checked.diagnostics.is_empty());
    }

    #[test]
    fn a_mistyped_variable_is_named_and_grave_where_it_limits() {
        let environment =
            Environment::from_pairs([("AGI_SANDBOX_LEVL", "read-only"), ("AGI_MODEL_NAM", "x")]);
        let found = environment.configuration().diagnostics;
        let severities: Vec<_> = found.iter().map(|found| found.severity).collect();
        assert_eq!(severities, [Severity::Warning, Severity::Error]);
        assert_eq!(found[1].remedy.as_deref(), Some("did you mean `AGI_SANDBOX_LEVEL`?"));
    }

    #[test]
    fn text_becomes_what_the_setting_is() {
        assert_eq!(from_text(Kind::Boolean, "yes"), json!(true));
        assert_eq!(from_text(Kind::Text, "5"), json!("5"));
        assert_eq!(from_text(Kind::Text, "\"5\""), json!("5"));
        assert_eq!(from_text(Kind::List(&Kind::Text), "a, b,"), json!(["a", "b"]));
        assert_eq!(from_text(Kind::List(&Kind::Text), "[\"a,b\"]"), json!(["a,b"]));
    }
}
