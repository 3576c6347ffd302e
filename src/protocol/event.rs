//! The events of a run, as `--output-format jsonl` and `serve --stdio` print them.
//!
//! Names are Codex CLI's, since parsers for them exist; the envelope adds `v`, `seq` and `ts`.
//! contracts/events.schema.json is generated from these types.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use super::model::ModelStage;
use super::outcome::Outcome;
use super::usage::Usage;

/// Version of the envelope and of every event in it.
pub const EVENT_VERSION: u32 = 1;

/// One line of a jsonl stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Envelope {
    pub v: u32,
    /// Counts from 0 without gaps within a run.
    pub seq: u64,
    /// RFC 3339, UTC, milliseconds.
    pub ts: String,
    #[serde(flatten)]
    pub event: Event,
}

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    #[serde(rename = "thread.started")]
    ThreadStarted { thread_id: String, model: String },
    #[serde(rename = "turn.started")]
    TurnStarted { turn: u32 },
    #[serde(rename = "item.started")]
    ItemStarted { item: Item },
    #[serde(rename = "item.updated")]
    ItemUpdated { item: Item },
    #[serde(rename = "item.completed")]
    ItemCompleted { item: Item },
    #[serde(rename = "turn.completed")]
    TurnCompleted { usage: Usage },
    #[serde(rename = "turn.failed")]
    TurnFailed { error: String },
    /// The conversation outgrew the window; older turns were replaced by a summary.
    #[serde(rename = "context.compacted")]
    ContextCompacted {
        messages_before: u64,
        messages_after: u64,
        tokens_before: u64,
        tokens_after: u64,
    },
    /// Sent while a long step is under way, so that a reader knows that we live.
    #[serde(rename = "heartbeat")]
    Heartbeat { waiting_for: String, elapsed_ms: u64 },
    /// The model call is tried again.
    #[serde(rename = "model.retry")]
    ModelRetry { attempt: u32, wait_ms: u64, reason: String },
    /// A local model is loaded or reads its prompt; `done` goes from 0 to 1.
    #[serde(rename = "model.progress")]
    ModelProgress { stage: ModelStage, done: f32 },
    /// Exactly one, and the last.
    #[serde(rename = "result")]
    Result(Box<Outcome>),
}

/// How far an item is. The last four are terminal, and each item reaches exactly one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ItemStatus {
    InProgress,
    Completed,
    Failed,
    Declined,
    Cancelled,
    Timeout,
}

/// A thing that starts, may be updated, and ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Item {
    /// Unique within the run: `item_0`, `item_1`, …
    pub id: String,
    pub status: ItemStatus,
    /// Present once the item has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    #[serde(flatten)]
    pub body: ItemBody,
}

/// What an item is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ItemBody {
    /// In `item.updated` the text is what came since the last update.
    AgentMessage {
        text: String,
    },
    Reasoning {
        text: String,
    },
    Plan {
        text: String,
    },
    CommandExecution {
        command: String,
        /// Head and tail of what it printed.
        output: String,
        exit_code: Option<i32>,
        sandbox: String,
    },
    FileChange {
        path: String,
        change: String,
        diff: String,
    },
    ToolCall {
        tool: String,
        arguments: serde_json::Value,
        output: String,
    },
    Memory {
        action: String,
        id: String,
        text: String,
    },
    Error {
        message: String,
    },
}
