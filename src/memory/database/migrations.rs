//! Brings a database to the version this program knows, one numbered step at a time.
//!
//! Each step runs in one transaction together with its number and the hash of its text, so that a
//! crash leaves either the old or the new version. Steps are append-only: the text of a released
//! step never changes (a test holds the hashes). Nothing here opens or creates files but the backup
//! that is taken before an existing database is changed.

use std::path::Path;
use std::path::PathBuf;

use rusqlite::Connection;
use rusqlite::Transaction;
use rusqlite::TransactionBehavior;
use rusqlite::params;
use sha2::Digest;
use sha2::Sha256;

use super::file;
use crate::memory::error::Failure;
use crate::memory::error::MemoryError;
use crate::memory::moment;
use crate::protocol::hex;

/// `PRAGMA application_id` of our databases: the letters `agia`.
pub(super) const APPLICATION_ID: i64 = 0x6167_6961;

/// One step; its number is its place in [`ALL`], counted from 1.
struct Migration {
    name: &'static str,
    sql: &'static str,
}

const ALL: &[Migration] =
    &[Migration { name: "items and sessions", sql: include_str!("schema_1.sql") }];

/// The version that [`migrate`] leads to.
pub(in crate::memory) const LATEST: i64 = {
    assert!(ALL.len() < 10_000);
    #[expect(clippy::cast_possible_wrap, reason = "bounded by the assertion above")]
    {
        ALL.len() as i64
    }
};

/// What the header of an opened database says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// No table, no version: as good as absent.
    Empty,
    /// Ours, up to date.
    Current,
    /// Ours, older: the version found.
    Older(i64),
}

/// Reads application id and version; refuses what is newer or not ours.
pub(super) fn standing(connection: &Connection, path: &Path) -> Result<Standing, Failure> {
    // Both of one moment: another process may be making the database between two reads.
    let moment = connection.is_autocommit().then(|| connection.unchecked_transaction());
    let _moment = moment.transpose()?;
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let version = pragma("user_version")?;
    let application = pragma("application_id")?;
    if application != APPLICATION_ID {
        let tables: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        return if application == 0 && version == 0 && tables == 0 {
            Ok(Standing::Empty)
        } else {
            Err(MemoryError::NotOurs { path: path.to_path_buf(), found: application }.into())
        };
    }
    if version == LATEST {
        Ok(Standing::Current)
    } else if (1..LATEST).contains(&version) {
        Ok(Standing::Older(version))
    } else {
        Err(MemoryError::Newer { path: path.to_path_buf(), found: version, known: LATEST }.into())
    }
}

/// Runs the steps that are missing. Safe when many processes do it at once: the first one that gets
/// the write lock does the work, the others find it done.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), rusqlite::Error> {
    run(connection, path, ALL)
}

fn run(
    connection: &mut Connection,
    path: &Path,
    steps: &[Migration],
) -> Result<(), rusqlite::Error> {
    for (number, migration) in (1..).zip(steps) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: i64 =
            transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version < number {
            apply(&transaction, number, migration)?;
            transaction.commit()?;
            tracing::debug!(path = %path.display(), number, "memory migrated");
        }
    }
    Ok(())
}

fn apply(
    transaction: &Transaction<'_>,
    number: i64,
    migration: &Migration,
) -> Result<(), rusqlite::Error> {
    transaction.execute_batch(migration.sql)?;
    transaction.execute(
        "INSERT INTO migrations (number, name, sha256, applied_at) VALUES (?1, ?2, ?3, ?4)",
        params![number, migration.name, hash(migration.sql), moment::now()],
    )?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", number)
}

/// Compares the recorded hashes with our own: the schema under us must be the one we think it is.
pub(super) fn verify(connection: &Connection, path: &Path) -> Result<(), Failure> {
    let mut statement =
        connection.prepare("SELECT number, sha256 FROM migrations ORDER BY number")?;
    let rows =
        statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    for row in rows {
        let (number, recorded) = row?;
        let ours = usize::try_from(number - 1).ok().and_then(|index| ALL.get(index));
        if ours.is_none_or(|migration| hash(migration.sql) != recorded) {
            return Err(MemoryError::ForeignMigration { path: path.to_path_buf(), number }.into());
        }
    }
    Ok(())
}

/// A whole copy beside the database, taken before an older one is migrated.
pub(super) fn backup_before(
    connection: &Connection,
    path: &Path,
    version: i64,
) -> Result<PathBuf, Failure> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".v{version}-{}.backup", moment::stamp(moment::now())));
    let target = path.with_file_name(name);
    file::vacuum_into(connection, &target)?;
    Ok(target)
}

fn hash(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
#[path = "migrations_tests.rs"]
mod tests;
