//! The events of a run, as `--output-format jsonl` and `serve --stdio` print them.
//!
//! Names are Codex CLI's, since parsers for them exist; the envelope adds `v`, `seq` and `ts`.
//! contracts/events.schema.json is generated from these types.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use super::model::ModelStage;
use super::model::RungTaken;
use super::outcome::Outcome;
use super::usage::Usage;

/// Version of the envelope and of every event in it.
pub const EVENT_VERSION: u32 = 1;

/// One line of a jsonl stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Envelope {
    /// Version of the envelope and of every event in it, 1.
    pub v: u32,
    /// Counts from 0 without gaps within a run.
    pub seq: u64,
    /// RFC 3339, UTC, milliseconds.
    pub ts: String,
    /// With a route: which of its models is in force, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rung: Option<u32>,
    #[serde(flatten)]
    pub event: Event,
}

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// The first event of a run.
    #[serde(rename = "thread.started")]
    ThreadStarted {
        /// The session, as `--session` takes it.
        thread_id: String,
        /// `provider/name`; of a route its first model.
        model: String,
    },
    /// The model is about to be asked.
    #[serde(rename = "turn.started")]
    TurnStarted {
        /// Counts from 1.
        turn: u32,
    },
    /// Something begins.
    #[serde(rename = "item.started")]
    ItemStarted { item: Item },
    /// More of it.
    #[serde(rename = "item.updated")]
    ItemUpdated { item: Item },
    /// It has ended; exactly once for each item.
    #[serde(rename = "item.completed")]
    ItemCompleted { item: Item },
    /// The model's reply and the calls in it are done.
    #[serde(rename = "turn.completed")]
    TurnCompleted {
        /// Tokens of this turn.
        usage: Usage,
    },
    /// The model call failed, or the run was cancelled.
    #[serde(rename = "turn.failed")]
    TurnFailed {
        /// One line.
        error: String,
    },
    /// The conversation outgrew the window; older turns were replaced by a summary.
    #[serde(rename = "context.compacted")]
    ContextCompacted {
        /// Messages of the conversation.
        messages_before: u64,
        /// Messages that are left, the summary among them.
        messages_after: u64,
        /// An estimate where the provider has not counted.
        tokens_before: u64,
        /// An estimate.
        tokens_after: u64,
    },
    /// Sent while a long step is under way, so that a reader knows that we live.
    #[serde(rename = "heartbeat")]
    Heartbeat {
        /// `model`, `tools`, `approval` or `summary`.
        waiting_for: String,
        /// Since that began.
        elapsed_ms: u64,
    },
    /// The model call is tried again.
    #[serde(rename = "model.retry")]
    ModelRetry {
        /// Tries after the first.
        attempt: u32,
        /// Milliseconds until then.
        wait_ms: u64,
        /// What went wrong, in one line.
        reason: String,
    },
    /// A local model is loaded or reads its prompt.
    #[serde(rename = "model.progress")]
    ModelProgress {
        /// What it does.
        stage: ModelStage,
        /// Goes from 0 to 1.
        done: f32,
    },
    /// A route begins with this model or goes over to it. What was streamed in this turn is void.
    #[serde(rename = "model.rung")]
    ModelRung(RungTaken),
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
    /// How far it is.
    pub status: ItemStatus,
    /// Present once the item has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    #[serde(flatten)]
    pub body: ItemBody,
}

/// A file that a call made for whoever reads its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Artefact {
    /// Its name, such as `plot-1.svg`.
    pub name: String,
    /// Such as `image/svg+xml`.
    pub media_type: String,
    /// All of it, as text.
    pub content: String,
}

/// What an item is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ItemBody {
    /// In `item.updated` the text is what came since the last update.
    AgentMessage {
        /// What the model said.
        text: String,
    },
    /// What the model thought aloud.
    Reasoning {
        /// Its words.
        text: String,
    },
    /// Reserved.
    Plan {
        /// The plan.
        text: String,
    },
    /// A call of `shell` or `python_exec`.
    CommandExecution {
        /// What was run.
        command: String,
        /// Head and tail of what it printed.
        output: String,
        /// Absent where it did not end by itself.
        exit_code: Option<i32>,
        /// The rung that held it.
        sandbox: String,
        /// What code of `python_exec` drew.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        artefacts: Vec<Artefact>,
    },
    /// What a successful call changed; follows its `tool_call`.
    FileChange {
        /// The file.
        path: String,
        /// `created`, `modified` or `deleted`.
        change: String,
        /// A unified diff.
        diff: String,
    },
    /// Any other call.
    ToolCall {
        /// The tool's name.
        tool: String,
        /// As the model wrote them.
        arguments: serde_json::Value,
        /// What the model was told.
        output: String,
    },
    /// Something was recalled or remembered.
    Memory {
        /// `recall` or `add`.
        action: String,
        /// The item's id.
        id: String,
        /// Its text.
        text: String,
    },
    /// Something that does not end the run.
    Error {
        /// One line.
        message: String,
    },
}
