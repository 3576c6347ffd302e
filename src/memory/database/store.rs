//! One connection to the database: opening it, reading from it, writing to it.
//!
//! Opening is lazy and in two steps. A database that is only read is opened read-only, without
//! looking for migrations to run; the first write replaces that connection by one that may write.
//! Who will write anyway says so, and opens it once.
//! An absent database reads as empty and is created by the first write only.
//!
//! Every write is one `BEGIN IMMEDIATE` transaction, so that a lock is had before anything is read,
//! and is repeated with jitter while others hold the lock.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rusqlite::Connection;
use rusqlite::Transaction;
use rusqlite::TransactionBehavior;

use super::connection;
use super::file;
use super::migrations;
use super::migrations::Standing;
use crate::memory::Notice;
use crate::memory::error::Failure;
use crate::memory::error::MemoryError;
use crate::memory::error::holder_text;
use crate::memory::error::is_busy;

/// How long a caller waits for a lock before it is told who holds it.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A wait that is longer is told; what comes after the last attempt within it takes one more wait of SQLite's own.
const SILENCE: Duration = Duration::from_millis(800);

enum Place {
    File(PathBuf),
    /// `--ephemeral`: nothing outlives the process.
    Memory,
}

/// What a transaction survives when it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Survives {
    /// The end of this process.
    Kill,
    PowerFailure,
}

impl Survives {
    /// SQLite's setting for it, where the log is written ahead.
    fn synchronous(self) -> &'static str {
        match self {
            Self::Kill => "NORMAL",
            Self::PowerFailure => "FULL",
        }
    }
}

struct Open {
    connection: Connection,
    writable: bool,
    /// As the connection is set.
    survives: Survives,
}

impl Open {
    fn new(connection: Connection, writable: bool) -> Self {
        Self { connection, writable, survives: Survives::PowerFailure }
    }

    /// Sets the connection, where it is not set like this: runs add many messages in a row.
    fn have(&mut self, survives: Survives) -> Result<(), rusqlite::Error> {
        if self.survives != survives {
            self.connection.pragma_update(None, "synchronous", survives.synchronous())?;
            self.survives = survives;
        }
        Ok(())
    }
}

/// The database of one owner. Not shared between threads; `owner` gives it one.
pub(in crate::memory) struct Store {
    place: Place,
    open: Option<Open>,
    patience: Duration,
    /// Whoever reads first will write: one connection does for both.
    writes_follow: bool,
    /// Somebody held the lock for longer than our patience, and for all we know still does: whoever
    /// asks next is told so at once, instead of waiting as long again.
    exhausted: bool,
    /// Told what is waited for, when that takes long.
    notice: Option<Notice>,
    /// Whoever asked does not want an answer any more: no lock is waited for on their behalf.
    abandoned: Arc<AtomicBool>,
}

