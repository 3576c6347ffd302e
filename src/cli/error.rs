//! A failed command: which exit code, which words, which advice. All conversions from the errors of
//! lower layers stand here.

use crate::config::error::ConfigError;
use crate::files::FileError;
use crate::memory::MemoryError;
use crate::network::NetworkError;
use crate::protocol::ExitCode;
use crate::protocol::ModelError;
use crate::system::opener::OpenError;
use crate::tools::ToolError;

/// What a command ends with when it does not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CommandError {
    pub code: ExitCode,
    /// One line, lower case, no period at the end.
    pub message: String,
    /// What to do next.
    pub hints: Vec<String>,
    /// Further errors that were found at once, each with its advice.
    pub more: Vec<(String, Option<String>)>,
    /// False where the failure has been told already (an outcome that was printed).
    pub shown: bool,
}

impl CommandError {
    pub fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hints: Vec::new(), more: Vec::new(), shown: false }
    }

    /// A file or standard input that could not be used.
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Input, message)
    }

    /// A command line that makes no sense although it parses.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Usage, message)
    }

    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl From<ConfigError> for CommandError {
    fn from(error: ConfigError) -> Self {
        let mut all = error.errors.into_iter();
        let Some(first) = all.next() else {
            return Self::new(ExitCode::Configuration, "the configuration cannot be used");
        };
        Self {
            hints: first.remedy.iter().cloned().collect(),
            more: all.map(|error| (error.headline(), error.remedy)).collect(),
            ..Self::new(ExitCode::Configuration, first.headline())
        }
    }
}

impl From<MemoryError> for CommandError {
    fn from(error: MemoryError) -> Self {
        let hints = error.hint().into_iter().collect();
        Self { hints, ..Self::new(error.exit_code(), error.to_string()) }
    }
}

impl From<NetworkError> for CommandError {
    fn from(error: NetworkError) -> Self {
        ModelError::from(error).into()
    }
}

impl From<FileError> for CommandError {
    fn from(error: FileError) -> Self {
        let hints = error.hint().into_iter().collect();
        let code = match &error {
            FileError::Open(OpenError::Denied { .. } | OpenError::Protected { .. }) => {
                ExitCode::PermissionDenied
            }
            FileError::Pattern { .. } => ExitCode::Usage,
            FileError::Cancelled => ExitCode::Interrupted,
            FileError::Open(_)
            | FileError::Io { .. }
            | FileError::Patch { .. }
            | FileError::Edit { .. }
            | FileError::TooLarge { .. } => ExitCode::Input,
        };
        Self { hints, ..Self::new(code, error.to_string()) }
    }
}

impl From<ToolError> for CommandError {
    fn from(error: ToolError) -> Self {
        Self::new(error.exit_code(), error.to_string())
    }
}

impl From<ModelError> for CommandError {
    fn from(error: ModelError) -> Self {
        let hints = error.hint.iter().cloned().collect();
        let code = ExitCode::from_model_error(error.kind);
        Self { hints, ..Self::new(code, error.message) }
    }
}

/// The result could not be delivered.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the result to standard output: {0}")]
pub struct WriteError(#[from] pub std::io::Error);

impl From<WriteError> for CommandError {
    fn from(error: WriteError) -> Self {
        Self::new(ExitCode::TaskFailed, error.to_string())
    }
}
