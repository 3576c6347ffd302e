//! From a model's calls to their results: checks arguments, decides what may run side by side, holds
//! deadlines, and gives exactly one terminal outcome per call.
//!
//! Whether a call may run at all is decided between [`prepare`] and [`PreparedCall::approve`], by
//! `agent::approval`. What runs side by side is the registry's scheduler's to say ([`super::schedule`]).
//! Results stand in the order of the calls, whatever order they finished in. A panic inside a tool
//! is an error of that call and of nothing else.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Registry;
use super::Tool;
use super::ToolContext;
use super::ToolError;
use super::ToolOutput;
use super::output;
use super::schedule::Turn;
use super::secrecy;
use crate::protocol::Effect;
use crate::protocol::ItemBody;
use crate::protocol::ItemStatus;
use crate::protocol::RefusedHost;
use crate::protocol::ToolCall;
use crate::protocol::ToolResult;

/// How long a call that was cancelled, or whose deadline passed, has to come back with what it has.
/// Longer than the ladder by which the sandbox ends a child.
pub const GRACE: Duration = Duration::from_secs(4);

/// Progress lines of one call that wait for a slow reader.
const PROGRESS_LINES: usize = 64;

/// A call whose tool exists and whose arguments are right. It cannot run before it is approved.
pub struct PreparedCall {
    pub call: ToolCall,
    pub arguments: Value,
    pub effect: Effect,
    /// What rules and denials are about.
    pub target: String,
    tool: Arc<dyn Tool>,
}

/// A call that somebody who may decide has let through.
pub struct ApprovedCall {
    prepared: PreparedCall,
    condition: Option<Condition>,
}

/// Looks, when a call is about to start, whether what was approved is still what would run; the
/// reason where it is not.
pub type Condition = Box<dyn FnOnce() -> Result<(), String> + Send>;

impl ApprovedCall {
    /// What the call would do to the world.
    pub fn effect(&self) -> Effect {
        self.prepared.effect
    }
}

impl PreparedCall {
    /// Exactly what would happen, for a person who is asked.
    pub fn summary(&self) -> String {
        self.tool.summary(&self.arguments)
    }

    /// Lets the call run.
    pub fn approve(self) -> ApprovedCall {
        ApprovedCall { prepared: self, condition: None }
    }

    /// Lets the call run if `condition` still holds when it starts.
    pub fn approve_while(self, condition: Condition) -> ApprovedCall {
        ApprovedCall { prepared: self, condition: Some(condition) }
    }

    /// The outcome of a call that was not let through. `reason` is told to the model.
    pub fn decline(self, reason: &str) -> CallOutcome {
        let error = ToolError::Denied { target: self.target.clone(), reason: reason.to_owned() };
        CallOutcome::new(self.call, self.effect, self.target, Err(error), Duration::ZERO)
    }
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq)]
pub struct CallOutcome {
    pub call: ToolCall,
    pub effect: Effect,
    pub target: String,
    /// One of the terminal statuses.
    pub status: ItemStatus,
    /// What the model is told.
    pub result: ToolResult,
    /// Details for the event stream, where it is more than a tool call.
    pub item: Option<ItemBody>,
    /// Hosts that a command asked for in vain.
    pub refused: Vec<RefusedHost>,
    /// The host that a command was connected to: what it says may be that host's.
    pub reached: Option<String>,
    /// Present when the tool gave no output.
    pub error: Option<ToolError>,
    /// Without the time the call waited for others.
    pub duration: Duration,
}

impl CallOutcome {
    fn new(
        call: ToolCall,
        effect: Effect,
        target: String,
        result: Result<ToolOutput, ToolError>,
        duration: Duration,
    ) -> Self {
        let (output, error) = match result {
            Ok(output) => (output, None),
            Err(error) => {
                let said = ToolOutput::text(format!("error: {error}")).ended(error.status());
                (said, Some(error))
            }
        };
        let ToolOutput { text, data, item, refused, reached, status } = output;
        let text = output::cut(text, output::TEXT_LIMIT);
        let is_error = status != ItemStatus::Completed;
        let result = ToolResult {
            call_id: call.id.clone(),
            name: call.name.clone(),
            text,
            data,
            is_error,
            origin: None,
        };
        Self { call, effect, target, status, result, item, refused, reached, error, duration }
    }
}

