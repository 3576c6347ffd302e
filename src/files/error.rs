//! What can go wrong with a file, in words for a person and for a model.

use std::io;
use std::path::Path;
use std::path::PathBuf;

use crate::system::opener::OpenError;

/// An operation on files that failed. `Display` is one line; [`FileError::hint`] says what to do.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("`{}`: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// A regular expression, glob or age that cannot be understood.
    #[error("{message}")]
    Pattern { message: String, hint: Option<String> },
    /// Not a unified diff of one file.
    #[error("{message}")]
    Patch { message: String },
    /// The file is not such as the edit expects.
    #[error("`{}`: {message}", path.display())]
    Edit { path: PathBuf, message: String, hint: Option<String> },
    #[error("`{}` is {size} bytes long, more than the {limit} that can be edited at once", path.display())]
    TooLarge { path: PathBuf, size: u64, limit: u64 },
    #[error("cancelled")]
    Cancelled,
}

impl FileError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_path_buf(), source }
    }

    pub(super) fn pattern(message: impl Into<String>) -> Self {
        Self::Pattern { message: message.into(), hint: None }
    }

    pub(super) fn patch(message: impl Into<String>) -> Self {
        Self::Patch { message: message.into() }
    }

    pub(super) fn edit(path: &Path, message: impl Into<String>, hint: Option<String>) -> Self {
        Self::Edit { path: path.to_path_buf(), message: message.into(), hint }
    }

    /// What to do next, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Open(error) => error.hint(),
            Self::Pattern { hint, .. } | Self::Edit { hint, .. } => hint.clone(),
            Self::Io { .. } | Self::Patch { .. } | Self::TooLarge { .. } | Self::Cancelled => None,
        }
    }
}