impl Store {
    pub(in crate::memory) fn new(path: &Path, ephemeral: bool) -> Self {
        let place = if ephemeral {
            Place::Memory
        } else {
            // SQLite takes a name that begins with `file:` for a URI: an absolute path never does.
            Place::File(std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()))
        };
        Self {
            place,
            open: None,
            patience: PATIENCE,
            writes_follow: false,
            exhausted: false,
            notice: None,
            abandoned: Arc::default(),
        }
    }

    /// Who is told of long waits, in one line.
    pub(in crate::memory) fn telling(mut self, notice: Notice) -> Self {
        self.notice = Some(notice);
        self
    }

    /// For who reads and will write then.
    pub(in crate::memory) fn expecting_writes(mut self) -> Self {
        self.writes_follow = true;
        self
    }

    /// What follows is for somebody who may go away, and then sets this.
    pub(super) fn work_for(&mut self, abandoned: Arc<AtomicBool>) {
        self.abandoned = abandoned;
    }

    /// Another patience than [`PATIENCE`].
    #[cfg(test)]
    pub(super) fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The database file; a name in angle brackets where there is none.
    pub(in crate::memory) fn path(&self) -> &Path {
        match &self.place {
            Place::File(path) => path,
            Place::Memory => Path::new("<memory>"),
        }
    }

    /// Reads within one snapshot. `None` where there is no database yet; nothing is created.
    pub(in crate::memory) fn read<T>(
        &mut self,
        mut work: impl FnMut(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<Option<T>, MemoryError> {
        self.patiently(|store| {
            let Some(open) = store.for_reading()? else { return Ok(None) };
            let transaction = open.connection.unchecked_transaction()?;
            let value = work(&transaction)?;
            transaction.finish()?;
            Ok(Some(value))
        })
    }

    /// Runs `work` in one transaction; durable when this returns. `work` may run several times, and
    /// leaves nothing behind when it fails.
    pub(in crate::memory) fn write<T>(
        &mut self,
        work: impl FnMut(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, MemoryError> {
        self.write_to_survive(Survives::PowerFailure, work)
    }

    /// As [`Store::write`], without waiting for the disk: what is written survives the end of this
    /// process at once, and a power failure from the next `write` or the closing on. Several of
    /// these in a row stay in order, whatever happens.
    pub(in crate::memory) fn write_soon<T>(
        &mut self,
        work: impl FnMut(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, MemoryError> {
        self.write_to_survive(Survives::Kill, work)
    }

    fn write_to_survive<T>(
        &mut self,
        survives: Survives,
        mut work: impl FnMut(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, MemoryError> {
        self.patiently(|store| {
            let path = store.path().to_path_buf();
            let open = store.for_writing(survives)?;
            let transaction =
                open.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            refuse_newer(&transaction, &path)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })
    }

    /// Runs a statement that cannot be in a transaction (`VACUUM`, checkpoints).
    pub(super) fn alone<T>(
        &mut self,
        mut work: impl FnMut(&Connection) -> Result<T, Failure>,
    ) -> Result<T, MemoryError> {
        self.patiently(|store| work(&store.for_writing(Survives::PowerFailure)?.connection))
    }

    /// Reads what cannot be in a transaction (`VACUUM INTO`). `None` where there is no database yet.
    pub(super) fn read_alone<T>(
        &mut self,
        mut work: impl FnMut(&Connection) -> Result<T, Failure>,
    ) -> Result<Option<T>, MemoryError> {
        self.patiently(|store| match store.for_reading()? {
            Some(open) => work(&open.connection).map(Some),
            None => Ok(None),
        })
    }

    /// Hands out the connection itself, for a copy of pages that bypasses SQL. What the connection
    /// remembers of the file is stale afterwards, so it is closed.
    pub(super) fn overwrite(
        &mut self,
        mut work: impl FnMut(&mut Connection) -> Result<(), Failure>,
    ) -> Result<(), MemoryError> {
        let done = self
            .patiently(|store| work(&mut store.for_writing(Survives::PowerFailure)?.connection));
        self.close();
        done
    }

    /// Closes the connection. As the last one it also empties the write-ahead log.
    pub(super) fn close(&mut self) {
        self.open = None;
    }

    /// Repeats while the lock is held by somebody else, until patience runs out.
    fn patiently<T>(
        &mut self,
        mut work: impl FnMut(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, MemoryError> {
        let start = Instant::now();
        let patience = if self.exhausted { Duration::ZERO } else { self.patience };
        let mut is_told = false;
        loop {
            match work(self) {
                Ok(value) => {
                    self.exhausted = false;
                    return Ok(value);
                }
                Err(Failure::Memory(error)) => return Err(error),
                Err(Failure::Sql(error)) if !is_busy(&error) => {
                    return Err(MemoryError::from_sql(self.path(), error));
                }
                Err(Failure::Sql(_))
                    if start.elapsed() < patience && !self.abandoned.load(Ordering::Relaxed) =>
                {
                    if start.elapsed() >= SILENCE && !std::mem::replace(&mut is_told, true) {
                        self.tell_of_wait(patience);
                    }
                    thread::sleep(Duration::from_millis(rand::random_range(1..20)));
                }
                Err(Failure::Sql(_)) => {
                    self.exhausted = start.elapsed() >= patience;
                    let path = self.path().to_path_buf();
                    let holders = file::lock_holders(&path, file::Lock::Write);
                    return Err(MemoryError::Locked { path, waited: start.elapsed(), holders });
                }
            }
        }
    }

    fn tell_of_wait(&self, patience: Duration) {
        let Some(notice) = &self.notice else { return };
        let path = self.path();
        let holders = holder_text(&file::lock_holders(path, file::Lock::Write));
        notice(&format!(
            "waiting for the memory database `{}`, which another process{holders} keeps locked; \
             at most {} s",
            path.display(),
            patience.as_secs()
        ));
    }

    fn for_reading(&mut self) -> Result<Option<&mut Open>, Failure> {
        if self.open.is_none() {
            let Place::File(path) = &self.place else { return Ok(None) };
            // What keeps from writing is said when something is written; it may well be read.
            if self.writes_follow
                && file::exists(path)?
                && let Ok(connection) = connection::to_write(path)
            {
                self.open = Some(Open::new(connection, true));
                return Ok(self.open.as_mut());
            }
            let Some(connection) = connection::to_read(path)? else { return Ok(None) };
            match migrations::standing(&connection, path) {
                Ok(Standing::Current) => self.open = Some(Open::new(connection, false)),
                Ok(Standing::Empty) => return Ok(None),
                Ok(Standing::Older(_)) => {
                    drop(connection);
                    return self.for_writing(Survives::PowerFailure).map(Some);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(self.open.as_mut())
    }

    fn for_writing(&mut self, survives: Survives) -> Result<&mut Open, Failure> {
        if !self.open.as_ref().is_some_and(|open| open.writable) {
            self.open = None;
            let connection = match &self.place {
                Place::File(path) => connection::to_write(path)?,
                Place::Memory => connection::in_memory()?,
            };
            self.open = Some(Open::new(connection, true));
        }
        let open = self.open.as_mut().ok_or(Failure::Memory(MemoryError::OwnerGone))?;
        open.have(survives)?;
        Ok(open)
    }
}

/// A newer program may have migrated the file while we had it open.
fn refuse_newer(transaction: &Transaction<'_>, path: &Path) -> Result<(), Failure> {
    let mut statement = transaction.prepare_cached("PRAGMA user_version")?;
    let found: i64 = statement.query_row([], |row| row.get(0))?;
    if found > migrations::LATEST {
        let path = path.to_path_buf();
        return Err(MemoryError::Newer { path, found, known: migrations::LATEST }.into());
    }
    Ok(())
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
