//! `config get` and `config explain`: one value, or everything that was said about it.
//!
//! A configuration with errors can be explained too: that is when it is needed most.

use serde_json::Value;
use serde_json::json;

use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::config::env;
use crate::config::error::Diagnostic;
use crate::config::error::Place;
use crate::config::file::migrate;
use crate::config::layer::Assignments;
use crate::config::layer::Entry;
use crate::config::layer::Fate;
use crate::config::layer::Merged;
use crate::config::layer::Setting;
use crate::config::layer::shown;
use crate::config::legacy;
use crate::config::table::json_schema;
use crate::config::table::json_schema::Row;
use crate::config::table::near;
use crate::config::table::schema;
use crate::protocol::ExitCode;

/// Prints the value in force, text without quotes.
pub(super) fn get(key: &str, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let merged = context.merged(Assignments::new())?;
    context.resolved(&merged)?;
    known(key)?;
    let whole = Value::Object(merged.shown());
    // A name of a map may hold dots, so the exact key goes first.
    let value = match merged.settings.get(key) {
        Some(setting) => Some(setting.shown()),
        None => key.split('.').try_fold(&whole, |value, part| value.get(part)).cloned(),
    };
    let Some(value) = value else {
        context.output.status(&format!("note: `{key}` is not set and has no default"));
        return Ok(ExitCode::TaskFailed);
    };
    match &value {
        Value::String(text) if !context.global.json => context.output.line(text)?,
        Value::Object(_) => context.output.json(&value)?,
        value => context.output.line(&value.to_string())?,
    }
    Ok(ExitCode::Done)
}

/// Prints a setting, or each of a group.
pub(super) fn explain(key: &str, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let merged = context.merged(Assignments::new())?;
    if let Some((name, None, meaning)) = legacy::table().find(|(name, ..)| *name == key) {
        return old_variable(name, meaning, context);
    }
    let key = variable_key(key).unwrap_or_else(|| key.to_owned());
    known(&key)?;
    let rows: Vec<Explained<'_>> =
        json_schema::rows().into_iter().flat_map(|row| explained(row, &key, &merged)).collect();
    if context.global.json {
        let list: Vec<Value> = rows.iter().map(Explained::json).collect();
        match &list[..] {
            [one] => context.output.json(one)?,
            list => context.output.json(&list)?,
        }
        return Ok(ExitCode::Done);
    }
    for (place, row) in rows.iter().enumerate() {
        if place > 0 {
            context.output.line("")?;
        }
        for line in row.lines() {
            context.output.line(&line)?;
        }
    }
    Ok(ExitCode::Done)
}

/// The setting of one of our variables, or of one of the old program's.
fn variable_key(name: &str) -> Option<String> {
    let old = legacy::table().find(|(old, ..)| *old == name).and_then(|(_, key, _)| key);
    let ours = || env::variables().into_iter().find(|variable| variable.name == name);
    old.map(str::to_owned).or_else(|| ours().map(|variable| variable.key))
}

fn old_variable(
    name: &str,
    meaning: &str,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let value = context.environment.text(name).map(str::to_owned);
    if context.global.json {
        context
            .output
            .json(&json!({"variable": name, "set": value.is_some(), "meaning": meaning}))?;
        return Ok(ExitCode::Done);
    }
    let set = if value.is_some() { "is set" } else { "is not set" };
    context.output.line(&format!("{name} {set} and has no effect: {meaning}"))?;
    Ok(ExitCode::Done)
}

/// A key that no setting has is an error with advice.
pub(super) fn known(key: &str) -> Result<(), CommandError> {
    if schema::lookup(key).is_some() {
        return Ok(());
    }
    let keys: Vec<String> = schema::keys().into_iter().map(|(key, _)| key).collect();
    let names: Vec<&str> = keys.iter().map(String::as_str).collect();
    let message = format!("no setting is called `{key}`");
    let error = CommandError::new(ExitCode::Configuration, message);
    let mut steps = migrate::STEPS.iter().flat_map(|steps| steps.iter());
    if let Some(step) = steps.find(|step| step.old_key() == key) {
        return Err(error.with_hint(format!("it is called `{}` today", step.new_key())));
    }
    Err(match near::closest(key, &names) {
        Some(near) => error.with_hint(format!("did you mean `{near}`?")),
        None => error.with_hint("`agi-agent config show` lists the settings"),
    })
}

