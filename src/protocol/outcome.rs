//! How a run ended: the last event's content, and what `--output-format json` prints.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use super::event::ItemStatus;
use super::exit_code::ExitCode;
use super::json_text::JsonText;
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

/// How the tool calls of a run ended, in numbers. A command that ends with another code than 0 has
/// failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CallCounts {
    /// Calls that succeeded.
    pub completed: u32,
    /// Calls that did not.
    pub failed: u32,
    /// Calls that were not allowed; `denials` says which.
    pub declined: u32,
    /// Calls that ran out of time.
    pub timed_out: u32,
    /// Calls that were ended with the run.
    pub cancelled: u32,
    /// Tools of which no call succeeded after one that failed or ran out of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmended: Vec<String>,
}

impl CallCounts {
    /// Counts a call that has ended.
    pub fn count(&mut self, tool: &str, status: ItemStatus) {
        match status {
            ItemStatus::Completed => {
                self.completed += 1;
                self.unmended.retain(|name| name != tool);
            }
            ItemStatus::Declined => self.declined += 1,
            ItemStatus::Cancelled => self.cancelled += 1,
            ItemStatus::Timeout => self.timed_out += 1,
            // No call ends in progress.
            ItemStatus::Failed | ItemStatus::InProgress => self.failed += 1,
        }
        let failed = matches!(status, ItemStatus::Failed | ItemStatus::Timeout);
        if failed && !self.unmended.iter().any(|name| name == tool) {
            self.unmended.push(tool.to_owned());
        }
    }

    /// All of them.
    pub fn total(&self) -> u32 {
        self.completed + self.failed + self.declined + self.timed_out + self.cancelled
    }
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
    pub structured: Option<JsonText>,
    /// `provider/name` of the model that answered; empty where the run could not begin.
    pub model: String,
    /// With a route: the last model that was asked, and why the one before it was left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rung_taken: Option<RungTaken>,
    /// As `--session` takes it; empty where the run could not begin.
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
    /// The tool calls of the whole run; post-conditions are none.
    #[serde(default)]
    pub calls: CallCounts,
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
