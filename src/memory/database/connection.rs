//! Opening the database: each connection with the settings that `docs/memory.md` explains.
//!
//! A connection that reads touches nothing; one that writes makes the file and brings it up to date. What
//! runs on them, and how long a lock is waited for, is the store's.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::config::DbConfig;

use super::file;
use super::migrations;
use super::migrations::Standing;
use crate::memory::error::Failure;
use crate::memory::error::MemoryError;

/// SQLite's own wait within one attempt; the store's goes on after it.
const ATTEMPT: Duration = Duration::from_millis(250);

/// A connection that cannot write. `None` where there is no file.
pub(super) fn to_read(path: &Path) -> Result<Option<Connection>, Failure> {
    if !file::exists(path)? {
        return Ok(None);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)
        .map_err(|error| MemoryError::from_sql(path, error))?;
    // The first read is what finds out whether the write-ahead log can be used.
    let first = harden(&connection).and_then(|()| {
        connection.pragma_query_value(None, "schema_version", |row| row.get::<_, i64>(0))
    });
    match first {
        Ok(_) => Ok(Some(connection)),
        Err(error) if needs_write_access(&error) => frozen(path, error).map(Some),
        Err(error) => Err(error.into()),
    }
}

/// A directory that we may not write, and no log in it: nobody can be writing here, so the file
/// is read as it stands.
fn frozen(path: &Path, error: rusqlite::Error) -> Result<Connection, Failure> {
    let log = std::fs::metadata(file::with_suffix(path, "-wal")).map_or(0, |log| log.len());
    if log > 0 {
        return Err(error.into());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let mut uri = url::Url::from_file_path(path).map_err(|()| error)?;
    uri.set_query(Some("immutable=1"));
    let connection = Connection::open_with_flags(uri.as_str(), flags)?;
    harden(&connection)?;
    Ok(connection)
}

fn needs_write_access(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::ReadOnly)
    )
}

/// A connection that may write; makes the file where there is none, and brings an old one up to date.
pub(super) fn to_write(path: &Path) -> Result<Connection, Failure> {
    file::create(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)
        .map_err(|error| MemoryError::from_sql(path, error))?;
    harden(&connection)?;
    let standing = migrations::standing(&connection, path)?;
    if connection.is_readonly(rusqlite::MAIN_DB)? {
        let detail = "the file is read-only".to_owned();
        return Err(MemoryError::ReadOnly { path: path.to_path_buf(), detail }.into());
    }
    set_journal(&connection, path)?;
    if let Standing::Older(version) = standing {
        let backup = migrations::backup_before(&connection, path, version)?;
        tracing::info!(backup = %backup.display(), version, "memory backed up before migration");
    }
    if standing != Standing::Current {
        migrations::migrate(&mut connection, path)?;
    }
    migrations::verify(&connection, path)?;
    Ok(connection)
}

/// A database that nothing outlives.
pub(super) fn in_memory() -> Result<Connection, Failure> {
    let mut connection = Connection::open_in_memory()?;
    harden(&connection)?;
    migrations::migrate(&mut connection, Path::new("<memory>"))?;
    Ok(connection)
}

/// Settings that each connection gets; none of them touches the file.
fn harden(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(ATTEMPT)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)?;
    // Else a statement is compiled anew for each value that it is given, since the plan might differ.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.execute_batch(
        "PRAGMA cell_size_check = ON;
         PRAGMA mmap_size = 0;
         PRAGMA synchronous = FULL;
         PRAGMA secure_delete = ON;
         PRAGMA temp_store = MEMORY;",
    )
}

/// WAL where its shared memory works; the old journal on network file systems.
fn set_journal(connection: &Connection, path: &Path) -> Result<(), rusqlite::Error> {
    let wanted = if file::is_on_network(path) { "delete" } else { "wal" };
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if mode != wanted {
        connection.pragma_update_and_check(None, "journal_mode", wanted, |_| Ok(()))?;
    }
    connection.execute_batch("PRAGMA journal_size_limit = 4194304")
}
