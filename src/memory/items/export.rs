//! Hands out every item, oldest first, in batches of one snapshot.

use rusqlite::Connection;

use super::item;
use super::item::Item;

/// Items per batch: enough to be quick, few enough to hold.
const BATCH: usize = 256;

/// Calls `sink` with batch after batch until it returns false. Oldest first, so that importing the
/// export keeps the order.
pub(in crate::memory) fn items(
    connection: &Connection,
    mut sink: impl FnMut(Vec<Item>) -> bool,
) -> Result<(), rusqlite::Error> {
    let mut statement =
        connection.prepare(&format!("SELECT {} FROM items ORDER BY seq", item::COLUMNS))?;
    let mut rows = statement.query_map([], item::from_row)?;
    loop {
        let batch = rows.by_ref().take(BATCH).collect::<Result<Vec<_>, _>>()?;
        if batch.is_empty() || !sink(batch) {
            return Ok(());
        }
    }
}
