//! One thing worth remembering: its fields, what may be stored in them, and its rows.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::params;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::memory::error::Failure;
use crate::memory::error::MemoryError;
use crate::memory::moment;
use crate::memory::search::grams;

/// Where nothing else was said.
pub(super) const DEFAULT_CATEGORY: &str = "general";

/// Bytes of one item's content.
pub const MAX_CONTENT: usize = 1 << 20;

/// Characters of an id, a category, a tag or a source.
const MAX_NAME: usize = 200;

/// Tags of one item.
const MAX_TAGS: usize = 64;

/// Whose word an item is. Text from the network or from foreign files stays marked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// A person typed or imported it.
    Person,
    /// A model concluded it.
    #[default]
    Agent,
    /// Derived from text that nobody here vouches for.
    Untrusted,
}

impl Trust {
    fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Agent => "agent",
            Self::Untrusted => "untrusted",
        }
    }

    fn from_column(text: &str) -> Self {
        match text {
            "person" => Self::Person,
            "agent" => Self::Agent,
            _ => Self::Untrusted,
        }
    }
}

/// What is asked to be remembered; `memory add --jsonl` reads one per line.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewItem {
    pub content: String,
    #[serde(default)]
    pub category: Option<String>,
    #[serde(default)]
    pub tags: Vec<String>,
    /// Who or what said it: `cli`, `agent`, a file name, a URL.
    #[serde(default)]
    pub source: Option<String>,
    /// 0 to 1; 1 where nothing is said.
    #[serde(default)]
    pub confidence: Option<f64>,
    #[serde(default)]
    pub trust: Option<Trust>,
    /// Anything that says where it came from: session, tool, address.
    #[serde(default)]
    pub provenance: Option<Value>,
}

impl NewItem {
    /// Whether it can be stored, without storing it.
    pub fn check(&self) -> Result<(), MemoryError> {
        Record::of(self.clone()).map(drop)
    }

    /// An item of the default category.
    pub fn new(content: impl Into<String>) -> Self {
        Self {
            content: content.into(),
            category: None,
            tags: Vec::new(),
            source: None,
            confidence: None,
            trust: None,
            provenance: None,
        }
    }
}

/// A remembered item. Times are RFC 3339, UTC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Item {
    pub id: String,
    pub content: String,
    pub category: String,
    pub tags: Vec<String>,
    pub source: String,
    pub confidence: f64,
    pub trust: Trust,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Value>,
    pub created_at: String,
    pub updated_at: String,
}

/// What to change of an item; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ItemChange {
    pub content: Option<String>,
    pub category: Option<String>,
    pub tags: Option<Vec<String>>,
    pub confidence: Option<f64>,
}

/// A checked row, times in microseconds.
pub(in crate::memory) struct Record {
    pub(super) id: String,
    pub(super) content: String,
    pub(super) category: String,
    pub(super) tags: Vec<String>,
    pub(super) source: String,
    pub(super) confidence: f64,
    pub(super) trust: Trust,
    pub(super) provenance: Option<Value>,
    pub(super) created_at: i64,
    pub(in crate::memory) updated_at: i64,
}

impl Record {
    /// A new item as of now, with a new id.
    pub(in crate::memory) fn of(new: NewItem) -> Result<Self, MemoryError> {
        let now = moment::now();
        Self {
            id: Uuid::now_v7().to_string(),
            content: new.content,
            category: new.category.unwrap_or_else(|| DEFAULT_CATEGORY.to_owned()),
            tags: new.tags,
            source: new.source.unwrap_or_else(|| "agent".to_owned()),
            confidence: new.confidence.unwrap_or(1.0),
            trust: new.trust.unwrap_or_default(),
            provenance: new.provenance,
            created_at: now,
            updated_at: now,
        }
        .checked()
    }

    /// Trims names, drops repeated tags, refuses what must not be stored.
    pub(super) fn checked(mut self) -> Result<Self, MemoryError> {
        check_content(&self.content)?;
        self.id = name("id", &self.id)?;
        self.category = name("category", &self.category)?;
        self.source = name("source", &self.source)?;
        self.tags = checked_tags(&self.tags)?;
        check_confidence(self.confidence)?;
        Ok(self)
    }

    /// What readers of the database get to see.
    pub(in crate::memory) fn into_item(self) -> Item {
        Item {
            id: self.id,
            content: self.content,
            category: self.category,
            tags: self.tags,
            source: self.source,
            confidence: self.confidence,
            trust: self.trust,
            provenance: self.provenance,
            created_at: moment::text(self.created_at),
            updated_at: moment::text(self.updated_at),
        }
    }
}

fn invalid(message: String) -> MemoryError {
    MemoryError::Invalid(message)
}

fn check_content(content: &str) -> Result<(), MemoryError> {
    if content.trim().is_empty() {
        return Err(invalid("an item needs content".to_owned()));
    }
    if content.len() > MAX_CONTENT {
        let size = content.len();
        return Err(invalid(format!("content has {size} bytes, at most {MAX_CONTENT} are kept")));
    }
    if content.contains('\0') {
        return Err(invalid("content must not contain a NUL character".to_owned()));
    }
    Ok(())
}

fn check_confidence(confidence: f64) -> Result<(), MemoryError> {
    if (0.0..=1.0).contains(&confidence) {
        Ok(())
    } else {
        Err(invalid(format!("confidence must be between 0 and 1, not `{confidence}`")))
    }
}

