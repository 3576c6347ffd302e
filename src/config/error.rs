//! What is wrong with a configuration, and where. Every such error ends the program with 52.

use std::path::Path;
use std::path::PathBuf;

/// One configuration error; shows as `where: what`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct ConfigError {
    /// `path:line:column`, `environment variable …` or `-c key`.
    pub place: String,
    pub message: String,
    pub hint: Option<String>,
}

impl ConfigError {
    /// An error at a place of a file. Line and column count from 1.
    pub fn file(path: &Path, line: usize, column: usize, message: impl Into<String>) -> Self {
        Self {
            place: format!("{}:{line}:{column}", path.display()),
            message: message.into(),
            hint: None,
        }
    }

    /// A file that could not be read.
    pub fn unreadable(path: &Path, source: &std::io::Error) -> Self {
        Self { place: path.display().to_string(), message: source.to_string(), hint: None }
    }

    /// A bad environment variable.
    pub fn environment(name: &str, message: &str) -> Self {
        Self {
            place: format!("environment variable `{name}`"),
            message: message.into(),
            hint: None,
        }
    }

    /// A bad `-c key=value`.
    pub fn assignment(text: &str, message: impl Into<String>) -> Self {
        Self {
            place: format!("`-c {text}`"),
            message: message.into(),
            hint: Some("write `-c key=value`, for example `-c limits.max_turns=5`".into()),
        }
    }

    #[must_use]
    pub fn with_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }
}

/// Something that is not an error but that the person should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigWarning {
    pub path: PathBuf,
    pub message: String,
}
