//! A tool as the model sees it, one call of it and its result.
//!
//! What a tool does is in `tools`; whether it may is in `agent::approval`.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

/// What a call can do to the world; approval and scheduling go by it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Computes from its arguments only.
    Pure,
    /// Reads files or the agent's memory.
    Read,
    /// Writes the agent's own memory.
    Remember,
    /// Writes files.
    Write,
    /// Starts or ends processes.
    Process,
    /// Talks to other machines.
    Network,
}

/// A tool as it is offered to a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ToolSpec {
    pub name: String,
    pub description: String,
    /// JSON Schema (an object type) of the arguments, as short as it can be said.
    pub parameters: serde_json::Value,
}

/// A call as the model wrote it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ToolCall {
    /// Unique within the conversation; providers match results to calls by it.
    pub id: String,
    pub name: String,
    /// The arguments as JSON text, not parsed: a model that writes broken JSON is told so by
    /// `tools::dispatch`, and its words are kept.
    pub arguments: String,
}

/// What came of a call, as the model is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ToolResult {
    pub call_id: String,
    pub name: String,
    /// Text for the model; already cut to the tool's bound.
    pub text: String,
    /// The same result as data, where the tool has one (`builtin` and `--json` read this).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<serde_json::Value>,
    /// The call failed, was declined, cancelled or timed out.
    #[serde(default)]
    pub is_error: bool,
    /// Where the text comes from, if not from the workspace: nobody here vouches for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}
