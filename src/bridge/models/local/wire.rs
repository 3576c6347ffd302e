//! What crosses to `agi_agent.local` and back (`local.*`); `_wire.py` has the same as types.

use serde::Deserialize;
use serde::Serialize;

use super::Found;
use crate::config::models::local::Sampling;
use crate::config::models::local::ToolChoice;
use crate::config::settings::ModelSettings;
use crate::protocol::ModelDelta;
use crate::protocol::ModelReply;
use crate::protocol::ModelRequest;
use crate::protocol::ModelStage;

#[derive(Debug, Serialize)]
pub(super) struct OpenPayload<'a> {
    pub(super) model: Model<'a>,
    pub(super) request: &'a ModelRequest,
}

/// What Python needs to know of the model and the person's wishes.
#[derive(Debug, Serialize)]
pub(super) struct Model<'a> {
    source: &'a str,
    name: &'a str,
    context_window: u64,
    max_output_tokens: Option<u32>,
    temperature: Option<f64>,
    threads: Option<u32>,
    sampling: Sampling,
    thinking: bool,
    tool_choice: ToolChoice,
    context_shift: bool,
    draft_tokens: u32,
}

impl<'a> Model<'a> {
    pub(super) fn new(settings: &'a ModelSettings, found: &'a Found, window: u64) -> Self {
        let local = &settings.local;
        Self {
            source: &found.source,
            name: &found.name,
            context_window: window,
            max_output_tokens: settings.max_output_tokens,
            temperature: settings.temperature,
            threads: local.threads,
            sampling: local.sampling,
            thinking: local.thinking,
            tool_choice: local.tool_choice,
            context_shift: local.context_shift,
            draft_tokens: local.draft_tokens,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct OpenAnswer {
    pub(super) stream: u64,
    /// A job.
    pub(super) wait: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct StreamPayload {
    pub(super) stream: u64,
}

/// Either the reply, or the job that is waited for next.
#[derive(Debug, Deserialize)]
pub(super) struct FeedAnswer {
    pub(super) deltas: Vec<ModelDelta>,
    pub(super) wait: Option<u64>,
    pub(super) stage: Option<Stage>,
    pub(super) reply: Option<ModelReply>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    Load,
    Read,
    Write,
}

impl Stage {
    /// The stage as a person is told of it; while it writes, the text speaks for itself.
    pub(super) fn silent(self) -> Option<ModelStage> {
        match self {
            Self::Load => Some(ModelStage::Load),
            Self::Read => Some(ModelStage::Read),
            Self::Write => None,
        }
    }
}
