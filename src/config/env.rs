//! The only reader of the environment: every name once, with what it means.
//!
//! The process environment is copied once at start; nothing else in the program may ask for a
//! variable (clippy.toml forbids `std::env::var`).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use serde_json::Value;

use super::error::ConfigError;

/// How the text of a variable becomes a JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Boolean,
}

/// A variable that sets a configuration key.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    pub name: &'static str,
    /// Dotted configuration key.
    pub key: &'static str,
    pub help: &'static str,
    kind: Kind,
}

const fn text(name: &'static str, key: &'static str, help: &'static str) -> Variable {
    Variable { name, key, help, kind: Kind::Text }
}

/// Variables that set a key, in the order of the documentation.
pub const VARIABLES: &[Variable] = &[
    text(
        "AGI_MODEL_PROVIDER",
        "model.provider",
        "openai, anthropic, local, custom, scripted or builtin",
    ),
    text("AGI_MODEL_NAME", "model.name", "name of the model at its provider"),
    text("AGI_MODEL_BASE_URL", "model.base_url", "base URL of a compatible server"),
    text("AGI_MODEL_API", "model.api", "chat or responses"),
    text("AGI_SANDBOX_LEVEL", "sandbox.level", "read-only, workspace-write or danger-full-access"),
    text("AGI_APPROVE", "approve", "ask, deny or auto"),
    Variable {
        name: "AGI_MAX_TURNS",
        key: "limits.max_turns",
        help: "model turns of one run",
        kind: Kind::Integer,
    },
    text("AGI_TIMEOUT", "limits.timeout", "time limit of one run, such as 90s or 5m"),
    Variable {
        name: "AGI_MEMORY_ENABLED",
        key: "memory.enabled",
        help: "recall and remember",
        kind: Kind::Boolean,
    },
    text("AGI_DATA_DIR", "data_dir", "where the database lives"),
    text("AGI_WEB_SEARCH_URL", "web_search.url", "SearXNG or compatible endpoint"),
    text("AGI_PYTHON_WHEELS", "python.wheels", "directory of further Python packages"),
];

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

    /// All of it, for children (`sandbox` filters).
    pub fn all(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.variables.iter()
    }

    /// The configuration keys that variables set, with the variable's name.
    pub fn configuration(&self) -> Result<Vec<(&'static Variable, Value)>, ConfigError> {
        let mut found = Vec::new();
        for variable in VARIABLES {
            if let Some(raw) = self.text(variable.name) {
                found.push((variable, parse(variable, raw)?));
            }
        }
        Ok(found)
    }
}

fn parse(variable: &Variable, raw: &str) -> Result<Value, ConfigError> {
    let value = match variable.kind {
        Kind::Text => Some(Value::from(raw)),
        Kind::Integer => raw.trim().parse::<u64>().ok().map(Value::from),
        Kind::Boolean => boolean(raw).map(Value::from),
    };
    value.ok_or_else(|| {
        let expected = match variable.kind {
            Kind::Integer => "a whole number",
            _ => "true or false",
        };
        ConfigError::environment(variable.name, &format!("`{raw}` is not {expected}"))
    })
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
    use super::Environment;
    use super::VARIABLES;

    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<_> = VARIABLES.iter().map(|v| v.name).collect();
        assert_eq!(names.len(), VARIABLES.len());
    }

    #[test]
    fn types_are_checked() {
        let environment = Environment::from_pairs([("AGI_MAX_TURNS", "many")]);
        let error = environment.configuration().unwrap_err();
        assert_eq!(
            error.to_string(),
            "environment variable `AGI_MAX_TURNS`: `many` is not a whole number"
        );
    }

    #[test]
    fn empty_means_unset() {
        let environment = Environment::from_pairs([("AGI_MODEL_NAME", "")]);
        assert!(environment.configuration().unwrap().is_empty());
    }
}
