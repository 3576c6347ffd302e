//! Forgetting for good: after this the bytes are in no page of the database and in no log.
//!
//! A deleted row is overwritten with zeros as it goes (`secure_delete`), and its words leave the
//! full-text index (`secure-delete` of FTS5). What remains are copies that page splits left in the
//! gaps of pages; rebuilding the file drops those. Then the write-ahead log is emptied, since it
//! holds older states of pages. Copies outside this file (backups, snapshots of a file system, the
//! flash cells below) are beyond reach; docs/memory.md says so.

use super::store::Store;
use crate::memory::error::MemoryError;

/// Rebuilds the file and empties the log.
pub(in crate::memory) fn purge(store: &mut Store) -> Result<(), MemoryError> {
    store.alone(|connection| {
        connection.execute("INSERT INTO item_words (item_words) VALUES ('optimize')", [])?;
        connection.execute_batch("VACUUM")?;
        Ok(())
    })?;
    let path = store.path().to_path_buf();
    let emptied = store.alone(|connection| {
        // A row of: was blocked, pages in the log, pages moved. Without a log both are -1.
        Ok(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
            Ok(row.get::<_, i64>(0)? == 0)
        })?)
    })?;
    if emptied { Ok(()) } else { Err(MemoryError::NotPurged { path }) }
}

#[cfg(test)]
#[path = "purge_tests.rs"]
mod tests;
