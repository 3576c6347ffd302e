//! The tool calls of one reply: each is decided on, asked about where it must be, run, and told.
//!
//! Runs nothing itself (`tools::dispatch` does) and decides nothing itself (`approval` does).

pub(super) mod excerpt;
pub mod guard;
pub(super) mod items;
pub(super) mod origin;

use std::fmt::Write;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::config::settings::SandboxLevel;
use crate::protocol::Approver;
use crate::protocol::Effect;
use crate::protocol::ExitCode;
use crate::protocol::ItemBody;
use crate::protocol::ItemStatus;
use crate::protocol::Message;
use crate::protocol::Part;
use crate::protocol::RefusedHost;
use crate::protocol::Role;
use crate::protocol::ToolCall;
use crate::tools::Registry;
use crate::tools::ToolContext;
use crate::tools::ToolError;
use crate::tools::dispatch;
use crate::tools::dispatch::CallEvent;
use crate::tools::dispatch::CallOutcome;

use self::guard::Advice;
use super::approval;
use super::approval::Situation;
use super::concealed;
use super::events::Emitter;
use super::model_call::Pacing;
use super::state::RunState;
use crate::agent::approval::consent;

/// What calls are run with.
pub(super) struct CallRoom<'a> {
    pub(super) registry: &'a Registry,
    /// With the run's token, deadline and session id.
    pub(super) context: &'a ToolContext,
    pub(super) situation: &'a Situation,
    pub(super) approver: Option<&'a dyn Approver>,
    pub(super) emitter: &'a Emitter,
    pub(super) pacing: Pacing,
}

/// Whether the run goes on after its calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    GoOn,
    Stop,
}

/// What came of the calls of a reply.
pub(super) struct Done {
    /// One result per call, in order.
    pub(super) results: Message,
    pub(super) flow: Flow,
    /// At least one call ran out of time.
    pub(super) timed_out: bool,
}

/// Carries out the calls of a reply.
pub(super) async fn carry_out(
    room: &CallRoom<'_>,
    calls: Vec<ToolCall>,
    state: &mut RunState,
) -> Done {
    let mut outcomes: Vec<Option<CallOutcome>> = Vec::with_capacity(calls.len());
    let mut approved = Vec::new();
    let mut places = Vec::new();
    for call in calls {
        match dispatch::prepare(call, room.registry) {
            Err(outcome) => {
                items::tell_end(room.emitter, None, &outcome);
                outcomes.push(Some(*outcome));
            }
            Ok(prepared) => match consent::judge(room, &prepared, state).await {
                Ok(condition) => {
                    places.push(outcomes.len());
                    outcomes.push(None);
                    approved.push(match condition {
                        None => prepared.approve(),
                        Some(condition) => prepared.approve_while(condition),
                    });
                }
                Err(reason) => {
                    if let Some(hint) = consent::way_out(room, &prepared, state) {
                        state.ways_out.insert(prepared.target.clone(), hint);
                    }
                    let outcome = prepared.decline(&reason);
                    items::tell_end(room.emitter, None, &outcome);
                    outcomes.push(Some(outcome));
                }
            },
        }
    }
    let may_write = room.situation.level != SandboxLevel::ReadOnly
        && approved.iter().any(|call| matches!(call.effect(), Effect::Write | Effect::Process));
    if may_write && state.obeyed.is_none() {
        state.obeyed = Some(room.context.sandbox.obeyed_by_git());
    }
    let running = run(room, approved);
    let ended = room.emitter.with_heartbeat(room.pacing.heartbeat, "tools", running).await;
    for (place, outcome) in places.into_iter().zip(ended) {
        outcomes[place] = Some(outcome);
    }
    let mut outcomes: Vec<CallOutcome> = outcomes.into_iter().flatten().collect();
    if may_write {
        tell_of_git(room, &mut outcomes, state);
    }
    note(room, outcomes, state)
}

/// An item under way: its id and what was told at its start.
type Begun = Option<(String, ItemBody)>;