fn name(what: &str, text: &str) -> Result<String, MemoryError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(invalid(format!("{what} must not be empty")));
    }
    if text.chars().count() > MAX_NAME {
        return Err(invalid(format!("{what} has more than {MAX_NAME} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(invalid(format!("{what} must not contain control characters")));
    }
    Ok(text.to_owned())
}

fn checked_tags(tags: &[String]) -> Result<Vec<String>, MemoryError> {
    let mut checked = Vec::with_capacity(tags.len());
    for tag in tags {
        let tag = name("tag", tag)?;
        if !checked.contains(&tag) {
            checked.push(tag);
        }
    }
    if checked.len() > MAX_TAGS {
        return Err(invalid(format!("{} tags, at most {MAX_TAGS} are kept", checked.len())));
    }
    Ok(checked)
}

/// The columns that [`from_row`] reads, in its order.
pub(in crate::memory) const COLUMNS: &str = "items.id, items.content, items.category, items.tags, \
     items.source, items.confidence, items.trust, items.provenance, items.created_at, \
     items.updated_at";

/// Reads a row of [`COLUMNS`].
pub(in crate::memory) fn from_row(row: &Row<'_>) -> Result<Item, rusqlite::Error> {
    let tags: String = row.get(3)?;
    let trust: String = row.get(6)?;
    let provenance: Option<String> = row.get(7)?;
    let record = Record {
        id: row.get(0)?,
        content: row.get(1)?,
        category: row.get(2)?,
        tags: json(3, &tags)?,
        source: row.get(4)?,
        confidence: row.get(5)?,
        trust: Trust::from_column(&trust),
        provenance: provenance.map(|text| json(7, &text)).transpose()?,
        created_at: row.get(8)?,
        updated_at: row.get(9)?,
    };
    Ok(record.into_item())
}

/// JSON of a column; what is not JSON there is a damaged row, and said as such.
pub(in crate::memory) fn json<T: serde::de::DeserializeOwned>(
    column: usize,
    text: &str,
) -> Result<T, rusqlite::Error> {
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Text,
            Box::new(error),
        )
    })
}

/// JSON text for a column.
pub(in crate::memory) fn to_json<T: Serialize>(value: &T) -> Result<String, rusqlite::Error> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// Inserts a row.
pub(in crate::memory) fn insert(
    transaction: &Transaction<'_>,
    record: &Record,
) -> Result<(), Failure> {
    let sql = "INSERT INTO items (id, content, category, tags, grams, source, confidence, trust, \
               provenance, created_at, updated_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    write(transaction, sql, record)
}

/// Writes every field of the row that has the record's id.
pub(super) fn replace(transaction: &Transaction<'_>, record: &Record) -> Result<(), Failure> {
    let sql = "UPDATE items SET content = ?2, category = ?3, tags = ?4, grams = ?5, source = ?6, \
               confidence = ?7, trust = ?8, provenance = ?9, created_at = ?10, updated_at = ?11 \
               WHERE id = ?1";
    write(transaction, sql, record)
}

/// Executes a statement with the columns of a record, in their order.
fn write(transaction: &Transaction<'_>, sql: &str, record: &Record) -> Result<(), Failure> {
    transaction.prepare_cached(sql)?.execute(params![
        record.id,
        record.content,
        record.category,
        to_json(&record.tags)?,
        grams::column(&record.content),
        record.source,
        record.confidence,
        record.trust.as_str(),
        record.provenance.as_ref().map(to_json).transpose()?,
        record.created_at,
        record.updated_at,
    ])?;
    Ok(())
}

/// The item of that id.
pub(in crate::memory) fn get(
    connection: &Connection,
    id: &str,
) -> Result<Option<Item>, rusqlite::Error> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM items WHERE id = ?1"))?
        .query_row([id], from_row)
        .optional()
}

/// Applies a change; the item as it is afterwards, `None` where there is none of that id.
pub(in crate::memory) fn update(
    transaction: &Transaction<'_>,
    id: &str,
    change: &ItemChange,
) -> Result<Option<Item>, Failure> {
    let Some(item) = get(transaction, id)? else { return Ok(None) };
    let created_at: i64 =
        transaction
            .query_row("SELECT created_at FROM items WHERE id = ?1", [id], |row| row.get(0))?;
    let record = Record {
        id: item.id,
        content: change.content.clone().unwrap_or(item.content),
        category: change.category.clone().unwrap_or(item.category),
        tags: change.tags.clone().unwrap_or(item.tags),
        source: item.source,
        confidence: change.confidence.unwrap_or(item.confidence),
        trust: item.trust,
        provenance: item.provenance,
        created_at,
        updated_at: moment::now(),
    }
    .checked()?;
    replace(transaction, &record)?;
    Ok(Some(record.into_item()))
}

/// Deletes one row; false where there is none of that id.
pub(in crate::memory) fn delete(
    transaction: &Transaction<'_>,
    id: &str,
) -> Result<bool, rusqlite::Error> {
    let rows = transaction.prepare_cached("DELETE FROM items WHERE id = ?1")?.execute([id])?;
    Ok(rows > 0)
}

#[cfg(test)]
#[path = "item_tests.rs"]
mod tests;
