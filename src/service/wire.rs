//! The lines of `serve --stdio`: requests, answers and what is told unasked. Plain data.
//!
//! One JSON object per line, UTF-8, no line breaks inside. New keys may be added to what we send;
//! unknown keys in what is sent to us are errors.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use crate::memory::NewItem;
use crate::protocol::Part;

mod told;

pub use told::Answer;
pub use told::AnswerBody;
pub use told::Failure;
pub use told::FailureKind;
pub use told::Hello;
pub use told::Notice;
pub use told::RunStarted;
pub use told::ToolList;
pub use told::ToolRan;
pub use told::Warning;

/// The version of these lines.
pub const PROTOCOL_VERSION: u32 = 1;

/// Every line of a conversation, for the schema.
#[derive(JsonSchema)]
#[serde(untagged)]
pub enum Line {
    Request(Request),
    Answer(Answer),
    Notice(Notice),
}

/// What a client sends. `id` comes back with the answer; it should differ from request to request.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Request {
    pub id: RequestId,
    #[serde(flatten)]
    pub call: Call,
}

/// A number or a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RequestId {
    Number(u64),
    Text(String),
}

/// A method and its parameters.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "method", content = "params")]
pub enum Call {
    /// Who speaks; the answer is [`Hello`]. Not required.
    #[serde(rename = "hello")]
    Hello(HelloParams),
    /// Starts a run; the answer is [`RunStarted`], then come `event` notices up to the `result`.
    #[serde(rename = "run.start")]
    RunStart(RunStart),
    /// Cancels a run. Its `result` still comes.
    #[serde(rename = "run.cancel")]
    RunCancel(RunName),
    /// Answers an `approval.request`.
    #[serde(rename = "approval.respond")]
    ApprovalRespond(ApprovalRespond),
    /// The tools; the answer is [`ToolList`].
    #[serde(rename = "tool.list")]
    ToolList(OptionsOnly),
    /// Runs a tool without any model; the answer is [`ToolRan`].
    #[serde(rename = "tool.run")]
    ToolRun(ToolRun),
    /// Stores an item; the answer is the item, durable.
    #[serde(rename = "memory.add")]
    MemoryAdd(NewItem),
    /// One item.
    #[serde(rename = "memory.get")]
    MemoryGet(ItemName),
    /// The best items with their scores.
    #[serde(rename = "memory.search")]
    MemorySearch(MemorySearch),
    /// All items, newest change first.
    #[serde(rename = "memory.list")]
    MemoryList(MemoryList),
    /// Deletes items; the answer has the ids that were there.
    #[serde(rename = "memory.delete")]
    MemoryDelete(ItemNames),
    /// The memory in numbers.
    #[serde(rename = "memory.stats")]
    MemoryStats(Nothing),
    /// The stored sessions, last used first.
    #[serde(rename = "session.list")]
    SessionList(SessionList),
    /// One session with its messages.
    #[serde(rename = "session.show")]
    SessionShow(SessionName),
    /// The configuration, or one key of it.
    #[serde(rename = "config.get")]
    ConfigGet(ConfigGet),
    /// Ends the service: every run is cancelled and ends, then the answer comes, then the end.
    #[serde(rename = "shutdown")]
    Shutdown(Nothing),
}

/// Every method, as `hello` lists them.
pub const METHODS: [&str; 16] = [
    "hello",
    "run.start",
    "run.cancel",
    "approval.respond",
    "tool.list",
    "tool.run",
    "memory.add",
    "memory.get",
    "memory.search",
    "memory.list",
    "memory.delete",
    "memory.stats",
    "session.list",
    "session.show",
    "config.get",
    "shutdown",
];

/// No parameters.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Parameters of `hello`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HelloParams {
    /// Name and version of the client, for logs.
    #[serde(default)]
    pub client: Option<String>,
    /// The protocol version the client was written for.
    #[serde(default)]
    pub protocol: Option<u32>,
}

/// What a client wants different from the configuration.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunOptions {
    /// The working directory; the service's own where nothing is said.
    #[serde(default)]
    pub cwd: Option<PathBuf>,
    /// Configuration keys and values, as `-c key=value` on the command line.
    #[serde(default)]
    pub config: Map<String, Value>,
}

/// Parameters of `run.start`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunStart {
    /// The task in words.
    pub task: String,
    /// Further input: texts of files, images.
    #[serde(default)]
    pub input: Vec<Part>,
    /// Goes on with this stored session.
    #[serde(default)]
    pub session: Option<String>,
    /// Goes on with the session used last in the working directory.
    #[serde(default, rename = "continue")]
    pub continue_last: bool,
    /// JSON Schema that the answer must meet.
    #[serde(default)]
    pub output_schema: Option<Value>,
    /// Commands that must succeed after the run.
    #[serde(default)]
    pub expect: Vec<String>,
    /// Commands that must not.
    #[serde(default)]
    pub forbid: Vec<String>,
    /// The client answers `approval.request`; otherwise nobody can be asked.
    #[serde(default)]
    pub approvals: bool,
    #[serde(default)]
    pub options: RunOptions,
}

/// A run of this connection.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunName {
    pub run: String,
}

/// Parameters of `approval.respond`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRespond {
    /// The id of the `approval.request`.
    pub approval: String,
    pub verdict: WireVerdict,
    /// With `allow_pattern`: the rule `tool(pattern)`.
    #[serde(default)]
    pub rule: Option<String>,
}

/// A person's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WireVerdict {
    AllowOnce,
    AllowForSession,
    AllowPattern,
    Deny,
}

/// Parameters of `tool.list`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OptionsOnly {
    #[serde(default)]
    pub options: RunOptions,
}

/// Parameters of `tool.run`. The client is taken to be the person, as in `agi-agent tool run`: nobody
/// is asked; the sandbox and the file opener hold.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolRun {
    pub name: String,
    #[serde(default)]
    pub arguments: Map<String, Value>,
    #[serde(default)]
    pub options: RunOptions,
}

/// An item of the memory.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemName {
    pub id: String,
}

/// Items of the memory.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemNames {
    pub ids: Vec<String>,
}

/// Parameters of `memory.search`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemorySearch {
    pub query: String,
    #[serde(default = "ten")]
    pub limit: usize,
    #[serde(default)]
    pub category: Option<String>,
    #[serde(default)]
    pub tags: Vec<String>,
}

/// Parameters of `memory.list`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemoryList {
    #[serde(default = "hundred")]
    pub limit: usize,
    #[serde(default)]
    pub offset: usize,
    #[serde(default)]
    pub category: Option<String>,
    #[serde(default)]
    pub tags: Vec<String>,
}

/// Parameters of `session.list`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionList {
    #[serde(default = "hundred")]
    pub limit: usize,
}

/// A stored session.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionName {
    pub session: String,
}

/// Parameters of `config.get`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigGet {
    /// `model.name`; everything where nothing is said.
    #[serde(default)]
    pub key: Option<String>,
}

fn ten() -> usize {
    10
}

fn hundred() -> usize {
    100
}
