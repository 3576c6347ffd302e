//! Shows the events of a run: as JSON lines on stdout, or as progress on stderr.
//!
//! The agent emits into a queue and never waits for a slow reader; the command's own task empties
//! it.

use std::sync::Mutex;
use std::sync::PoisonError;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::agent::events::Enveloper;
use crate::cli::commands::run::OutputFormat;
use crate::cli::error::WriteError;
use crate::cli::output::Behind;
use crate::cli::output::Output;
use crate::protocol::Event;
use crate::protocol::EventSink;
use crate::protocol::Item;
use crate::protocol::ItemBody;
use crate::protocol::ItemStatus;
use crate::protocol::ModelStage;
use crate::protocol::RungTaken;
use crate::protocol::event::Envelope;

/// Bytes of events that may wait for their reader before the run does.
const BACKLOG: usize = 1 << 20;

/// The agent's end of the queue.
pub struct EventQueue {
    /// Whoever writes the events, where somebody else reads them.
    behind: Option<Behind>,
    /// Numbering and sending are one step, so that lines never come out of order.
    sender: Mutex<(Enveloper, mpsc::UnboundedSender<Envelope>)>,
}

impl EventQueue {
    /// Both ends. The queue is bounded by the run: text updates are coalesced by the agent, and left out
    /// where their reader is too slow; a step of the run waits until that one has caught up.
    pub fn new(behind: Option<Behind>) -> (Self, mpsc::UnboundedReceiver<Envelope>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { behind, sender: Mutex::new((Enveloper::default(), sender)) }, receiver)
    }
}

/// Whether a reader can do without.
fn is_passing(event: &Event) -> bool {
    matches!(event, Event::ItemUpdated { .. } | Event::Heartbeat { .. })
}

#[async_trait]
impl EventSink for EventQueue {
    fn emit(&self, event: Event) {
        if is_passing(&event) && self.behind.as_ref().is_some_and(|it| it.is_over(BACKLOG)) {
            return;
        }
        let mut guard = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let envelope = guard.0.wrap(event);
        // The receiver is gone only when the command has given up on its output.
        drop(guard.1.send(envelope));
    }

    async fn ready(&self) {
        if let Some(behind) = &self.behind {
            behind.room(BACKLOG).await;
        }
    }
}

/// Shows one event the way the person asked for.
pub fn show(
    envelope: &Envelope,
    format: OutputFormat,
    output: &mut Output,
) -> Result<(), WriteError> {
    if format == OutputFormat::Jsonl {
        output.json_line(envelope)?;
    }
    if let Some(line) = progress_line(&envelope.event, output) {
        output.status(&line);
    }
    Ok(())
}

/// What a person wants to see go by: on a terminal always, elsewhere with `-v`. Retries and
/// compaction explain a wait or a loss, and they and warnings are told in any case.
fn progress_line(event: &Event, output: &Output) -> Option<String> {
    let chatty = output.shows_progress() || output.verbosity() > 0;
    match event {
        Event::ModelRetry { attempt, wait_ms, reason } => {
            Some(format!("retry {attempt} in {wait_ms} ms: {reason}"))
        }
        Event::ModelProgress { stage, done } if output.shows_progress() => {
            let what = match stage {
                ModelStage::Load => "loading the model",
                ModelStage::Read => "reading the prompt",
            };
            // Not every model says how far it is.
            let share = (*done > 0.0).then(|| format!(": {:.0} %", f64::from(*done) * 100.0));
            Some(format!("{what}{}", share.unwrap_or_default()))
        }
        Event::ModelRung(RungTaken { place, model, reason: Some(reason), .. }) => {
            Some(format!("note: rung {place}, `{model}`, answers now: {reason}"))
        }
        Event::ModelRung(RungTaken { route, place, model, .. }) if chatty || *place > 1 => {
            Some(format!("model: {model} (rung {place} of route {route})"))
        }
        Event::ContextCompacted { tokens_before, tokens_after, .. } => Some(format!(
            "note: the conversation was shortened from about {tokens_before} to {tokens_after} tokens"
        )),
        // What was skipped, could not be kept, or turned up by itself.
        Event::ItemCompleted { item: Item { body: ItemBody::Error { message }, .. } } => {
            Some(format!("warning: {}", crate::cli::output::printable(message)))
        }
        Event::Heartbeat { waiting_for, elapsed_ms } if chatty => {
            Some(format!("still waiting for {waiting_for} ({} s)", elapsed_ms / 1000))
        }
        Event::ItemCompleted { item } if chatty => item_line(item),
        _ => None,
    }
}

fn item_line(item: &Item) -> Option<String> {
    let what = match &item.body {
        ItemBody::CommandExecution { command, exit_code, .. } => match exit_code {
            Some(code) => format!("$ {command}  (exit {code})"),
            None => format!("$ {command}"),
        },
        ItemBody::FileChange { path, change, .. } => format!("{change} {path}"),
        ItemBody::ToolCall { tool, arguments, .. } => format!("{tool} {arguments}"),
        ItemBody::Memory { action, text, .. } => format!("memory {action}: {text}"),
        ItemBody::Plan { text } => text.clone(),
        ItemBody::Error { message } => format!("error: {message}"),
        ItemBody::AgentMessage { .. } | ItemBody::Reasoning { .. } => return None,
    };
    let status = match item.status {
        ItemStatus::Completed | ItemStatus::InProgress => "",
        ItemStatus::Failed => "failed: ",
        ItemStatus::Declined => "declined: ",
        ItemStatus::Cancelled => "cancelled: ",
        ItemStatus::Timeout => "timed out: ",
    };
    Some(format!("{status}{}", crate::cli::output::printable(&what)))
}
