//! Keeps the conversation within the model's window: what may be asked, and what is left out before.
//!
//! Decides nothing about the reply.

use super::Turns;
use crate::agent::context::compact;
use crate::agent::context::compact::Plan;
use crate::agent::events::until_cancelled;
use crate::protocol::Event;
use crate::protocol::ItemBody;
use crate::protocol::ItemStatus;
use crate::protocol::Message;
use crate::protocol::ModelError;
use crate::protocol::ModelErrorKind;
use crate::protocol::ModelReply;
use crate::protocol::port::ModelInfo;

/// A conversation is compacted when it fills so much (in percent) of the room for input.
const FULL_PERCENT: u64 = 85;

/// After compaction it fills at most so much of that room.
const TARGET_PERCENT: u64 = 50;

/// Tokens kept free for a reply when no bound of output is set, at most a quarter of the window.
const REPLY_TOKENS: u64 = 4_096;

impl Turns<'_> {
    /// Asks the model, after making room where the conversation fills its window.
    pub(super) async fn ask_with_room(&mut self) -> Result<ModelReply, ModelError> {
        let room = self.room_for_input();
        let is_full = self.state.tokens(self.fixed_tokens()) > room * FULL_PERCENT / 100;
        if is_full && !self.compact(self.target(room)).await {
            self.tell_of_no_room();
        }
        let request = self.request();
        let result = self.ask(&request).await;
        match result {
            Err(error) if error.kind == ModelErrorKind::ContextTooLong => {
                // The provider knows better than our estimate; half of what was too much should do.
                let tokens = self.state.tokens(self.fixed_tokens()).min(room);
                if !self.compact(tokens / 2).await {
                    return Err(error);
                }
                let request = self.request();
                self.ask(&request).await
            }
            result => result,
        }
    }

    /// Tokens of the window that the request may fill.
    fn room_for_input(&self) -> u64 {
        let window = self.parts.model.info().context_window;
        let reply = self.parts.max_output_tokens.map_or(REPLY_TOKENS, u64::from);
        window - reply.min(window / 4)
    }

    /// What compaction aims at. Where instructions and tools alone take most of a small window: half of
    /// what they leave.
    fn target(&self, room: u64) -> u64 {
        let (usual, fixed) = (room * TARGET_PERCENT / 100, self.fixed_tokens());
        if usual >= fixed + fixed / 2 { usual } else { fixed + room.saturating_sub(fixed) / 2 }
    }

    /// Nothing can be left out: the model is asked all the same, since our estimate may be wrong.
    fn tell_of_no_room(&mut self) {
        let ModelInfo { context_window: window, window_setting, .. } = self.parts.model.info();
        let fixed = self.fixed_tokens();
        let mut note = format!(
            "the conversation is too large for the model's context window of {window} tokens, of which \
             instructions and tools take about {fixed}"
        );
        if let Some(setting) = window_setting {
            note.push_str("; if it is larger, set ");
            note.push_str(&setting);
        }
        if !self.state.notes.contains(&note) {
            let message = note.clone();
            self.emitter.instant(ItemStatus::Completed, ItemBody::Error { message });
            self.state.notes.push(note);
        }
    }

    fn fixed_tokens(&self) -> u64 {
        *self.fixed_tokens.get_or_init(|| {
            let tools = serde_json::to_string(&self.specs).map_or(0, |text| text.len());
            compact::estimate_bytes(self.system.len() + tools)
        })
    }

    /// Makes the conversation smaller; false where it cannot be.
    async fn compact(&mut self, target: u64) -> bool {
        let fixed = self.fixed_tokens();
        let before = (self.state.messages.len(), self.state.tokens(fixed));
        let messages = match compact::plan(&self.state.messages, target.saturating_sub(fixed)) {
            Plan::Impossible => return false,
            Plan::Shortened(messages) => messages,
            Plan::Summarise(split) => {
                let summary = self.summarise(&split.removed, target).await;
                split.join(&summary)
            }
        };
        self.state.replace_messages(messages);
        let count = |messages: usize| u64::try_from(messages).unwrap_or(u64::MAX);
        self.emitter.event(Event::ContextCompacted {
            messages_before: count(before.0),
            messages_after: count(self.state.messages.len()),
            tokens_before: before.1,
            tokens_after: self.state.tokens(fixed),
        });
        true
    }

    /// The model's summary, or the digest where it gives none.
    async fn summarise(&mut self, removed: &[Message], bound: u64) -> String {
        let request = compact::summary_request(removed, bound);
        // Nobody listens to these deltas: a summary is no message of the agent's.
        let (deltas, _) = tokio::sync::mpsc::channel(1);
        let reply = self.parts.model.respond(&request, deltas, self.cancel.token().clone());
        let beat = self.parts.pacing.heartbeat;
        let reply = self.emitter.with_heartbeat(beat, "summary", reply);
        // A model that does not come back must not keep a cancelled run.
        match until_cancelled(self.cancel.token(), reply).await {
            Some(Ok(reply)) => {
                self.state.usage.add(&reply.usage);
                self.state.pay(self.parts.prices.of(reply.rung, &reply.usage));
                let text = self.vault().conceal_said(&reply.message.plain_text()).into_owned();
                if text.trim().is_empty() { compact::digest(removed) } else { text }
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "no summary by the model");
                compact::digest(removed)
            }
            None => compact::digest(removed),
        }
    }
}
