//! The exit codes: an interface that scripts rely on. design.md and docs/exit-codes.md list them.
//!
//! This file decides which of several codes wins; nothing else may.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use super::model::ModelErrorKind;

/// Why the process ends, as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(into = "u8", try_from = "u8")]
#[repr(u8)]
pub enum ExitCode {
    Done = 0,
    TaskFailed = 1,
    Usage = 2,
    Authentication = 41,
    Input = 42,
    PermissionDenied = 43,
    SandboxUnavailable = 44,
    Network = 45,
    Model = 46,
    OutputSchema = 47,
    PostCondition = 48,
    ReplayDiverged = 49,
    Configuration = 52,
    TurnLimit = 53,
    FatalTool = 54,
    Untrusted = 55,
    Budget = 56,
    OutsideBuiltin = 57,
    TryAgainLater = 75,
    TimeOut = 124,
    Interrupted = 130,
    Terminated = 143,
}

impl ExitCode {
    /// Every code, in numeric order, with the words of the documentation.
    pub const ALL: [(Self, &'static str); 22] = [
        (Self::Done, "done"),
        (Self::TaskFailed, "the task failed"),
        (Self::Usage, "usage: the command line is wrong"),
        (Self::Authentication, "authentication: no key, or the provider refused it"),
        (Self::Input, "input: a file or standard input could not be used"),
        (
            Self::PermissionDenied,
            "permission denied: a tool call that the task needed was declined",
        ),
        (Self::SandboxUnavailable, "the sandbox that was asked for cannot be had here"),
        (Self::Network, "network forbidden or unreachable"),
        (Self::Model, "the model or provider failed after retries"),
        (Self::OutputSchema, "the answer does not meet --output-schema"),
        (Self::PostCondition, "a post-condition (--expect, --forbid) is false"),
        (Self::ReplayDiverged, "the run differs from the recording it replays"),
        (Self::Configuration, "configuration"),
        (Self::TurnLimit, "turn limit reached"),
        (Self::FatalTool, "fatal tool or interpreter error"),
        (Self::Untrusted, "the workspace is not trusted"),
        (Self::Budget, "another budget ran out (cost, tokens, memory, bytes)"),
        (Self::OutsideBuiltin, "outside what the builtin model can do"),
        (Self::TryAgainLater, "try again later"),
        (Self::TimeOut, "time-out"),
        (Self::Interrupted, "interrupted (SIGINT)"),
        (Self::Terminated, "terminated (SIGTERM)"),
    ];

    /// The order in which one of several codes wins (design.md, "Several at once").
    const PRECEDENCE: [Self; 21] = [
        Self::Interrupted,
        Self::Terminated,
        Self::TimeOut,
        Self::SandboxUnavailable,
        Self::Untrusted,
        Self::Authentication,
        Self::Network,
        Self::ReplayDiverged,
        Self::OutsideBuiltin,
        Self::TryAgainLater,
        Self::Model,
        Self::FatalTool,
        Self::TurnLimit,
        Self::Budget,
        Self::OutputSchema,
        Self::PermissionDenied,
        Self::PostCondition,
        Self::Configuration,
        Self::Input,
        Self::Usage,
        Self::TaskFailed,
    ];

    /// The code that wins among those that apply; `Done` when none does.
    pub fn first_that_applies(codes: &[Self]) -> Self {
        Self::PRECEDENCE.into_iter().find(|code| codes.contains(code)).unwrap_or(Self::Done)
    }

    /// The code of a failed model call.
    pub fn from_model_error(kind: ModelErrorKind) -> Self {
        match kind {
            ModelErrorKind::Authentication => Self::Authentication,
            ModelErrorKind::Unreachable | ModelErrorKind::NetworkForbidden => Self::Network,
            ModelErrorKind::RateLimited
            | ModelErrorKind::Server
            | ModelErrorKind::InvalidRequest
            | ModelErrorKind::ContextTooLong
            | ModelErrorKind::Timeout
            | ModelErrorKind::Malformed => Self::Model,
            ModelErrorKind::OutsideBuiltin => Self::OutsideBuiltin,
            ModelErrorKind::ReplayDiverged => Self::ReplayDiverged,
            ModelErrorKind::Interpreter => Self::FatalTool,
            ModelErrorKind::Configuration => Self::Configuration,
            ModelErrorKind::Cancelled => Self::Interrupted,
        }
    }
}

impl From<ExitCode> for u8 {
    fn from(code: ExitCode) -> Self {
        code as Self
    }
}

impl TryFrom<u8> for ExitCode {
    type Error = String;

    fn try_from(value: u8) -> Result<Self, Self::Error> {
        Self::ALL
            .into_iter()
            .map(|(code, _)| code)
            .find(|code| u8::from(*code) == value)
            .ok_or_else(|| format!("`{value}` is not an exit code of ours"))
    }
}

#[cfg(test)]
mod tests {
    use super::ExitCode;

    #[test]
    fn every_code_but_done_has_a_place_in_the_order() {
        for (code, _) in ExitCode::ALL {
            assert_eq!(ExitCode::first_that_applies(&[code]), code);
        }
    }

    #[test]
    fn the_order_of_the_design_holds() {
        let order = [130, 124, 44, 55, 41, 45, 46, 54, 53, 47, 43, 48, 1];
        for pair in order.windows(2) {
            let high = ExitCode::try_from(pair[0]).unwrap();
            let low = ExitCode::try_from(pair[1]).unwrap();
            assert_eq!(ExitCode::first_that_applies(&[low, high]), high);
        }
    }
}
