//! Copies of the database, and putting one back.
//!
//! A copy is made by SQLite, never by copying the file. Putting one back never destroys what is
//! there: a sound database is copied aside first, a damaged one is moved aside.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::backup::Backup;

use super::check;
use super::file;
use super::migrations;
use super::migrations::Standing;
use super::store::Store;
use crate::memory::error::Failure;
use crate::memory::error::MemoryError;
use crate::memory::moment;
use crate::system::durable;

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreReport {
    pub restored_from: PathBuf,
    /// The state before, if there was any.
    pub kept: Option<PathBuf>,
    pub items: u64,
    pub sessions: u64,
}

/// Writes a compact copy to `target`, which must not exist.
pub(in crate::memory) fn backup(store: &mut Store, target: &Path) -> Result<(), MemoryError> {
    let done = store.read_alone(|connection| file::vacuum_into(connection, target))?;
    if done.is_none() {
        let path = store.path().display().to_string();
        return Err(MemoryError::NotFound { what: "memory database", id: path });
    }
    Ok(())
}

/// Puts the copy at `source` in the database's place.
pub(in crate::memory) fn restore(
    store: &mut Store,
    source: &Path,
) -> Result<RestoreReport, MemoryError> {
    let copy = open_copy(source)?;
    let path = store.path().to_path_buf();
    let kept = match keep_sound(store, &path) {
        Ok(kept) => kept,
        Err(MemoryError::Damaged { .. } | MemoryError::NotADatabase { .. }) => {
            store.close();
            Some(move_aside(&path)?)
        }
        Err(error) => return Err(error),
    };
    store.overwrite(|target| {
        let backup = Backup::new(&copy, target)?;
        backup.run_to_completion(1_024, Duration::from_millis(5), None)?;
        Ok(())
    })?;
    let report = store.alone(|connection| Ok(check::check(connection)))?;
    if let Some(detail) = report.problems.into_iter().next() {
        return Err(MemoryError::Damaged { path, detail });
    }
    let restored_from = source.to_path_buf();
    Ok(RestoreReport { restored_from, kept, items: report.items, sessions: report.sessions })
}

/// Opens a copy and makes sure that it is one of ours, whole, and not too new.
fn open_copy(source: &Path) -> Result<Connection, MemoryError> {
    let sql = |error| MemoryError::from_sql(source, error);
    if !file::exists(source)? {
        let id = source.display().to_string();
        return Err(MemoryError::NotFound { what: "backup", id });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(source, flags).map_err(sql)?;
    let standing = migrations::standing(&connection, source).map_err(|failure| match failure {
        Failure::Sql(error) => sql(error),
        Failure::Memory(error) => error,
    })?;
    if standing == Standing::Empty {
        return Err(MemoryError::NotADatabase { path: source.to_path_buf() });
    }
    let verdict: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(sql)?;
    if verdict == "ok" {
        Ok(connection)
    } else {
        Err(MemoryError::Damaged { path: source.to_path_buf(), detail: verdict })
    }
}

/// A copy of what is there now; `None` where nothing is.
fn keep_sound(store: &mut Store, path: &Path) -> Result<Option<PathBuf>, MemoryError> {
    let target =
        file::with_suffix(path, &format!(".{}.before-restore", moment::stamp(moment::now())));
    let verdict = store.read_alone(|connection| {
        let verdict: String =
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict == "ok" {
            file::vacuum_into(connection, &target)?;
        }
        Ok(verdict)
    })?;
    match verdict.as_deref() {
        None => Ok(None),
        Some("ok") => Ok(Some(target)),
        Some(detail) => {
            Err(MemoryError::Damaged { path: path.to_path_buf(), detail: detail.to_owned() })
        }
    }
}

/// Renames the whole family. Refused while another process uses it: that process would go on
/// writing to the renamed files.
fn move_aside(path: &Path) -> Result<PathBuf, MemoryError> {
    let users = file::lock_holders(path, file::Lock::Any);
    if !users.is_empty() {
        let waited = Duration::ZERO;
        return Err(MemoryError::Locked { path: path.to_path_buf(), waited, holders: users });
    }
    let stamp = moment::stamp(moment::now());
    let target = file::with_suffix(path, &format!(".{stamp}.damaged"));
    let names = file::family(path).into_iter().zip(file::family(&target));
    for (from, to) in names.filter(|(from, _)| from.exists()) {
        fs::rename(&from, &to).map_err(|source| MemoryError::Io {
            action: "move aside",
            path: from,
            source,
        })?;
    }
    durable::sync_parent(path).map_err(|source| MemoryError::Io {
        action: "sync the directory of",
        path: path.to_path_buf(),
        source,
    })?;
    Ok(target)
}

#[cfg(test)]
#[path = "backup_tests.rs"]
mod tests;
