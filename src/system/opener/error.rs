//! Why a path was not opened, in words for a person and for a model.

use std::io;
use std::path::Path;
use std::path::PathBuf;

use super::rules::Access;

/// A refused or failed opening. `Display` is one line; [`OpenError::hint`] says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The rules say no.
    #[error("`{}` may not be {}: {reason}", path.display(), access.participle())]
    Denied { path: PathBuf, access: Access, reason: String },
    /// The agent's own database, configuration or trust.
    #[error("`{}` belongs to the agent itself and is not opened by tools", path.display())]
    Protected { path: PathBuf },
    /// Nothing there; `nearest` is the existing path with the most similar name.
    #[error("`{}` does not exist", path.display())]
    NotFound { path: PathBuf, nearest: Option<PathBuf> },
    /// A symbolic link is there, but not what it names.
    #[error("`{}` is, or goes through, a symbolic link that leads nowhere", path.display())]
    Dangling { path: PathBuf },
    /// A directory, FIFO, socket or device where a file is needed (or a file where a directory is).
    #[error("`{}` is {kind}", path.display())]
    NotAFile { path: PathBuf, kind: &'static str },
    /// It is not what it was when it was read: another program has written it, made or removed it.
    #[error("`{}` was changed by another program at the same time", path.display())]
    Changed { path: PathBuf },
    /// The operating system refused.
    #[error("`{}`: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl OpenError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_path_buf(), source }
    }

    /// What to do next, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Denied { access: Access::Read, .. } => {
                Some("`--read DIR` or `--add-dir DIR` makes a directory readable".to_owned())
            }
            Self::Denied { access: Access::Write, .. } => Some(
                "`--sandbox workspace-write` makes the workspace writable, `--add-dir DIR` a further directory"
                    .to_owned(),
            ),
            Self::NotFound { nearest: Some(nearest), .. } => Some(format!("did you mean `{}`?", nearest.display())),
            Self::Protected { .. } => {
                Some("use the memory tools, or `agi-agent config` and `agi-agent memory`".to_owned())
            }
            Self::Changed { .. } => Some("nothing was written; read it again".to_owned()),
            Self::NotFound { .. }
            | Self::Dangling { .. }
            | Self::NotAFile { .. }
            | Self::Io { .. } => None,
        }
    }
}