pub(super) async fn run(
    room: &CallRoom<'_>,
    approved: Vec<dispatch::ApprovedCall>,
) -> Vec<CallOutcome> {
    let begun: Mutex<Vec<Begun>> = Mutex::new(vec![None; approved.len()]);
    // Locked for single statements only; the emitter is called without it.
    let slots = || begun.lock().unwrap_or_else(PoisonError::into_inner);
    let on_event = |event: CallEvent<'_>| match event {
        CallEvent::Started { index, call } => {
            let body = items::at_start(call);
            let id = room.emitter.start(body.clone());
            slots()[index] = Some((id, body));
        }
        CallEvent::Progress { index, line } => {
            let slot = slots()[index].clone();
            if let Some((id, body)) = slot {
                room.emitter.update(&id, items::with_output(body, line));
            }
        }
        CallEvent::Ended { index, outcome } => {
            let slot = slots()[index].take();
            items::tell_end(room.emitter, slot.map(|(id, _)| id), outcome);
        }
    };
    dispatch::run_all(approved, room.registry, room.context, &on_event).await
}

/// Tells a person, and the model with the last result, of git repositories that were not there before and of
/// other files that a later git goes by.
fn tell_of_git(room: &CallRoom<'_>, outcomes: &mut [CallOutcome], state: &mut RunState) {
    let known = state.obeyed.take().unwrap_or_default();
    let now = room.context.sandbox.obeyed_by_git();
    for message in known.told(&now) {
        if let Some(last) = outcomes.last_mut() {
            // Writing to a string cannot fail.
            write!(last.result.text, "\nnote: {message}").ok();
        }
        room.emitter.instant(ItemStatus::Completed, ItemBody::Error { message });
    }
    state.obeyed = Some(now);
}

/// Enters what came of the calls into the state.
fn note(room: &CallRoom<'_>, outcomes: Vec<CallOutcome>, state: &mut RunState) -> Done {
    let timed_out = outcomes.iter().any(|outcome| outcome.status == ItemStatus::Timeout);
    let mut flow = Flow::GoOn;
    let mut parts = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        let from = origin::of_result(&outcome, room.context, &room.situation.places);
        let mut result = outcome.result;
        result.origin = from;
        concealed::in_result(concealed::vault_of(room.context), &mut result);
        if let Some(from) = result.origin.clone() {
            result.text = origin::framed(&result.text, &from);
            state.origin.get_or_insert(from);
        }
        let name = &outcome.call.name;
        state.calls.count(name, outcome.status);
        if outcome.status == ItemStatus::Completed {
            state.succeeded(name, &outcome.target);
        }
        if let Some(ItemBody::CommandExecution { sandbox, .. }) = &outcome.item {
            state.sandbox = Some(sandbox.clone());
        }
        for RefusedHost { host, reason, can_open } in &outcome.refused {
            let message = format!("`{name}` asked for `{host}`, which {reason}");
            room.emitter.instant(ItemStatus::Declined, ItemBody::Error { message });
            state.deny(name, host, reason);
            if *can_open {
                state.ways_out.insert(host.clone(), approval::net_hint(host));
            }
        }
        match &outcome.error {
            Some(ToolError::Denied { target, reason }) => state.deny(name, target, reason),
            Some(ToolError::SandboxUnavailable(reason)) => {
                state.fail(ExitCode::SandboxUnavailable, reason.clone(), None);
            }
            Some(ToolError::Fatal(reason)) => {
                let line = format!("the tool `{name}` failed: {reason}");
                state.fail(ExitCode::FatalTool, line, None);
                flow = Flow::Stop;
            }
            _ => {}
        }
        match state.guard.record(&outcome.call, result.is_error) {
            Advice::Continue => {}
            Advice::Tell(times) => {
                let note = "\nnote: this very call has failed";
                // Writing to a string cannot fail.
                write!(result.text, "{note} {times} times in a row; do something else").ok();
            }
            Advice::Stop(times) => {
                let line =
                    format!("the model repeated the same failing call to `{name}` {times} times");
                state.fail(ExitCode::TaskFailed, line, None);
                flow = Flow::Stop;
            }
        }
        parts.push(Part::ToolResult(result));
    }
    Done { results: Message { role: Role::Tool, parts }, flow, timed_out }
}