/// One setting with all that is known of it.
struct Explained<'a> {
    key: String,
    row: Row,
    setting: Option<&'a Setting>,
    found: Vec<&'a Diagnostic>,
}

/// The setting of a row where `key` is it, a group that holds it, or a name of its map.
fn explained<'a>(row: Row, key: &str, merged: &'a Merged) -> Vec<Explained<'a>> {
    let map = row.key.strip_suffix('*');
    let inside = key.is_empty() || row.key.starts_with(&format!("{key}."));
    let one = |key: &str, row: &Row| Explained {
        key: key.to_owned(),
        setting: merged.settings.get(key),
        found: merged.diagnostics.iter().filter(|d| d.key.as_deref() == Some(key)).collect(),
        row: row.clone(),
    };
    match map {
        Some(prefix) if key.starts_with(prefix) => vec![one(key, &row)],
        Some(prefix) if inside => {
            let inside = merged.settings.keys().filter(|name| name.starts_with(prefix));
            inside.map(|name| one(name, &row)).collect()
        }
        _ if row.key == key || inside => vec![one(&row.key, &row)],
        _ => Vec::new(),
    }
}

impl Explained<'_> {
    fn lines(&self) -> Vec<String> {
        let value = self.setting.map(Setting::shown);
        let shown = value.map_or_else(|| "(not set)".to_owned(), |value| value.to_string());
        let mut lines = vec![format!("{} = {shown}", self.key), format!("  {}", self.row.doc)];
        let mut fact = |name: &str, text: String| lines.push(format!("  {name:10}{text}"));
        fact("type", self.row.kind.clone());
        if let Some(default) = &self.row.default {
            fact("default", default.to_string());
        }
        if let Some(variable) = &self.row.variable {
            fact("variable", variable.clone());
        }
        if let Some(narrows) = self.row.narrows {
            fact("narrows", narrows.to_owned());
        }
        let entries = self.entries();
        let widths = entries.iter().fold((0, 0), |(fate, value), entry| {
            (fate.max(entry.0.len()), value.max(entry.1.chars().count()))
        });
        for (fate, value, origin) in entries {
            lines.push(format!("  {fate:0$}  {value:1$}  {origin}", widths.0, widths.1));
        }
        for found in &self.found {
            lines.push(format!("  note      {}", found.message));
            lines.extend(found.remedy.iter().map(|remedy| format!("            -> {remedy}")));
        }
        lines
    }

    /// Fate, value and origin, the winner first.
    fn entries(&self) -> Vec<(String, String, String)> {
        let Some(setting) = self.setting else { return Vec::new() };
        let row = |entry: &Entry| {
            let place = match &entry.origin.place {
                Place::File { .. } => format!("{} ({})", entry.origin, entry.origin.layer.as_str()),
                place => place.to_string(),
            };
            let value = shown(&setting.field, &entry.value).to_string();
            (fate(entry.fate).to_owned(), value, place)
        };
        setting.entries.iter().rev().map(row).collect()
    }

    fn json(&self) -> Value {
        let entries = self.setting.map(|setting| {
            let entry = |entry: &Entry| {
                json!({
                    "fate": fate(entry.fate),
                    "value": shown(&setting.field, &entry.value),
                    "layer": entry.origin.layer.as_str(),
                    "place": entry.origin.place.to_string(),
                })
            };
            setting.entries.iter().rev().map(entry).collect::<Vec<_>>()
        });
        let notes: Vec<_> = self
            .found
            .iter()
            .map(|found| json!({"message": found.message, "remedy": found.remedy}))
            .collect();
        json!({
            "key": self.key,
            "value": self.setting.map(Setting::shown),
            "origin": self.setting.map(|setting| setting.origin.to_string()),
            "type": self.row.kind,
            "default": self.row.default,
            "doc": self.row.doc,
            "variable": self.row.variable,
            "entries": entries.unwrap_or_default(),
            "notes": notes,
        })
    }
}

fn fate(fate: Fate) -> &'static str {
    match fate {
        Fate::Wins => "wins",
        Fate::Joined => "joined",
        Fate::Overridden => "overridden",
        Fate::Ignored => "ignored",
        Fate::Clamped => "clamped",
        Fate::Holds => "holds",
    }
}
