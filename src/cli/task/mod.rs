//! One run, from arguments to exit code: gather the task, build the agent, show what happens,
//! deliver the result.
//!
//! Decides nothing about the run itself: the outcome's exit code is the agent's.

pub mod answer_file;

pub mod approve;

pub mod deliver;

pub mod interrupt;

pub mod refused;

pub mod render;

pub mod schema;

pub mod gather;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::agent::Agent;
use crate::agent::CancelReason;
use crate::agent::Cancellation;
use crate::agent::SessionChoice;
use crate::agent::Task;
use crate::bridge::models::local::Custom;
use crate::config::settings::Ephemeral;
use crate::config::settings::Settings;
use crate::protocol::Approver;
use crate::protocol::Event;
use crate::protocol::EventSink;
use crate::protocol::ExitCode;
use crate::protocol::Outcome;
use crate::protocol::event::Envelope;

use super::commands::run::OutputFormat;
use super::commands::run::RunArgs;
use super::context::CommandContext;
use super::error::CommandError;
use super::error::WriteError;
use super::output::Delivery;
use super::output::Output;
use super::wiring;
use answer_file::AnswerFile;
use approve::TerminalApprover;
use gather::TaskSource;
use interrupt::Watch;
use render::EventQueue;

/// How long the answer of a run whose time is up may take to be read.
const AFTER_TIME_OUT: Duration = Duration::from_secs(2);

/// Carries out `agi-agent run`.
pub async fn execute(
    args: RunArgs,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let started = Instant::now();
    let cancel = Cancellation::new();
    let watch = Watch::over(&cancel);
    let format = args.format(context.global.json);
    let mut settings = context.settings_with(args.assignments()?)?;
    context.look_for(&args.reach.places)?;
    if args.ephemeral {
        settings.memory.ephemeral = Some(Ephemeral::Asked);
    }
    args.model.apply(&mut settings, context);
    watch.until(settings.limits.timeout.and_then(|timeout| started.checked_add(timeout)));
    let source = TaskSource {
        task: args.task,
        stdin: args.stdin,
        files: args.files,
        mode: settings.stdin,
        schema: args.output_schema,
    };
    let (input, output_schema) = gather::gather(source, context, &cancel).await?;
    let file = args.output_file.as_deref();
    let file = file.map(|path| AnswerFile::prepare(path, context)).transpose()?;
    let agent = wiring::agent(context, &settings, cancel.token());
    let agent = agent.map_err(|error| ended_before(&cancel).unwrap_or(error))?;
    announce(&settings, &mut context.output);
    let session = match (args.session, args.continue_last) {
        (Some(id), _) => SessionChoice::Resume(id),
        (None, true) => SessionChoice::Latest,
        (None, false) => SessionChoice::New,
    };
    let (started, expect, forbid) = (Some(started), args.expect, args.forbid);
    let task = Task { input, session, output_schema, expect, forbid, started };
    context.output.never_wait()?;
    let outcome = follow(&agent, task, format, file, &cancel, &mut context.output).await?;
    let written = deliver::deliver(&outcome, format, context);
    let patience = (outcome.exit_code == ExitCode::TimeOut).then_some(AFTER_TIME_OUT);
    match context.output.delivered(cancel.token(), patience).await? {
        Delivery::Whole => {
            written?;
            deliver::explain(&outcome, &mut context.output);
            let (recording, code) = (agent.recording(), outcome.exit_code);
            deliver::tell_of_recording(recording, code, &mut context.output);
            Ok(outcome.exit_code)
        }
        // Where nobody reads, nobody is told why either.
        Delivery::GivenUp => Ok(cancel.reason().map_or(outcome.exit_code, CancelReason::exit_code)),
    }
}

/// What ended a run that had not begun yet; `None` where nothing did.
pub fn ended_before(cancel: &Cancellation) -> Option<CommandError> {
    let reason = cancel.reason()?;
    let message = format!("{} before the run could begin", reason.as_str());
    Some(CommandError::new(reason.exit_code(), message))
}

/// Nobody should mistake the builtin model for the one they thought they had configured.
fn announce(settings: &Settings, output: &mut Output) {
    if settings.model.provider == "custom" {
        output.status(&Custom::choose(&settings.model).told(&settings.model));
    } else if settings.model.provider == "builtin" {
        let why = if settings.model.named { "" } else { " (no model is configured)" };
        output.status(&format!("model: builtin{why}"));
    }
}

/// Runs the agent and shows its events as they come. When they cannot be shown any more, the run is
/// cancelled: nobody would learn what else it does. The answer is in its `file` before the result is
/// told, and what came of that is part of the outcome.
pub async fn follow(
    agent: &Agent,
    task: Task,
    format: OutputFormat,
    mut file: Option<AnswerFile>,
    cancel: &Cancellation,
    output: &mut Output,
) -> Result<Outcome, CommandError> {
    let (queue, mut events) = EventQueue::new(output.behind());
    let sink: Arc<dyn EventSink> = Arc::new(queue);
    let approver =
        TerminalApprover::if_possible().map(|person| Arc::new(person) as Arc<dyn Approver>);
    let run = agent.run(task, sink, approver, cancel);
    let mut run = std::pin::pin!(run);
    let mut broken: Option<WriteError> = None;
    let mut show = |envelope: Envelope| {
        if broken.is_none()
            && let Err(error) = render::show(&envelope, format, output)
        {
            broken = Some(error);
            cancel.cancel(CancelReason::Terminated);
        }
        match envelope.event {
            Event::Result(outcome) => Some(*outcome),
            _ => None,
        }
    };
    let mut told = None;
    let outcome = loop {
        tokio::select! {
            biased;
            Some(envelope) = events.recv() => {
                told = show(filed(envelope, &mut file, cancel).await).or(told);
            }
            outcome = &mut run => break outcome,
        }
    };
    while let Ok(envelope) = events.try_recv() {
        told = show(filed(envelope, &mut file, cancel).await).or(told);
    }
    match broken {
        Some(error) => Err(error.into()),
        None => Ok(told.unwrap_or(outcome)),
    }
}

/// The event, once the answer that it tells of is in its file.
async fn filed(
    mut envelope: Envelope,
    file: &mut Option<AnswerFile>,
    cancel: &Cancellation,
) -> Envelope {
    if let Event::Result(outcome) = &mut envelope.event
        && let Some(file) = file.take()
    {
        file.settle(&deliver::answer(outcome), outcome, cancel).await;
    }
    envelope
}
