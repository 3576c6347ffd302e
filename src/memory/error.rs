//! What can go wrong with the memory database, in words a person can act on.
//!
//! No SQLite word is needed to understand a message; the cause is kept as the source. Which exit
//! code an error means is decided here, so that every command ends the same way.

use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::ErrorCode;

use crate::config::settings::Ephemeral;
use crate::protocol::ExitCode;

/// A failed memory operation.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// Another process held the lock longer than we were willing to wait.
    #[error("memory database `{path}` is locked by another process{}: gave up after {:.0} s", holder_text(holders), waited.as_secs_f64())]
    Locked { path: PathBuf, waited: Duration, holders: Vec<u32> },

    /// Written by a later version of this program.
    #[error("memory database `{path}` has version {found}, this program knows up to {known}")]
    Newer { path: PathBuf, found: i64, known: i64 },

    /// A recorded migration is not the one this program would have run.
    #[error("memory database `{path}` was built by another migration {number}")]
    ForeignMigration { path: PathBuf, number: i64 },

    /// A SQLite database, but not one of ours.
    #[error("`{path}` is a database of another program (application id {found:#x})")]
    NotOurs { path: PathBuf, found: i64 },

    /// Not a SQLite database at all.
    #[error("`{path}` is not a memory database: its header is wrong")]
    NotADatabase { path: PathBuf },

    /// Pages that contradict each other.
    #[error("memory database `{path}` is damaged: {detail}")]
    Damaged { path: PathBuf, detail: String },

    /// The path exists and is no regular file.
    #[error("`{path}` is {kind}, a file was expected")]
    NotAFile { path: PathBuf, kind: &'static str },

    /// No room for another page; nothing of the failed change was kept.
    #[error("no space left for memory database `{path}`: the change was not stored")]
    Full { path: PathBuf },

    /// The file or its directory cannot be written.
    #[error("memory database `{path}` cannot be written: {detail}")]
    ReadOnly { path: PathBuf, detail: String },

    /// Any other failure of a file operation.
    #[error("cannot {action} `{path}`: {source}")]
    Io { action: &'static str, path: PathBuf, source: io::Error },

    /// A value that must not be stored.
    #[error("{0}")]
    Invalid(String),

    /// A line of an imported file that cannot be used.
    #[error("line {line}: {message}")]
    Line { line: u64, message: String },

    /// No item or session of that id.
    #[error("there is no {what} `{id}`")]
    NotFound { what: &'static str, id: String },

    /// Two runs at once would mix two conversations.
    #[error("another run is writing session `{id}`")]
    SessionBusy { id: String },

    /// Deleted, but other processes still read an older state, so old bytes stay in the WAL.
    #[error(
        "deleted, but another process keeps old pages of `{path}` alive: the bytes are not gone yet"
    )]
    NotPurged { path: PathBuf },

    /// A failure that has no better name.
    #[error("memory database `{path}`: {source}")]
    Sql { path: PathBuf, source: rusqlite::Error },

    /// What is said to be remembered would be lost with this process.
    #[error("{}", why_nothing_is_kept(*.0))]
    Ephemeral(Ephemeral),

    /// The thread that owns the database is gone.
    #[error("the memory thread has ended")]
    OwnerGone,
}

impl MemoryError {
    /// What to do where there is no data directory.
    pub const NO_PLACE_HINT: &str =
        "set HOME to a directory that exists, or XDG_DATA_HOME or AGI_DATA_DIR";

    /// What to do next, where we know.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Locked { .. } => {
                "try again when the other run has ended; a stopped process (`kill -CONT`) keeps its lock"
            }
            Self::Newer { .. } => {
                "use the newer agi-agent, or restore a backup that this version wrote"
            }
            Self::ForeignMigration { .. } => {
                "export with the program that wrote it (`memory export`) and import into a new database"
            }
            Self::NotOurs { .. } | Self::NotADatabase { .. } => {
                "it was left as it is; move it away, or point AGI_DATA_DIR to another directory"
            }
            Self::Damaged { .. } => {
                "it was left as it is; `agi-agent memory restore BACKUP` puts a backup in its place and keeps the damaged file"
            }
            Self::SessionBusy { .. } => {
                "try again when it has ended, or begin a new session (without `--session` and `--continue`)"
            }
            Self::NotAFile { .. } => "move it away, or point AGI_DATA_DIR to another directory",
            Self::Full { .. } => {
                "free some space and try again; what was acknowledged before is safe"
            }
            Self::ReadOnly { .. } => "check owner and permissions, or use --ephemeral",
            Self::Ephemeral(Ephemeral::Asked) => "leave out `--ephemeral`",
            Self::Ephemeral(Ephemeral::SwitchedOff) => "set `memory.enabled`",
            Self::Ephemeral(Ephemeral::NoPlace) => Self::NO_PLACE_HINT,
            Self::NotPurged { .. } => {
                "end the other agi-agent processes, then run `agi-agent memory forget --purge`"
            }
            Self::Sql { source, .. }
                if source.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) =>
            {
                "what was acknowledged before is safe; look at the disk, the quota and the limit on file sizes"
            }
            Self::Io { .. }
            | Self::Invalid(_)
            | Self::Line { .. }
            | Self::NotFound { .. }
            | Self::Sql { .. }
            | Self::OwnerGone => return None,
        };
        Some(hint.to_owned())
    }

    /// The exit code of a command that fails with this.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Locked { .. } | Self::NotPurged { .. } | Self::SessionBusy { .. } => {
                ExitCode::TryAgainLater
            }
            Self::NotFound { .. } => ExitCode::TaskFailed,
            Self::OwnerGone => ExitCode::FatalTool,
            _ => ExitCode::Input,
        }
    }

    /// Sorts a SQLite failure into our own words.
    pub(super) fn from_sql(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_path_buf();
        let Some(code) = source.sqlite_error_code() else {
            return Self::Sql { path, source };
        };
        match code {
            ErrorCode::NotADatabase => Self::NotADatabase { path },
            ErrorCode::DatabaseCorrupt => Self::Damaged { path, detail: plain(&source) },
            ErrorCode::DiskFull => Self::Full { path },
            ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => {
                Self::ReadOnly { path, detail: plain(&source) }
            }
            _ => Self::Sql { path, source },
        }
    }
}

/// What stops a unit of work: SQLite (perhaps only busy) or we.
pub(super) enum Failure {
    Sql(rusqlite::Error),
    Memory(MemoryError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<MemoryError> for Failure {
    fn from(error: MemoryError) -> Self {
        Self::Memory(error)
    }
}

/// SQLite's own words without the numeric code.
fn plain(source: &rusqlite::Error) -> String {
    match source {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    }
}

fn why_nothing_is_kept(reason: Ephemeral) -> &'static str {
    match reason {
        Ephemeral::Asked => "this run has no memory, since it is `--ephemeral`",
        Ephemeral::SwitchedOff => "memory is switched off",
        Ephemeral::NoPlace => "there is no data directory to keep a memory in",
    }
}

pub(super) fn holder_text(holders: &[u32]) -> String {
    match holders {
        [] => String::new(),
        [one] => format!(" (process {one})"),
        many => {
            let list: Vec<String> = many.iter().map(u32::to_string).collect();
            format!(" (processes {})", list.join(", "))
        }
    }
}

/// True where waiting a little can help.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed
        )
    )
}
