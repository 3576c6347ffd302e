//! Variables of the Python agent that this program replaces: each is a setting of today, or a note
//! that says what to do instead.
//!
//! They stand below our own variables. Nothing here is needed by somebody who never used it.

use serde_json::Value;

use super::env::Environment;
use super::env::from_text;
use super::error::Diagnostic;
use super::error::Place;
use super::error::Rule;
use crate::config::table::check;
use crate::config::table::check::Checked;
use crate::config::table::fields::Kind;

/// What became of a variable.
enum Meaning {
    /// A setting, with the value translated (`None`: the word meant nothing).
    Setting(&'static str, fn(&str) -> Option<Value>),
    /// Nothing to set; what to do instead.
    Note(&'static str),
}

/// An old variable.
struct Old {
    name: &'static str,
    meaning: Meaning,
}

const fn setting(name: &'static str, key: &'static str, of: fn(&str) -> Option<Value>) -> Old {
    Old { name, meaning: Meaning::Setting(key, of) }
}

const fn note(name: &'static str, text: &'static str) -> Old {
    Old { name, meaning: Meaning::Note(text) }
}

/// Every variable of the old program that is not, by name and meaning, one of today's.
const TABLE: [Old; 8] = [
    setting("AGI_MAX_REASONING_DEPTH", "limits.max_turns", whole_number),
    setting("LOG_LEVEL", "log.level", log_level),
    setting("LOG_FILE", "log.file", |raw| Some(Value::from(raw))),
    setting("AGI_SAFETY_LEVEL", "approve", safety_level),
    note(
        "AGI_AUTO_APPROVE_SAFE_ACTIONS",
        "calls that the sandbox bounds are never asked about; `approve` decides on the others",
    ),
    note("AGI_KNOWLEDGE_BASE_PATH", "`agi-agent memory import DIR/knowledge.json` takes it over"),
    note("AGI_TOOLS_CONFIG_PATH", "nothing loads the classes of a `tools.yaml` yet"),
    note(
        "DATABASE_URL",
        "an old database is never changed; `agi-agent memory import FILE` takes its knowledge over",
    ),
];

#[expect(clippy::unnecessary_wraps, reason = "translations of words may fail")]
fn whole_number(raw: &str) -> Option<Value> {
    Some(from_text(Kind::Integer { max: u64::from(u32::MAX) }, raw))
}

/// How careful the old program was: its two middle levels asked, as `ask` does.
pub(crate) fn safety_level(raw: &str) -> Option<Value> {
    match raw.trim().to_ascii_lowercase().as_str() {
        "low" => Some("auto".into()),
        "medium" | "high" => Some("ask".into()),
        "critical" => Some("deny".into()),
        _ => None,
    }
}

/// Python's names of levels.
fn log_level(raw: &str) -> Option<Value> {
    match raw.trim().to_ascii_lowercase().as_str() {
        "critical" | "fatal" | "error" => Some("error".into()),
        "warning" | "warn" => Some("warn".into()),
        "info" => Some("info".into()),
        "debug" => Some("debug".into()),
        _ => None,
    }
}

/// Whether a variable is one of the old program's.
pub(super) fn is_known(name: &str) -> bool {
    TABLE.iter().any(|old| old.name == name)
}

/// The old names with what they set or mean, for the documentation and `config migrate`.
pub fn table() -> impl Iterator<Item = (&'static str, Option<&'static str>, &'static str)> {
    TABLE.iter().map(|old| match old.meaning {
        Meaning::Setting(key, _) => (old.name, Some(key), "translated"),
        Meaning::Note(text) => (old.name, None, text),
    })
}

/// The settings that old variables set.
pub fn configuration(environment: &Environment) -> Checked {
    let mut checked = Checked::default();
    for old in &TABLE {
        let Some(raw) = environment.text(old.name) else { continue };
        let place = Place::Variable(old.name.to_owned());
        match old.meaning {
            Meaning::Setting(key, translate) => {
                let Some(value) = translate(raw) else {
                    checked.diagnostics.push(unknown_word(old.name, key, place, raw));
                    continue;
                };
                let found = check::check_key(key, &value, &place);
                checked.leaves.extend(found.leaves);
                checked.diagnostics.extend(found.diagnostics);
                let text = format!("the old `{}` sets `{key}`", old.name);
                let remedy =
                    format!("set `{key}` in a configuration file, or {}", super::env::name_of(key));
                checked.diagnostics.push(
                    Diagnostic::note(Rule::Legacy, place, text).about(key).with_remedy(remedy),
                );
            }
            // A common name: it is the old program's only where it names its file.
            Meaning::Note(_) if old.name == "DATABASE_URL" && !raw.contains("agi_agent") => {}
            Meaning::Note(text) => {
                let message = format!("the old `{}` has no effect", old.name);
                checked
                    .diagnostics
                    .push(Diagnostic::note(Rule::Legacy, place, message).with_remedy(text));
            }
        }
    }
    checked
}

fn unknown_word(name: &str, key: &str, place: Place, raw: &str) -> Diagnostic {
    // Other programs have a variable of this name.
    if key == "log.level" {
        let message = format!("`{name}` is no level of ours and has no effect");
        return Diagnostic::note(Rule::Legacy, place, message).about(key);
    }
    let message = format!("`{raw}` is not low, medium, high or critical");
    Diagnostic::error(Rule::OutOfRange, place, message)
        .about(key)
        .with_remedy("set `approve` to ask, deny or auto instead")
}

#[cfg(test)]
mod tests {
    use super::configuration;
    use crate::config::env::Environment;
    use crate::config::error::Severity;

    #[test]
    fn old_variables_set_what_they_mean_today() {
        let environment = Environment::from_pairs([
            ("AGI_SAFETY_LEVEL", "critical"),
            ("AGI_MAX_REASONING_DEPTH", "7"),
            ("DATABASE_URL", "postgres://somebody/else"),
        ]);
        let checked = configuration(&environment);
        let set: Vec<_> =
            checked.leaves.iter().map(|leaf| (leaf.key.as_str(), leaf.value.to_string())).collect();
        assert_eq!(set, [("limits.max_turns", "7".to_owned()), ("approve", "\"deny\"".to_owned())]);
        assert!(checked.diagnostics.iter().all(|found| found.severity == Severity::Note));
        assert_eq!(checked.diagnostics.len(), 2);
    }

    #[test]
    fn a_word_that_meant_nothing_is_an_error() {
        let environment = Environment::from_pairs([("AGI_SAFETY_LEVEL", "extreme")]);
        let found = configuration(&environment).diagnostics;
        assert_eq!(found[0].severity, Severity::Error);
    }
}
