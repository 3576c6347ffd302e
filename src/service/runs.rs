//! The runs of a connection: started, told about, asked for, cancelled.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use tokio::sync::oneshot;

use super::outgoing::Outgoing;
use super::wire::ApprovalRespond;
use super::wire::Failure;
use super::wire::FailureKind;
use super::wire::Notice;
use super::wire::RunStart;
use super::wire::WireVerdict;
use crate::agent::CancelReason;
use crate::agent::Cancellation;
use crate::agent::SessionChoice;
use crate::agent::Task;
use crate::agent::events::Enveloper;
use crate::protocol::Approver;
use crate::protocol::Event;
use crate::protocol::EventSink;
use crate::protocol::Part;
use crate::protocol::port::Question;
use crate::protocol::port::Verdict;

/// Runs of one connection at a time. Refused, not held back: runs may wait for answers that stand
/// behind the request.
pub(super) const MAX_RUNS: usize = 256;

/// Runs under way and questions without an answer. Clones share both.
#[derive(Clone, Default)]
pub(super) struct Runs(Arc<Inner>);

#[derive(Default)]
struct Inner {
    next: AtomicU64,
    /// Locked for single statements; a run's entry goes when the run ends.
    runs: Mutex<HashMap<String, Cancellation>>,
    /// Locked for single statements; an entry goes with its answer or its run.
    questions: Mutex<HashMap<String, oneshot::Sender<Verdict>>>,
}

impl Runs {
    /// A new run's name and what cancels it; a failure where too many are under way.
    pub(super) fn open(&self) -> Result<(String, Cancellation), Failure> {
        let mut runs = self.runs();
        if runs.len() >= MAX_RUNS {
            let message = format!("{MAX_RUNS} runs are under way");
            return Err(Failure::new(FailureKind::Busy, message)
                .with_hint("start it again when one of them has ended"));
        }
        let name = format!("run_{}", self.0.next.fetch_add(1, Ordering::Relaxed));
        let cancellation = Cancellation::new();
        runs.insert(name.clone(), cancellation.clone());
        Ok((name, cancellation))
    }

    pub(super) fn close(&self, run: &str) {
        self.runs().remove(run);
    }

    /// Cancels a run; its `result` says how it ended.
    pub(super) fn cancel(&self, run: &str) -> Result<(), Failure> {
        let found = self.runs().get(run).cloned();
        let Some(cancellation) = found else {
            return Err(Failure::new(
                FailureKind::NotFound,
                format!("there is no run `{run}` under way"),
            ));
        };
        cancellation.cancel(CancelReason::Interrupted);
        Ok(())
    }

    /// Cancels every run, since nobody is there any more.
    pub(super) fn cancel_all(&self) {
        let all: Vec<Cancellation> = self.runs().values().cloned().collect();
        for cancellation in all {
            cancellation.cancel(CancelReason::Terminated);
        }
    }

