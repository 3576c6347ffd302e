//! How a tool call can fail: told to the model, or the end of the run.
//!
//! The distinction decides what happens next, so it is made where the failure is known: a missing
//! file is the model's to solve, a sandbox that cannot be had is not.

use crate::protocol::ExitCode;
use crate::protocol::ItemStatus;

/// A call that did not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ToolError {
    /// The model can do something about it: wrong arguments, no such file, no match.
    #[error("{0}")]
    ForModel(String),
    /// The policy forbids it; the model is told, and the run counts a denial.
    #[error("`{target}` is not allowed: {reason}")]
    Denied { target: String, reason: String },
    /// Children cannot be held as asked, so none is started.
    #[error("{0}")]
    SandboxUnavailable(String),
    /// The network policy forbids the connection, or it cannot be made.
    #[error("{0}")]
    Network(String),
    /// The call's deadline passed.
    #[error("timed out")]
    Timeout,
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// Our own fault: the run cannot go on.
    #[error("{0}")]
    Fatal(String),
}

impl ToolError {
    /// The terminal status of the call's item.
    pub fn status(&self) -> ItemStatus {
        match self {
            Self::Denied { .. } => ItemStatus::Declined,
            Self::Timeout => ItemStatus::Timeout,
            Self::Cancelled => ItemStatus::Cancelled,
            Self::ForModel(_) | Self::SandboxUnavailable(_) | Self::Network(_) | Self::Fatal(_) => {
                ItemStatus::Failed
            }
        }
    }

    /// The exit code of a tool that a person ran by itself (`agi-agent tool run`, `file`).
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::ForModel(_) => ExitCode::Input,
            Self::Denied { .. } => ExitCode::PermissionDenied,
            Self::SandboxUnavailable(_) => ExitCode::SandboxUnavailable,
            Self::Network(_) => ExitCode::Network,
            Self::Timeout => ExitCode::TimeOut,
            Self::Cancelled => ExitCode::Interrupted,
            Self::Fatal(_) => ExitCode::FatalTool,
        }
    }
}