/// What happens while calls run; `index` counts the calls of one [`run_all`].
#[derive(Debug)]
pub enum CallEvent<'a> {
    /// The call has its turn and starts now.
    Started {
        index: usize,
        call: &'a ToolCall,
    },
    Progress {
        index: usize,
        line: String,
    },
    /// Exactly one per call, whether it was started or not.
    Ended {
        index: usize,
        outcome: &'a CallOutcome,
    },
}

/// Finds the tool and checks the arguments. The outcome of a call that cannot run (unknown tool,
/// broken JSON, wrong types) says to the model what was expected.
pub fn prepare(call: ToolCall, registry: &Registry) -> Result<PreparedCall, Box<CallOutcome>> {
    let rejected = |call: ToolCall, error: ToolError| {
        let target = call.arguments.clone();
        Box::new(CallOutcome::new(call, Effect::Pure, target, Err(error), Duration::ZERO))
    };
    let Some(tool) = registry.get(&call.name).cloned() else {
        let error = unknown_tool(&call.name, registry);
        return Err(rejected(call, error));
    };
    let arguments = match arguments_of(&call, tool.as_ref()) {
        Ok(arguments) => arguments,
        Err(error) => return Err(rejected(call, error)),
    };
    let (effect, target) = (tool.effect(&arguments), tool.target(&arguments));
    Ok(PreparedCall { call, arguments, effect, target, tool })
}

/// The arguments of a call as JSON that its tool accepts. Nothing at all means no arguments.
fn arguments_of(call: &ToolCall, tool: &dyn Tool) -> Result<Value, ToolError> {
    let text = call.arguments.trim();
    let arguments = if text.is_empty() {
        Value::Object(serde_json::Map::new())
    } else {
        serde_json::from_str(text).map_err(|error| {
            ToolError::ForModel(format!(
                "the arguments are not JSON: {error}; expected {}",
                super::arguments::shape(&tool.parameters())
            ))
        })?
    };
    tool.check(&arguments)?;
    Ok(arguments)
}

