//! Finds items by words, best first.
//!
//! Score: BM25 as FTS5 computes it (k1 = 1.2, b = 0.75), weights content 1, category 0.5, tags 2,
//! sign turned so that more is better. It has no upper bound and compares hits of one query only.
//! Equal scores: what changed last comes first. Filters apply before the limit, so a filtered search
//! never runs short while matching items exist.

use rusqlite::Connection;
use rusqlite::types::Value;
use serde::Serialize;

use super::query;
use super::query::Query;
use super::query::Term;
use crate::memory::items::item;
use crate::memory::items::item::Item;

/// An item and how well it fits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hit {
    #[serde(flatten)]
    pub item: Item,
    /// More is better; see the head of this file.
    pub score: f64,
}

/// Below this many items no word is too frequent to look at.
const SMALL: i64 = 1_000;

/// A word in more items than this is left out if a rarer one remains: ranking costs about a
/// microsecond per item that matches.
const FREQUENT: i64 = 20_000;

/// The best hits; empty when nothing fits, and when the text has no word.
pub(in crate::memory) fn search(
    connection: &Connection,
    query: &Query,
) -> Result<Vec<Hit>, rusqlite::Error> {
    let terms = query::terms(&query.text);
    if terms.is_empty() || query.limit == 0 {
        return Ok(Vec::new());
    }
    let chosen = without_frequent(connection, &terms)?;
    let hits = matching(connection, query, &chosen)?;
    if !hits.is_empty() {
        return Ok(hits);
    }
    // Nothing has these words: perhaps they are beginnings of words.
    let prefixes: Vec<String> = terms.iter().filter_map(Term::as_prefix).collect();
    if prefixes.is_empty() { Ok(hits) } else { matching(connection, query, &prefixes) }
}

/// The terms' expressions without the words that nearly every item has. Never leaves none.
fn without_frequent(
    connection: &Connection,
    terms: &[Term],
) -> Result<Vec<String>, rusqlite::Error> {
    let expressions: Vec<String> = terms.iter().map(Term::expression).collect();
    if expressions.len() < 2 {
        return Ok(expressions);
    }
    // The highest row number: at least the number of items, without counting them.
    let items: i64 =
        connection.query_row("SELECT coalesce(max(seq), 0) FROM items", [], |row| row.get(0))?;
    if items < SMALL {
        return Ok(expressions);
    }
    let limit = (items / 5).min(FREQUENT);
    let mut count = connection.prepare_cached(
        "SELECT count(*) FROM (SELECT 1 FROM item_words WHERE item_words MATCH ?1 LIMIT ?2)",
    )?;
    let mut rare = Vec::new();
    for expression in &expressions {
        let found: i64 = count.query_row((expression, limit + 1), |row| row.get(0))?;
        if found > 0 && found <= limit {
            rare.push(expression.clone());
        }
    }
    Ok(if rare.is_empty() { expressions } else { rare })
}

fn matching(
    connection: &Connection,
    query: &Query,
    expressions: &[String],
) -> Result<Vec<Hit>, rusqlite::Error> {
    // CROSS JOIN keeps the index the outer loop: the other order would ask it once per item.
    let mut sql = format!(
        "SELECT {}, -bm25(item_words, 1.0, 0.5, 2.0, 1.0) AS score \
         FROM item_words CROSS JOIN items ON items.seq = item_words.rowid \
         WHERE item_words MATCH ?",
        item::COLUMNS
    );
    let mut values = vec![Value::Text(query::any_of(expressions))];
    push_filters(&mut sql, &mut values, query.category.as_deref(), &query.tags);
    sql.push_str(" ORDER BY score DESC, items.updated_at DESC, items.seq DESC LIMIT ?");
    values.push(limit_value(query.limit));
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(rusqlite::params_from_iter(values), |row| {
        Ok(Hit { item: item::from_row(row)?, score: row.get(10)? })
    })?;
    rows.collect()
}

/// Adds exact conditions on category and tags.
pub(in crate::memory) fn push_filters(
    sql: &mut String,
    values: &mut Vec<Value>,
    category: Option<&str>,
    tags: &[String],
) {
    if let Some(category) = category {
        sql.push_str(" AND items.category = ?");
        values.push(Value::Text(category.to_owned()));
    }
    for tag in tags {
        sql.push_str(" AND EXISTS (SELECT 1 FROM item_tags WHERE tag = ? AND item = items.seq)");
        values.push(Value::Text(tag.clone()));
    }
}

/// A limit as SQLite takes it.
pub(in crate::memory) fn limit_value(limit: usize) -> Value {
    Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX))
}

#[cfg(test)]
#[path = "rank_tests.rs"]
mod tests;
