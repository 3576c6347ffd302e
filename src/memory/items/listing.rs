//! Lists and counts of what is remembered.

use rusqlite::Connection;
use rusqlite::types::Value;
use serde::Serialize;

use super::item;
use super::item::Item;
use crate::memory::database::migrations;
use crate::memory::search::rank;

/// Which items to list; newest change first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    pub limit: usize,
    /// Leaves out so many first.
    pub offset: usize,
    /// Exactly this category.
    pub category: Option<String>,
    /// All of these tags.
    pub tags: Vec<String>,
}

impl Default for ListQuery {
    fn default() -> Self {
        Self { limit: usize::MAX, offset: 0, category: None, tags: Vec::new() }
    }
}

/// A name and how many items bear it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Count {
    pub name: String,
    pub items: u64,
}

/// The database in numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Stats {
    pub items: u64,
    pub sessions: u64,
    pub messages: u64,
    /// Most frequent first.
    pub categories: Vec<Count>,
    /// Most frequent first.
    pub tags: Vec<Count>,
    /// Bytes of the database without its write-ahead log.
    pub size: u64,
    /// Of these, free for later use.
    pub free: u64,
    /// Number of the last migration; 0 where there is no database.
    pub version: i64,
    /// RFC 3339, UTC, of the oldest and the newest change.
    pub oldest: Option<String>,
    pub newest: Option<String>,
}

/// The items, newest change first.
pub(in crate::memory) fn list(
    connection: &Connection,
    query: &ListQuery,
) -> Result<Vec<Item>, rusqlite::Error> {
    let mut sql = format!("SELECT {} FROM items WHERE true", item::COLUMNS);
    let mut values: Vec<Value> = Vec::new();
    rank::push_filters(&mut sql, &mut values, query.category.as_deref(), &query.tags);
    sql.push_str(" ORDER BY items.updated_at DESC, items.seq DESC LIMIT ? OFFSET ?");
    values.push(rank::limit_value(query.limit));
    values.push(rank::limit_value(query.offset));
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map(rusqlite::params_from_iter(values), item::from_row)?;
    rows.collect()
}

/// Counts everything.
pub(in crate::memory) fn stats(connection: &Connection) -> Result<Stats, rusqlite::Error> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u64>(0));
    let page: u64 = number("PRAGMA page_size")?;
    let time = |sql: &str| {
        connection
            .query_row(sql, [], |row| row.get::<_, Option<i64>>(0))
            .map(|at| at.map(crate::memory::moment::text))
    };
    Ok(Stats {
        items: number("SELECT count(*) FROM items")?,
        sessions: number("SELECT count(*) FROM sessions")?,
        messages: number("SELECT count(*) FROM session_messages")?,
        categories: counts(
            connection,
            "SELECT category, count(*) FROM items GROUP BY 1 ORDER BY 2 DESC, 1",
        )?,
        tags: counts(
            connection,
            "SELECT tag, count(*) FROM item_tags GROUP BY 1 ORDER BY 2 DESC, 1",
        )?,
        size: number("PRAGMA page_count")? * page,
        free: number("PRAGMA freelist_count")? * page,
        version: migrations::LATEST,
        oldest: time("SELECT min(updated_at) FROM items")?,
        newest: time("SELECT max(updated_at) FROM items")?,
    })
}

fn counts(connection: &Connection, sql: &str) -> Result<Vec<Count>, rusqlite::Error> {
    let mut statement = connection.prepare(sql)?;
    let rows =
        statement.query_map([], |row| Ok(Count { name: row.get(0)?, items: row.get(1)? }))?;
    rows.collect()
}
