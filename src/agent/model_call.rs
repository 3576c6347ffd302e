//! One call of the model: its deltas become items, its silence heartbeats.
//!
//! Text is told in pieces of at least [`Pacing::coalesce`] apart, so that a fast model does not
//! drown a reader in events. The reply is the truth: an item ends with its whole text, whatever
//! deltas were lost.

use std::borrow::Cow;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::protocol::ChatModel;
use crate::protocol::Event;
use crate::protocol::ItemBody;
use crate::protocol::ItemStatus;
use crate::protocol::ModelDelta;
use crate::protocol::ModelError;
use crate::protocol::ModelErrorKind;
use crate::protocol::ModelReply;
use crate::protocol::ModelRequest;
use crate::protocol::Part;
use crate::protocol::secrets::Vault;

use super::cancel::Cancellation;
use super::events::Emitter;

/// Deltas that wait for us; beyond that the model's side drops them.
const DELTAS: usize = 256;

/// How long a cancelled model has to come back before it is left alone.
const GRACE: Duration = Duration::from_secs(2);

/// The rhythm of events; tests make it quicker.
#[derive(Debug, Clone, Copy)]
pub struct Pacing {
    /// After so much silence a heartbeat is sent.
    pub heartbeat: Duration,
    /// Pieces of text are sent at most this often.
    pub coalesce: Duration,
}

impl Default for Pacing {
    fn default() -> Self {
        Self { heartbeat: Duration::from_secs(5), coalesce: Duration::from_millis(80) }
    }
}

/// What an item of streamed text is about.
#[derive(Clone, Copy)]
enum Kind {
    Message,
    Reasoning,
}

impl Kind {
    fn body(self, text: String) -> ItemBody {
        match self {
            Self::Message => ItemBody::AgentMessage { text },
            Self::Reasoning => ItemBody::Reasoning { text },
        }
    }
}

/// A text on its way.
struct Stream {
    kind: Kind,
    id: Option<String>,
    /// All that came.
    text: String,
    /// How much of it has been told.
    told: usize,
}

impl Stream {
    fn new(kind: Kind) -> Self {
        Self { kind, id: None, text: String::new(), told: 0 }
    }

    fn push(&mut self, emitter: &Emitter, text: &str) {
        if self.id.is_none() {
            self.id = Some(emitter.start(self.kind.body(String::new())));
        }
        self.text.push_str(text);
    }

    /// How far it can be told: its last word may be the beginning of a secret.
    fn tellable(&self, vault: &Vault) -> usize {
        let from = self.text.len().saturating_sub(vault.longest_form());
        let from = self.text.floor_char_boundary(from);
        // No further back: a text may be long, have no blanks and be asked for at each piece.
        let word = self.text[from..].rfind(|c: char| !c.is_ascii_graphic());
        word.map_or(from, |at| self.text.ceil_char_boundary(from + at + 1))
    }

    fn flush(&mut self, emitter: &Emitter, vault: &Vault) {
        let end = self.tellable(vault);
        if let Some(id) = &self.id
            && self.told < end
        {
            let text = vault.conceal_said(&self.text[self.told..end]).into_owned();
            emitter.update(id, self.kind.body(text));
            self.told = end;
        }
    }

    /// Ends the item, with the whole text where the caller has it.
    fn end(&mut self, emitter: &Emitter, vault: &Vault, status: ItemStatus, whole: Option<String>) {
        let text = whole.unwrap_or_else(|| std::mem::take(&mut self.text));
        let text = vault.conceal_said(&text).into_owned();
        match self.id.take() {
            Some(id) => emitter.end(&id, status, self.kind.body(text), None),
            None if text.is_empty() => {}
            None => emitter.instant(status, self.kind.body(text)),
        }
        self.text.clear();
        self.told = 0;
    }
}

