//! What the service sends: answers, and what is told unasked.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::RequestId;
use crate::protocol::ItemStatus;
use crate::protocol::ToolCall;
use crate::protocol::ToolResult;
use crate::protocol::ToolSpec;
use crate::protocol::event::Envelope;

/// What answers a request. `id` is null where the request had none that could be read.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Answer {
    pub id: Option<RequestId>,
    #[serde(flatten)]
    pub body: AnswerBody,
}

/// Either a result or an error.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnswerBody {
    /// The method says which: [`Hello`], [`RunStarted`], [`ToolList`], [`ToolRan`], a memory item.
    Result(Value),
    Error(Failure),
}

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub kind: FailureKind,
    /// One line.
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Failure {
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    /// The same failure with advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The line is not JSON, or not an object.
    MalformedLine,
    /// The line is longer than is read.
    LineTooLong,
    UnknownMethod,
    InvalidParams,
    /// No run, approval, item, session or key of that name.
    NotFound,
    /// The configuration does not allow it.
    Configuration,
    /// The memory is switched off or cannot be used.
    Memory,
    /// Too much is under way; later it may be done.
    Busy,
    /// The service ended before it was done.
    Ending,
    Internal,
}

/// Answers `hello`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Hello {
    pub protocol: u32,
    pub version: String,
    pub methods: Vec<String>,
}

/// Answers `run.start`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct RunStarted {
    pub run: String,
    /// `provider/name`.
    pub model: String,
}

/// Answers `tool.list`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ToolList {
    pub tools: Arc<[ToolSpec]>,
}

/// Answers `tool.run`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ToolRan {
    pub status: ItemStatus,
    pub result: ToolResult,
    pub duration_ms: u64,
}

/// What a person on a terminal would read as `warning: …` and `hint: …`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Warning {
    /// One line: file, line and column, and what is odd.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// What is told unasked.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "method", content = "params")]
pub enum Notice {
    /// Something happened in a run.
    #[serde(rename = "event")]
    Event { run: String, event: Envelope },
    /// The configuration holds something odd, or an untrusted project asked for something in vain.
    /// Told between the answer of `run.start` and the run's first event, and before the answer of
    /// `tool.run`.
    #[serde(rename = "warning")]
    Warning {
        /// Absent where it is about no run.
        #[serde(skip_serializing_if = "Option::is_none")]
        run: Option<String>,
        #[serde(flatten)]
        warning: Warning,
    },
    /// A call waits for the client's `approval.respond`.
    #[serde(rename = "approval.request")]
    ApprovalRequest {
        run: String,
        approval: String,
        call: ToolCall,
        /// Exactly what would run.
        summary: String,
        /// Why there is a question.
        reason: String,
        /// A rule to offer for `allow_pattern`.
        #[serde(skip_serializing_if = "Option::is_none")]
        proposal: Option<String>,
    },
}
