//! Conversations: who said what, in order, so that a run can go on where another ended.
//!
//! A session has a row from its first message on; starting one writes nothing. Messages are kept as
//! the JSON of `protocol::Message` and only ever added at the end.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::params;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::error::Failure;
use super::error::MemoryError;
use super::moment;
use crate::memory::items::item::json;
use crate::memory::items::item::to_json;
use crate::memory::search::rank;
use crate::protocol::Message;

/// Characters of a session's title.
const MAX_TITLE: usize = 200;

/// A conversation that has begun, stored or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub id: String,
    /// The beginning of the first task.
    pub title: String,
    /// `provider/name`.
    pub model: String,
    /// The directory it was started in.
    pub cwd: String,
    /// RFC 3339, UTC.
    pub created_at: String,
}

impl Session {
    /// A new conversation with an id of its own; nothing is stored before its first message.
    pub fn new(title: &str, model: impl Into<String>, cwd: impl Into<String>) -> Self {
        Self::with_id(Uuid::now_v7().to_string(), title, model, cwd)
    }

    /// A new conversation under an id that the caller chose.
    pub fn with_id(
        id: impl Into<String>,
        title: &str,
        model: impl Into<String>,
        cwd: impl Into<String>,
    ) -> Self {
        let line = title.split_whitespace().collect::<Vec<_>>().join(" ");
        Self {
            id: id.into(),
            title: line.chars().take(MAX_TITLE).collect(),
            model: model.into(),
            cwd: cwd.into(),
            created_at: moment::text(moment::now()),
        }
    }
}

/// A stored session in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionSummary {
    #[serde(flatten)]
    pub session: Session,
    pub updated_at: String,
    pub messages: u64,
}

/// A message as it was stored.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoredMessage {
    /// Counts from 0 without gaps.
    pub position: u64,
    /// RFC 3339, UTC.
    pub said_at: String,
    #[serde(flatten)]
    pub message: Message,
}

/// A whole stored session.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Conversation {
    #[serde(flatten)]
    pub summary: SessionSummary,
    pub log: Vec<StoredMessage>,
}

/// Adds messages and events at the end; stores the session itself where it is new.
pub(super) fn append(
    transaction: &Transaction<'_>,
    session: &Session,
    messages: &[Message],
    events: &[Value],
) -> Result<(), Failure> {
    if session.id.is_empty() || session.id.chars().any(char::is_control) {
        return Err(MemoryError::Invalid(format!("`{}` is not a session id", session.id)).into());
    }
    let now = moment::now();
    let created_at = moment::parse(&session.created_at).unwrap_or(now);
    let row: i64 = transaction
        .prepare_cached(
            "INSERT INTO sessions (id, title, model, cwd, created_at, updated_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
             ON CONFLICT (id) DO UPDATE SET model = ?3, updated_at = ?6 RETURNING seq",
        )?
        .query_row(
            params![session.id, session.title, session.model, session.cwd, created_at, now],
            |row| row.get(0),
        )?;
    let first = next_position(transaction, "session_messages", row)?;
    for (position, message) in (first..).zip(messages) {
        transaction
            .prepare_cached(
                "INSERT INTO session_messages (session, position, role, body, said_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![row, position, role(message), to_json(message)?, now])?;
    }
    if events.is_empty() {
        return Ok(());
    }
    let first = next_position(transaction, "session_events", row)?;
    for (position, event) in (first..).zip(events) {
        transaction
            .prepare_cached(
                "INSERT INTO session_events (session, position, body) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![row, position, to_json(event)?])?;
    }
    Ok(())
}

fn next_position(
    transaction: &Transaction<'_>,
    table: &str,
    session: i64,
) -> Result<i64, rusqlite::Error> {
    transaction
        .prepare_cached(&format!(
            "SELECT coalesce(max(position) + 1, 0) FROM {table} WHERE session = ?1"
        ))?
        .query_row([session], |row| row.get(0))
}

fn role(message: &Message) -> &'static str {
    match message.role {
        crate::protocol::Role::User => "user",
        crate::protocol::Role::Assistant => "assistant",
        crate::protocol::Role::Tool => "tool",
    }
}

const SUMMARY: &str = "SELECT id, title, model, cwd, created_at, updated_at, \
     (SELECT count(*) FROM session_messages WHERE session = sessions.seq) FROM sessions";

fn summary_from_row(row: &Row<'_>) -> Result<SessionSummary, rusqlite::Error> {
    Ok(SessionSummary {
        session: Session {
            id: row.get(0)?,
            title: row.get(1)?,
            model: row.get(2)?,
            cwd: row.get(3)?,
            created_at: moment::text(row.get(4)?),
        },
        updated_at: moment::text(row.get(5)?),
        messages: row.get(6)?,
    })
}

/// The sessions, last used first.
pub(super) fn list(
    connection: &Connection,
    limit: usize,
) -> Result<Vec<SessionSummary>, rusqlite::Error> {
    let mut statement =
        connection.prepare(&format!("{SUMMARY} ORDER BY updated_at DESC, seq DESC LIMIT ?1"))?;
    let rows = statement.query_map([rank::limit_value(limit)], summary_from_row)?;
    rows.collect()
}

/// The session used last, in `cwd` where one is given.
pub(super) fn last(
    connection: &Connection,
    cwd: Option<&str>,
) -> Result<Option<SessionSummary>, rusqlite::Error> {
    connection
        .query_row(
            &format!(
                "{SUMMARY} WHERE ?1 IS NULL OR cwd = ?1 ORDER BY updated_at DESC, seq DESC LIMIT 1"
            ),
            [cwd],
            summary_from_row,
        )
        .optional()
}

/// A session and all its messages.
pub(super) fn show(
    connection: &Connection,
    id: &str,
) -> Result<Option<Conversation>, rusqlite::Error> {
    let summary = connection
        .query_row(&format!("{SUMMARY} WHERE id = ?1"), [id], summary_from_row)
        .optional()?;
    let Some(summary) = summary else { return Ok(None) };
    let mut statement = connection.prepare(
        "SELECT position, said_at, body FROM session_messages \
         WHERE session = (SELECT seq FROM sessions WHERE id = ?1) ORDER BY position",
    )?;
    let rows = statement.query_map([id], |row| {
        let body: String = row.get(2)?;
        Ok(StoredMessage {
            position: row.get(0)?,
            said_at: moment::text(row.get(1)?),
            message: json(2, &body)?,
        })
    })?;
    let log = rows.collect::<Result<Vec<_>, _>>()?;
    Ok(Some(Conversation { summary, log }))
}

/// The events of a session, in order.
pub(super) fn events(connection: &Connection, id: &str) -> Result<Vec<Value>, rusqlite::Error> {
    let mut statement = connection.prepare(
        "SELECT body FROM session_events \
         WHERE session = (SELECT seq FROM sessions WHERE id = ?1) ORDER BY position",
    )?;
    let rows = statement.query_map([id], |row| {
        let body: String = row.get(0)?;
        json(0, &body)
    })?;
    rows.collect()
}

/// Deletes a session and all that belongs to it; false where there is none of that id.
pub(super) fn delete(transaction: &Transaction<'_>, id: &str) -> Result<bool, rusqlite::Error> {
    Ok(transaction.execute("DELETE FROM sessions WHERE id = ?1", [id])? > 0)
}
