//! Looks for damage: in SQLite's own structures, and in what must agree across tables.
//!
//! Only reads. Mending is `restore`'s business.

use rusqlite::Connection;
use rusqlite::ErrorCode;
use serde::Serialize;

use super::migrations;
use super::store::Store;
use crate::memory::error::MemoryError;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    pub ok: bool,
    /// One line each.
    pub problems: Vec<String>,
    pub items: u64,
    pub sessions: u64,
    /// SQLite's version and source id.
    pub sqlite: String,
}

/// Problems after this many are not listed: they repeat themselves.
const MAX_PROBLEMS: usize = 20;

/// Checks the database of a store. What keeps it from being opened is a finding, unless waiting or
/// another program would help.
pub(in crate::memory) fn run(store: &mut Store) -> Result<CheckReport, MemoryError> {
    // Comparing the full-text index needs a connection that may write.
    let found = match store.read(|_| Ok(())) {
        Ok(None) => return Ok(CheckReport { ok: true, ..CheckReport::default() }),
        Ok(Some(())) => store.alone(|connection| Ok(check(connection))),
        Err(error) => Err(error),
    };
    match found {
        Err(MemoryError::ReadOnly { .. }) => {
            let found = store.read(|connection| Ok(check(connection)))?;
            Ok(found.unwrap_or_default())
        }
        Err(
            error @ (MemoryError::Damaged { .. }
            | MemoryError::NotADatabase { .. }
            | MemoryError::Sql { .. }
            | MemoryError::ForeignMigration { .. }),
        ) => {
            let problems = vec![error.to_string()];
            Ok(CheckReport { problems, ..CheckReport::default() })
        }
        other => other,
    }
}

/// Runs every check. An error that SQLite raises while looking is itself a problem, not a failure.
pub(super) fn check(connection: &Connection) -> CheckReport {
    let mut report = CheckReport { sqlite: sqlite_version(connection), ..CheckReport::default() };
    for run in [integrity, foreign_keys, agreement] {
        match run(connection) {
            Ok(problems) => report.problems.extend(problems),
            Err(error) => report.problems.push(error.to_string()),
        }
    }
    report.problems.extend(words(connection));
    match count(connection) {
        Ok((items, sessions)) => (report.items, report.sessions) = (items, sessions),
        Err(error) => report.problems.push(error.to_string()),
    }
    report.problems.dedup();
    report.problems.truncate(MAX_PROBLEMS);
    report.ok = report.problems.is_empty();
    report
}

/// `3.54.1 (2026-10-16 …)`.
fn sqlite_version(connection: &Connection) -> String {
    connection
        .query_row("SELECT sqlite_version() || ' (' || sqlite_source_id() || ')'", [], |row| {
            row.get(0)
        })
        .unwrap_or_default()
}

fn integrity(connection: &Connection) -> Result<Vec<String>, rusqlite::Error> {
    let mut statement = connection.prepare("PRAGMA integrity_check(20)")?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    let lines = rows.collect::<Result<Vec<_>, _>>()?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
}

fn foreign_keys(connection: &Connection) -> Result<Vec<String>, rusqlite::Error> {
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let rows = statement.query_map([], |row| {
        let table: String = row.get(0)?;
        let row_id: Option<i64> = row.get(1)?;
        let parent: String = row.get(2)?;
        Ok(format!(
            "row {} of `{table}` points to a missing row of `{parent}`",
            row_id.unwrap_or(0)
        ))
    })?;
    rows.collect()
}

/// The full-text index against its own structure and against the items. FTS5 wants this as an
/// insert; it writes nothing.
fn words(connection: &Connection) -> Option<String> {
    let sql = "INSERT INTO item_words (item_words, rank) VALUES ('integrity-check', 1)";
    match connection.execute(sql, []) {
        Ok(_) => None,
        // A database that cannot be written: SQLite's own check has looked at the index's structure.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ReadOnly) => None,
        Err(error) => Some(format!("the full-text index does not agree with the items: {error}")),
    }
}

/// What our own code keeps in step.
fn agreement(connection: &Connection) -> Result<Vec<String>, rusqlite::Error> {
    let mut problems = Vec::new();
    let strays: i64 = connection.query_row(
        "SELECT count(*) FROM (\
           SELECT seq, value FROM items, json_each(items.tags) EXCEPT SELECT item, tag FROM item_tags\
         ) ",
        [],
        |row| row.get(0),
    )?;
    let extra: i64 = connection.query_row(
        "SELECT count(*) FROM (\
           SELECT item, tag FROM item_tags EXCEPT SELECT seq, value FROM items, json_each(items.tags)\
         )",
        [],
        |row| row.get(0),
    )?;
    if strays + extra > 0 {
        problems.push(format!("{} tags do not agree with their items", strays + extra));
    }
    let gaps: i64 = connection.query_row(
        "SELECT count(*) FROM (SELECT session FROM session_messages GROUP BY session \
         HAVING count(*) <> max(position) + 1)",
        [],
        |row| row.get(0),
    )?;
    if gaps > 0 {
        problems.push(format!("{gaps} sessions lack messages"));
    }
    let recorded: i64 =
        connection.query_row("SELECT count(*) FROM migrations", [], |row| row.get(0))?;
    if recorded != migrations::LATEST {
        problems
            .push(format!("{recorded} migrations are recorded, {} expected", migrations::LATEST));
    }
    Ok(problems)
}

fn count(connection: &Connection) -> Result<(u64, u64), rusqlite::Error> {
    connection.query_row(
        "SELECT (SELECT count(*) FROM items), (SELECT count(*) FROM sessions)",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}