    /// Hands a person's answer to the run that waits for it.
    pub(super) fn answer(&self, answer: &ApprovalRespond) -> Result<(), Failure> {
        let approval = &answer.approval;
        let verdict = match (answer.verdict, &answer.rule) {
            (WireVerdict::AllowOnce, _) => Verdict::AllowOnce,
            (WireVerdict::AllowForSession, _) => Verdict::AllowForSession,
            (WireVerdict::AllowPattern, Some(rule)) => Verdict::AllowPattern(rule.clone()),
            (WireVerdict::AllowPattern, None) => {
                let message = "`allow_pattern` needs a `rule`";
                return Err(Failure::new(FailureKind::InvalidParams, message));
            }
            (WireVerdict::Deny, _) => Verdict::Deny,
        };
        let waiting = self.questions().remove(approval);
        match waiting.map(|sender| sender.send(verdict)) {
            Some(Ok(())) => Ok(()),
            // The run was cancelled, or there never was such a question.
            Some(Err(_)) | None => Err(Failure::new(
                FailureKind::NotFound,
                format!("nothing waits for the approval `{approval}`"),
            )),
        }
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<String, Cancellation>> {
        self.0.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn questions(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<Verdict>>> {
        self.0.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The agent's task for a request.
pub(super) fn task(start: &RunStart) -> Result<Task, Failure> {
    let session = match (&start.session, start.continue_last) {
        (Some(_), true) => {
            return Err(Failure::new(
                FailureKind::InvalidParams,
                "`session` and `continue` exclude each other",
            ));
        }
        (Some(id), false) => SessionChoice::Resume(id.clone()),
        (None, true) => SessionChoice::Latest,
        (None, false) => SessionChoice::New,
    };
    let mut input = vec![Part::Text { text: start.task.clone() }];
    for part in &start.input {
        match part {
            Part::Text { .. } | Part::Image { .. } => input.push(part.clone()),
            _ => {
                return Err(Failure::new(
                    FailureKind::InvalidParams,
                    "`input` holds texts and images only",
                ));
            }
        }
    }
    let is_blank = |part: &Part| matches!(part, Part::Text { text } if text.trim().is_empty());
    if input.iter().all(is_blank) {
        return Err(Failure::new(FailureKind::InvalidParams, "there is no task")
            .with_hint("`task` or a text of `input` says what is to be done"));
    }
    Ok(Task {
        input,
        session,
        output_schema: start.output_schema.clone(),
        expect: start.expect.clone(),
        forbid: start.forbid.clone(),
        started: None,
    })
}

/// Sends a run's events to the client.
pub(super) struct RunSink {
    run: String,
    outgoing: Outgoing,
    enveloper: Mutex<Enveloper>,
}

impl RunSink {
    pub(super) fn new(run: String, outgoing: Outgoing) -> Self {
        Self { run, outgoing, enveloper: Mutex::default() }
    }
}

#[async_trait]
impl EventSink for RunSink {
    fn emit(&self, event: Event) {
        let can_be_left_out = matches!(event, Event::ItemUpdated { .. } | Event::Heartbeat { .. });
        if can_be_left_out && self.outgoing.is_crowded() {
            return;
        }
        // Numbered and sent under one lock: the numbers stand in order on the wire.
        let mut enveloper = self.enveloper.lock().unwrap_or_else(PoisonError::into_inner);
        let event = enveloper.wrap(event);
        self.outgoing.send(&Notice::Event { run: self.run.clone(), event });
    }

    async fn ready(&self) {
        self.outgoing.room().await;
    }
}

/// Asks the client, and waits for its answer for as long as the run lasts.
pub(super) struct RunApprover {
    run: String,
    runs: Runs,
    outgoing: Outgoing,
}

impl RunApprover {
    pub(super) fn new(run: String, runs: Runs, outgoing: Outgoing) -> Self {
        Self { run, runs, outgoing }
    }
}

#[async_trait]
impl Approver for RunApprover {
    async fn ask(&self, question: &Question<'_>) -> Verdict {
        let number = self.runs.0.next.fetch_add(1, Ordering::Relaxed);
        let approval = format!("approval_{number}");
        let (sender, receiver) = oneshot::channel();
        self.runs.questions().insert(approval.clone(), sender);
        let _forget = Forget { runs: &self.runs, approval: &approval };
        self.outgoing.send(&Notice::ApprovalRequest {
            run: self.run.clone(),
            approval: approval.clone(),
            call: question.call.clone(),
            summary: question.summary.to_owned(),
            reason: question.reason.to_owned(),
            proposal: question.proposal.map(str::to_owned),
        });
        // A question that nobody can answer any more is answered with no.
        receiver.await.unwrap_or(Verdict::Deny)
    }
}

/// Takes a question away when the run no longer waits for it.
struct Forget<'a> {
    runs: &'a Runs,
    approval: &'a str,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.runs.questions().remove(self.approval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_runs_at_once_are_refused_until_one_has_ended() {
        let runs = Runs::default();
        for number in 0..MAX_RUNS {
            assert_eq!(runs.open().unwrap().0, format!("run_{number}"));
        }
        assert_eq!(runs.open().unwrap_err().kind, FailureKind::Busy);
        runs.close("run_7");
        assert_eq!(runs.open().unwrap().0, format!("run_{MAX_RUNS}"));
    }
}
