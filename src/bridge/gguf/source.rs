//! Where a model is: a file, or a part of our own executable.

use std::path::Path;
use std::path::PathBuf;

use super::appended;
use super::header::GgufError;

/// What the name of a model inside the executable begins with.
pub const EMBEDDED: &str = "embedded:";

/// A GGUF that can be opened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    File(PathBuf),
    /// Bytes `offset..offset + size` of a file.
    Part {
        path: PathBuf,
        offset: u64,
        size: u64,
    },
}

impl Source {
    /// A path, or `embedded:NAME`.
    pub fn find(text: &str) -> Result<Self, GgufError> {
        let Some(name) = text.strip_prefix(EMBEDDED) else { return Ok(Self::File(text.into())) };
        let all = appended::held().map_err(|reason| GgufError::OwnFile {
            name: name.to_owned(),
            reason: reason.to_owned(),
        })?;
        if let Some(found) = all.iter().find(|one| one.name == name) {
            return Ok(Self::Part {
                path: found.executable.clone(),
                offset: found.offset,
                size: found.size,
            });
        }
        let known: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Err(GgufError::NotAppended { name: name.to_owned(), known })
    }

    /// The file that holds it.
    pub fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::Part { path, .. } => path,
        }
    }
}
