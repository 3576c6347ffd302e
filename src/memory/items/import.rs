//! Reads exported items and the old knowledge file.
//!
//! Two shapes are told apart by their content: one JSON object with `items` (the old
//! `knowledge.json`, and `memory export --format json`), or one item per line. Ids, dates,
//! confidence and source are kept. Importing twice changes nothing: an item whose id is known is
//! written only if the file says that its own is newer, and an item without an id gets one that
//! follows from its content.

use rusqlite::Transaction;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use sha2::Digest;
use sha2::Sha256;

use super::item;
use super::item::Record;
use super::item::Trust;
use crate::memory::error::Failure;
use crate::memory::error::MemoryError;
use crate::memory::moment;

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    pub added: u64,
    pub updated: u64,
    pub unchanged: u64,
}

impl ImportReport {
    /// Adds another batch's numbers.
    pub fn add(&mut self, other: &Self) {
        self.added += other.added;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
    }
}

/// A checked row of a file.
pub(in crate::memory) struct Arrival {
    record: Record,
    /// The file says when it changed: without that it is never newer than what is there.
    dated: bool,
}

/// An item of a file; only its content must be there.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::memory) struct Incoming {
    #[serde(default)]
    id: Option<IdText>,
    content: String,
    #[serde(default)]
    category: Option<String>,
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    confidence: Option<f64>,
    #[serde(default)]
    trust: Option<Trust>,
    #[serde(default)]
    provenance: Option<Value>,
    #[serde(default)]
    created_at: Option<String>,
    #[serde(default)]
    updated_at: Option<String>,
}

/// Old files may count their items instead of naming them.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum IdText {
    Text(String),
    Number(u64),
}

#[derive(Deserialize)]
struct KnowledgeFile {
    items: Vec<Value>,
}

/// The items of a whole file, and a message for each that cannot be used.
pub(in crate::memory) fn parse(text: &str) -> Result<(Vec<Incoming>, Vec<String>), MemoryError> {
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    if let Ok(file) = serde_json::from_str::<KnowledgeFile>(text) {
        return Ok(parse_knowledge(file));
    }
    let mut items = Vec::new();
    let mut refused = Vec::new();
    for (number, line) in (1_u64..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str(line) {
            Ok(item) => items.push(item),
            Err(error) if items.is_empty() => {
                return Err(MemoryError::Line { line: number, message: reason(&error) });
            }
            Err(error) => refused.push(format!("line {number}: {}", reason(&error))),
        }
    }
    Ok((items, refused))
}

fn parse_knowledge(file: KnowledgeFile) -> (Vec<Incoming>, Vec<String>) {
    let mut items = Vec::new();
    let mut refused = Vec::new();
    for (number, value) in (1..).zip(file.items) {
        match serde_json::from_value(value) {
            Ok(item) => items.push(item),
            Err(error) => refused.push(format!("item {number}: {}", reason(&error))),
        }
    }
    (items, refused)
}

/// serde's words without its own count of lines, which is always 1 here.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

impl Incoming {
    /// Names it in a message: its id, or how it begins.
    fn name(&self) -> String {
        match &self.id {
            Some(IdText::Text(id)) => format!("`{id}`"),
            Some(IdText::Number(id)) => format!("`{id}`"),
            None => format!("`{}…`", self.content.chars().take(40).collect::<String>()),
        }
    }

    /// A checked row. `source` is what a file without the field came from.
    fn into_arrival(self, source: &str) -> Result<Arrival, MemoryError> {
        let time = |what: &str, text: Option<&String>| match text {
            None => Ok(None),
            Some(text) => moment::parse(text).map(Some).ok_or_else(|| {
                MemoryError::Invalid(format!("`{text}` in `{what}` is not a date and time"))
            }),
        };
        let created = time("created_at", self.created_at.as_ref())?;
        let updated = time("updated_at", self.updated_at.as_ref())?;
        let dated = created.is_some() || updated.is_some();
        let created_at = created.or(updated).unwrap_or_else(moment::now);
        let record = Record {
            id: match self.id {
                Some(IdText::Text(id)) => id,
                Some(IdText::Number(id)) => id.to_string(),
                None => id_of(&self.content),
            },
            content: self.content,
            category: self.category.unwrap_or_else(|| item::DEFAULT_CATEGORY.to_owned()),
            tags: self.tags.unwrap_or_default(),
            source: self.source.unwrap_or_else(|| source.to_owned()),
            confidence: self.confidence.unwrap_or(1.0),
            trust: self.trust.unwrap_or(Trust::Person),
            provenance: self.provenance,
            created_at,
            updated_at: updated.unwrap_or(created_at),
        };
        Ok(Arrival { record: record.checked()?, dated })
    }
}

/// The same content has the same id: the first half of its SHA-256 as a UUID of version 8.
fn id_of(content: &str) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Sha256::digest(content.as_bytes())[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

/// Checked items, ready to be written in batches.
pub(in crate::memory) fn arrivals(
    items: Vec<Incoming>,
    source: &str,
    refused: &mut Vec<String>,
) -> Vec<Arrival> {
    let mut arrivals = Vec::with_capacity(items.len());
    for incoming in items {
        let name = incoming.name();
        match incoming.into_arrival(source) {
            Ok(arrival) => arrivals.push(arrival),
            Err(error) => refused.push(format!("item {name}: {error}")),
        }
    }
    arrivals
}

/// Writes rows whose id is new or which are newer than what is there.
pub(in crate::memory) fn store(
    transaction: &Transaction<'_>,
    arrivals: &[Arrival],
) -> Result<ImportReport, Failure> {
    let mut report = ImportReport::default();
    let mut known = transaction.prepare_cached("SELECT updated_at FROM items WHERE id = ?1")?;
    for Arrival { record, dated } in arrivals {
        let there = {
            let mut rows = known.query([&record.id])?;
            rows.next()?.map(|row| row.get::<_, i64>(0)).transpose()?
        };
        match there {
            None => {
                item::insert(transaction, record)?;
                report.added += 1;
            }
            Some(at) if *dated && at < record.updated_at => {
                item::replace(transaction, record)?;
                report.updated += 1;
            }
            Some(_) => report.unchanged += 1,
        }
    }
    Ok(report)
}

#[cfg(test)]
#[path = "import_tests.rs"]
mod tests;