/// Asks the model; items and heartbeats go to `emitter`. What it says of the values in `vault` is
/// concealed, there and in the reply.
pub(super) async fn ask(
    model: &dyn ChatModel,
    request: &ModelRequest,
    vault: &Vault,
    emitter: &Emitter,
    cancel: &Cancellation,
    pacing: Pacing,
) -> Result<ModelReply, ModelError> {
    let (sender, mut deltas) = mpsc::channel(DELTAS);
    let reply = model.respond(request, sender, cancel.token().clone());
    let mut streams = Streams {
        reasoning: Stream::new(Kind::Reasoning),
        message: Stream::new(Kind::Message),
        vault,
    };
    let work = async {
        let mut reply = std::pin::pin!(reply);
        let mut abandon = std::pin::pin!(async {
            cancel.token().cancelled().await;
            tokio::time::sleep(GRACE).await;
        });
        let mut next_flush = Instant::now() + pacing.coalesce;
        loop {
            tokio::select! {
                biased;
                result = &mut reply => break result,
                Some(delta) = deltas.recv() => {
                    streams.take(emitter, delta);
                    if Instant::now() >= next_flush {
                        streams.flush(emitter);
                        next_flush = Instant::now() + pacing.coalesce;
                    }
                }
                () = tokio::time::sleep_until(next_flush), if streams.has_news() => {
                    streams.flush(emitter);
                    next_flush = Instant::now() + pacing.coalesce;
                }
                () = &mut abandon => {
                    break Err(ModelError::new(ModelErrorKind::Cancelled, "cancelled"));
                }
            }
        }
    };
    let result = emitter.with_heartbeat(pacing.heartbeat, "model", work).await;
    // What came with the reply, a retry above all, is told before its end.
    while let Ok(delta) = deltas.try_recv() {
        streams.take(emitter, delta);
    }
    streams.end(emitter, &result);
    result.map(|mut reply| {
        // What a provider has signed is checked when it comes back, so reasoning stays as it is there.
        for part in &mut reply.message.parts {
            if let Part::Text { text } = part
                && let Cow::Owned(concealed) = vault.conceal_said(text)
            {
                *text = concealed;
            }
        }
        reply
    })
}

struct Streams<'a> {
    reasoning: Stream,
    message: Stream,
    vault: &'a Vault,
}

impl Streams<'_> {
    fn take(&mut self, emitter: &Emitter, delta: ModelDelta) {
        match delta {
            ModelDelta::Text { text } => self.message.push(emitter, &text),
            ModelDelta::Reasoning { text } => self.reasoning.push(emitter, &text),
            // A call is told when it is made.
            ModelDelta::ToolCall { .. } => {}
            ModelDelta::Progress { stage, done } => {
                emitter.event(Event::ModelProgress { stage, done });
            }
            ModelDelta::Retry { attempt, wait_ms, reason } => {
                // The next try says everything again.
                self.reasoning.end(emitter, self.vault, ItemStatus::Failed, None);
                self.message.end(emitter, self.vault, ItemStatus::Failed, None);
                emitter.event(Event::ModelRetry { attempt, wait_ms, reason });
            }
            ModelDelta::Rung(taken) => {
                self.reasoning.end(emitter, self.vault, ItemStatus::Failed, None);
                self.message.end(emitter, self.vault, ItemStatus::Failed, None);
                emitter.rung(taken);
            }
        }
    }

    fn has_news(&self) -> bool {
        [&self.reasoning, &self.message]
            .iter()
            .any(|stream| stream.told < stream.tellable(self.vault))
    }

    fn flush(&mut self, emitter: &Emitter) {
        self.reasoning.flush(emitter, self.vault);
        self.message.flush(emitter, self.vault);
    }

    fn end(&mut self, emitter: &Emitter, result: &Result<ModelReply, ModelError>) {
        match result {
            Ok(reply) => {
                let thought: String = reply
                    .message
                    .parts
                    .iter()
                    .filter_map(|part| match part {
                        Part::Reasoning { text, .. } => Some(text.as_str()),
                        _ => None,
                    })
                    .collect();
                self.reasoning.end(emitter, self.vault, ItemStatus::Completed, Some(thought));
                let said = reply.message.plain_text();
                self.message.end(emitter, self.vault, ItemStatus::Completed, Some(said));
            }
            Err(error) => {
                let status = match error.kind {
                    ModelErrorKind::Cancelled => ItemStatus::Cancelled,
                    ModelErrorKind::Timeout => ItemStatus::Timeout,
                    _ => ItemStatus::Failed,
                };
                self.flush(emitter);
                self.reasoning.end(emitter, self.vault, status, None);
                self.message.end(emitter, self.vault, status, None);
            }
        }
    }
}

#[cfg(test)]
#[path = "model_call_tests.rs"]
mod tests;
