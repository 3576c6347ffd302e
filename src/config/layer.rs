//! Layers of configuration and how they merge: objects key by key, everything else replaces.
//!
//! Every value remembers the layer it came from. Knows nothing of what the keys mean.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Map;
use serde_json::Value;

use super::env::Environment;
use super::error::ConfigError;
use super::error::ConfigWarning;
use super::file;
use super::places::Places;

/// Where a value came from; later variants win.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    BuiltIn,
    File(PathBuf),
    Environment(&'static str),
    CommandLine(String),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BuiltIn => formatter.write_str("built in"),
            Self::File(path) => write!(formatter, "{}", path.display()),
            Self::Environment(name) => write!(formatter, "environment variable {name}"),
            Self::CommandLine(flag) => write!(formatter, "command line {flag}"),
        }
    }
}

/// All layers merged, with the origin of every leaf by dotted key.
#[derive(Debug, Clone, Default)]
pub struct Merged {
    pub value: Map<String, Value>,
    pub origins: BTreeMap<String, Origin>,
    pub warnings: Vec<ConfigWarning>,
}

/// What the command line adds: `-c` assignments and flags, by dotted key.
pub type Assignments = Vec<(String, Value, String)>;

/// Reads every layer, low to high, and merges them.
pub fn load(
    environment: &Environment,
    places: &Places,
    profile: Option<&str>,
    project: &Path,
    command_line: Assignments,
) -> Result<Merged, ConfigError> {
    let mut merged = Merged::default();
    let defaults: Value = serde_json::from_str(include_str!("defaults.json"))
        .map_err(|error| ConfigError::assignment("defaults", error.to_string()))?;
    merged.add(defaults, &Origin::BuiltIn);
    for path in files(places, profile)? {
        if let Some(value) = file::read(&path)? {
            merged.add(value, &Origin::File(path));
        }
    }
    merged.note_project_file(project);
    for (variable, value) in environment.configuration()? {
        merged.set(variable.key, value, &Origin::Environment(variable.name));
    }
    for (key, value, flag) in command_line {
        merged.set(&key, value, &Origin::CommandLine(flag));
    }
    Ok(merged)
}

fn files(places: &Places, profile: Option<&str>) -> Result<Vec<PathBuf>, ConfigError> {
    let mut files = vec![places.system_config.clone()];
    files.extend(places.user_config.clone());
    if let Some(name) = profile {
        files.push(profile_file(places, name)?);
    }
    Ok(files)
}

fn profile_file(places: &Places, name: &str) -> Result<PathBuf, ConfigError> {
    let plain = !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    let wrong = |message: String| ConfigError {
        place: format!("--profile {name}"),
        message,
        hint: Some("profiles are files `NAME.profile.json` beside the user's `config.json`".into()),
    };
    if !plain {
        return Err(wrong("a profile's name has letters, digits, `-` and `_` only".into()));
    }
    let user = places
        .user_config
        .as_ref()
        .ok_or_else(|| wrong("there is no home directory to look into".into()))?;
    let path = user.with_file_name(format!("{name}.profile.json"));
    if path.is_file() { Ok(path) } else { Err(wrong(format!("no file `{}`", path.display()))) }
}

impl Merged {
    /// Merges a layer that may be nested.
    fn add(&mut self, layer: Value, origin: &Origin) {
        if let Value::Object(map) = layer {
            merge(&mut self.value, map, "", origin, &mut self.origins);
        }
    }

    /// Merges one dotted key.
    fn set(&mut self, key: &str, value: Value, origin: &Origin) {
        let nested = key.rsplit('.').fold(value, |inner, part| {
            let mut map = Map::new();
            map.insert(part.to_owned(), inner);
            Value::Object(map)
        });
        self.add(nested, origin);
    }

    /// A project's file is not a layer until the person trusts it; trust comes with a later
    /// release, so today it is named and left alone.
    fn note_project_file(&mut self, project: &Path) {
        let path = Places::project_config(project);
        if path.is_file() {
            let message = "a project's configuration is not trusted and was ignored".into();
            self.warnings.push(ConfigWarning { path, message });
        }
    }

    /// The value at a dotted key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let mut parts = key.split('.');
        let mut value = self.value.get(parts.next()?)?;
        for part in parts {
            value = value.get(part)?;
        }
        Some(value)
    }
}

fn merge(
    target: &mut Map<String, Value>,
    layer: Map<String, Value>,
    prefix: &str,
    origin: &Origin,
    origins: &mut BTreeMap<String, Origin>,
) {
    for (key, value) in layer {
        let dotted = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match (target.get_mut(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => {
                merge(old, new, &dotted, origin, origins);
            }
            (None, Value::Object(new)) => {
                let mut fresh = Map::new();
                merge(&mut fresh, new, &dotted, origin, origins);
                target.insert(key, Value::Object(fresh));
            }
            (_, value) => {
                origins.insert(dotted, origin.clone());
                target.insert(key, value);
            }
        }
    }
}

/// `key=value` of `-c`: the value is JSON where it parses as such, else text.
pub fn assignment(text: &str) -> Result<(String, Value, String), ConfigError> {
    let (key, raw) = text
        .split_once('=')
        .filter(|(key, _)| !key.trim().is_empty())
        .ok_or_else(|| ConfigError::assignment(text, "has no `key=`"))?;
    let value = serde_json::from_str(raw).unwrap_or_else(|_| Value::from(raw));
    Ok((key.trim().to_owned(), value, format!("-c {}", key.trim())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Merged;
    use super::Origin;
    use super::assignment;

    #[test]
    fn later_layers_win_key_by_key_and_are_remembered() {
        let mut merged = Merged::default();
        merged.add(
            json!({"limits": {"max_turns": 1, "timeout": "1s"}, "deny": ["a"]}),
            &Origin::BuiltIn,
        );
        merged.set("limits.max_turns", json!(2), &Origin::CommandLine("-c".into()));
        merged.add(json!({"deny": ["b"]}), &Origin::Environment("X"));
        assert_eq!(merged.get("limits.max_turns"), Some(&json!(2)));
        assert_eq!(merged.get("limits.timeout"), Some(&json!("1s")));
        assert_eq!(merged.get("deny"), Some(&json!(["b"])));
        assert_eq!(merged.origins["limits.max_turns"], Origin::CommandLine("-c".into()));
        assert_eq!(merged.origins["limits.timeout"], Origin::BuiltIn);
    }

    #[test]
    fn assignments_take_json_or_text() {
        assert_eq!(assignment("a.b=3").unwrap().1, json!(3));
        assert_eq!(assignment("a=x=y").unwrap().1, json!("x=y"));
        assert!(assignment("=3").is_err());
        assert!(assignment("key").is_err());
    }
}