/// What is said of a name that no tool has.
pub fn unknown_tool(name: &str, registry: &Registry) -> ToolError {
    let names = registry.names();
    let nearest = names
        .iter()
        .map(|known| (strsim::jaro_winkler(known, name), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|left, right| left.0.total_cmp(&right.0));
    let advice = match nearest {
        Some((_, known)) => format!("did you mean `{known}`?"),
        None => format!("there are {}", names.join(", ")),
    };
    ToolError::ForModel(format!("there is no tool `{name}`; {advice}"))
}

/// What came of a call that a person makes without a model.
pub struct Alone {
    pub outcome: CallOutcome,
    /// Files that a later git goes by and that are not what they were, in words for the person.
    pub told: Vec<String>,
}

/// Runs a call that a person has asked for. Returns as [`run_all`] does.
pub async fn run_alone(
    prepared: PreparedCall,
    registry: &Registry,
    context: &ToolContext,
) -> Alone {
    let may_write = matches!(prepared.effect, Effect::Write | Effect::Process);
    let known = may_write.then(|| context.sandbox.obeyed_by_git());
    let turn = registry.scheduler().wait(prepared.tool.claim(&prepared.arguments, context));
    let outcome = run_one(0, prepared.approve(), turn, context, &|_| {}).await;
    let told = known.map(|known| known.told(&context.sandbox.obeyed_by_git()));
    Alone { outcome, told: told.unwrap_or_default() }
}

/// Runs the calls. Returns when each has ended, soon after cancellation or the last deadline.
pub async fn run_all(
    calls: Vec<ApprovedCall>,
    registry: &Registry,
    context: &ToolContext,
    on_event: &(dyn Fn(CallEvent<'_>) + Sync),
) -> Vec<CallOutcome> {
    let running = calls.into_iter().enumerate().map(|(index, approved)| {
        // Queued here, in the order in which the model wrote the calls.
        let PreparedCall { tool, arguments, .. } = &approved.prepared;
        let turn = registry.scheduler().wait(tool.claim(arguments, context));
        async move {
            let outcome = run_one(index, approved, turn, context, on_event).await;
            on_event(CallEvent::Ended { index, outcome: &outcome });
            outcome
        }
    });
    join_all(running).await
}

async fn run_one(
    index: usize,
    approved: ApprovedCall,
    turn: impl Future<Output = Turn>,
    context: &ToolContext,
    on_event: &(dyn Fn(CallEvent<'_>) + Sync),
) -> CallOutcome {
    let ApprovedCall { prepared, condition } = approved;
    let PreparedCall { call, arguments, effect, target, tool } = prepared;
    let not_started = tokio::select! {
        biased;
        () = context.cancel.cancelled() => ToolError::Cancelled,
        () = tokio::time::sleep_until(context.deadline) => ToolError::Timeout,
        held = turn => {
            // Other calls may have run since the approval.
            if let Some(Err(reason)) = condition.map(|still_holds| still_holds()) {
                let error = ToolError::Denied { target: target.clone(), reason };
                return CallOutcome::new(call, effect, target, Err(error), Duration::ZERO);
            }
            on_event(CallEvent::Started { index, call: &call });
            let started = Instant::now();
            let result = match secrecy::admit(context, &call.name, effect, &target, arguments) {
                Ok(arguments) => within_bounds(index, &*tool, arguments, context, on_event).await,
                Err(error) => Err(error),
            };
            let result = secrecy::conceal(context, &call.name, &target, result);
            drop(held);
            return CallOutcome::new(call, effect, target, result, started.elapsed());
        }
    };
    CallOutcome::new(call, effect, target, Err(not_started), Duration::ZERO)
}

/// Runs one call under its own deadline, token and progress channel.
async fn within_bounds(
    index: usize,
    tool: &dyn Tool,
    arguments: Value,
    context: &ToolContext,
    on_event: &(dyn Fn(CallEvent<'_>) + Sync),
) -> Result<ToolOutput, ToolError> {
    let (progress, mut lines) = mpsc::channel(PROGRESS_LINES);
    let mut own = context.clone();
    own.cancel = context.cancel.child_token();
    let timeout = tool.timeout(&arguments).unwrap_or(context.call_timeout);
    // A model may name more seconds than a clock can count.
    let end = Instant::now().checked_add(timeout);
    own.deadline = end.map_or(context.deadline, |end| end.min(context.deadline));
    own.progress = Some(progress);
    let mut masked = secrecy::Live::default();

    let mut call = std::pin::pin!(AssertUnwindSafe(tool.run(arguments, &own)).catch_unwind());
    let mut stopped = None;
    let mut until = own.deadline;
    let result = loop {
        tokio::select! {
            biased;
            result = &mut call => break Some(result),
            Some(line) = lines.recv() => {
                if let Some(line) = masked.push(context, &line) {
                    on_event(CallEvent::Progress { index, line });
                }
            }
            () = context.cancel.cancelled(), if stopped.is_none() => {
                stopped = Some(ToolError::Cancelled);
                until = Instant::now() + GRACE;
            }
            () = tokio::time::sleep_until(until) => {
                // How a command ended is not told before what it changed was put back.
                if stopped.is_some() && !own.sandbox.is_putting_back() {
                    break None;
                }
                stopped.get_or_insert(ToolError::Timeout);
                own.cancel.cancel();
                until = Instant::now() + GRACE;
            }
        }
    };
    let mut rest = Vec::new();
    while let Ok(line) = lines.try_recv() {
        rest.extend(masked.push(context, &line));
    }
    rest.extend(masked.finish(context));
    for line in rest {
        on_event(CallEvent::Progress { index, line });
    }
    settle(result, stopped)
}

/// One terminal outcome out of what the tool said (if it came back) and why it was stopped (if it
/// was). What was done is not denied: output of a call that came back late is kept.
fn settle(
    result: Option<Result<Result<ToolOutput, ToolError>, Box<dyn Any + Send>>>,
    stopped: Option<ToolError>,
) -> Result<ToolOutput, ToolError> {
    match (result, stopped) {
        (Some(Ok(Ok(output))), _) => Ok(output),
        (Some(Err(panic)), _) => {
            Err(ToolError::Fatal(format!("the tool panicked: {}", panic_text(&*panic))))
        }
        (_, Some(reason)) => Err(reason),
        (Some(Ok(Err(error))), None) => Err(error),
        // Not reached: without a reason to stop, only the tool ends the loop.
        (None, None) => Err(ToolError::Fatal("the call ended without an outcome".to_owned())),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
#[path = "dispatch_tests.rs"]
mod tests;
