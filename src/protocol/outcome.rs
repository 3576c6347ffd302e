//! How a run ended: the last event's content, and what `--output-format json` prints.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use super::exit_code::ExitCode;
use super::model::RungTaken;
use super::usage::Usage;

/// The end in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    Completed,
    Failed,
    Limited,
    Cancelled,
}

/// A tool call that was not allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Denial {
    /// The tool's name.
    pub tool: String,
    /// What the call was aimed at: a path, a command, a host.
    pub target: String,
    /// Why not, in one line.
    pub reason: String,
    /// The same tool succeeded on the same target later, so the denial no longer counts.
    #[serde(default)]
    pub resolved: bool,
}

/// How a run ended. `exit_code` is final: the command line prints it, it does not decide it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// The end in one word.
    pub outcome: OutcomeKind,
    /// What the process ends with.
    pub exit_code: ExitCode,
    /// The final answer; empty when there is none.
    pub text: String,
    /// The answer as data when an output schema was asked for and met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub structured: Option<serde_json::Value>,
    /// `provider/name` of the model that answered.
    pub model: String,
    /// With a route: the last model that was asked, and why the one before it was left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rung_taken: Option<RungTaken>,
    /// As `--session` takes it.
    pub session_id: String,
    /// Tokens of the whole run.
    pub usage: Usage,
    /// US dollars, where prices are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// Of the whole run.
    pub duration_ms: u64,
    /// Model calls that were begun.
    pub turns: u32,
    /// Every call that was declined.
    pub denials: Vec<Denial>,
    /// One line each, most important first; that of a post-condition is followed by the last lines of
    /// what it printed, indented.
    pub errors: Vec<String>,
    /// What to do about the first error, where we know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
    /// The rung that children really got (`none` when no child was started).
    pub sandbox_level: String,
}
