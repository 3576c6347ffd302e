//! What is asked of a model and what comes back, provider-neutral.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use super::message::Message;
use super::tool::ToolSpec;
use super::usage::Usage;

/// One request to a model: the whole conversation so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelRequest {
    /// The system prompt; empty means none.
    #[serde(default)]
    pub system: String,
    pub messages: Vec<Message>,
    #[serde(default, skip_serializing_if = "no_tools")]
    pub tools: Arc<[ToolSpec]>,
    /// JSON Schema the final answer must meet (`--output-schema`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<serde_json::Value>,
    /// Upper bound of output tokens for this reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
}

fn no_tools(tools: &[ToolSpec]) -> bool {
    tools.is_empty()
}

/// Why the model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It had said what it wanted to say.
    EndTurn,
    /// It waits for tool results.
    ToolCalls,
    /// It ran into its output limit.
    MaxTokens,
    /// The provider withheld the answer.
    Refusal,
    /// It says that the task cannot be done; its text says why. Only the builtin model ends so: it
    /// knows whether a step failed.
    Failed,
}

/// The whole reply, after the stream has ended well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelReply {
    /// Role is always assistant.
    pub message: Message,
    pub stop: StopReason,
    pub usage: Usage,
    /// The model's name as the provider reported it.
    pub model: String,
    /// Which model of a route made it, from 1; a model that is no route's says nothing.
    #[serde(skip)]
    pub rung: Option<u32>,
}

/// The model of a route that is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RungTaken {
    /// The route's name.
    pub route: String,
    /// Its place in the route, from 1.
    pub place: u32,
    /// `provider/name`.
    pub model: String,
    /// Why the one before it was left; absent where that one is only resting, or was never asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a local model does before it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelStage {
    /// The weights come into memory.
    Load,
    /// The prompt is read.
    Read,
}

/// What happens while a reply is on its way. Deltas may be dropped when the reader is slow; the
/// reply is always whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ModelDelta {
    Text {
        text: String,
    },
    Reasoning {
        text: String,
    },
    /// A tool call is being written; `arguments` is what was added to its JSON text. The first
    /// delta of a call has none.
    ToolCall {
        index: u32,
        name: String,
        arguments: String,
    },
    /// How far a local model is, from 0 to 1.
    Progress {
        stage: ModelStage,
        done: f32,
    },
    /// The request is tried again after `wait_ms`.
    Retry {
        attempt: u32,
        wait_ms: u64,
        reason: String,
    },
    /// A route asks this model now; what was said before is void. Never dropped where somebody
    /// listens.
    Rung(RungTaken),
}

/// What went wrong with a model; each kind has one exit code (`ExitCode::from_model_error`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelErrorKind {
    /// 401, 403, or no key configured.
    Authentication,
    /// 429 after all retries.
    RateLimited,
    /// 5xx, overloaded, after all retries.
    Server,
    /// 4xx: the request itself is refused.
    InvalidRequest,
    /// The conversation does not fit into the model's window: the loop compacts and asks again.
    ContextTooLong,
    /// Name not found, connection refused, TLS failure, after all retries.
    Unreachable,
    /// The network policy (`--offline`, no-egress) forbids the connection.
    NetworkForbidden,
    /// No byte within the idle deadline, or the total deadline passed.
    Timeout,
    /// HTML, an empty body, broken JSON, a stream cut in the middle.
    Malformed,
    /// The builtin model cannot do this; the message says how to connect a model.
    OutsideBuiltin,
    /// Replayed traffic does not fit the request (`--replay`).
    ReplayDiverged,
    /// The interpreter is gone or an adapter failed: not the provider's fault.
    Interpreter,
    /// Settings that cannot work: unknown provider, bad base URL.
    Configuration,
    /// The caller cancelled.
    Cancelled,
}

/// A failed model call. `message` is one line for a person; it never contains a secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{message}")]
pub struct ModelError {
    pub kind: ModelErrorKind,
    pub message: String,
    /// What to do next, where we know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// HTTP status, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Seconds after which another try makes sense, as the server said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<f64>,
}

impl ModelError {
    /// An error without status or hint.
    pub fn new(kind: ModelErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, status: None, retry_after_s: None }
    }

    /// The same error with advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
