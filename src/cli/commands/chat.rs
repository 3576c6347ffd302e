//! `agi-agent chat`: a conversation, on a terminal with line editing, elsewhere line by line.

use clap::Args;
use tokio::time::Instant;

use super::run::ModelArgs;
use super::run::OutputFormat;
use super::run::ReachArgs;
use crate::agent::CancelReason;
use crate::agent::Cancellation;
use crate::agent::SessionChoice;
use crate::agent::Task;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::cli::output::Delivery;
use crate::cli::prompt::LineSource;
use crate::cli::task;
use crate::cli::task::interrupt::Watch;
use crate::cli::wiring;
use crate::config::layer::Assignments;
use crate::config::settings::Ephemeral;
use crate::protocol::ExitCode;

#[derive(Debug, Args)]
pub struct ChatArgs {
    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    reach: ReachArgs,

    /// Go on with a session
    #[arg(long, value_name = "ID", help_heading = "Session")]
    session: Option<String>,
    /// Go on with the last session
    #[arg(long = "continue", help_heading = "Session", conflicts_with = "session")]
    continue_last: bool,
    /// Leave nothing behind
    #[arg(long, help_heading = "Session")]
    ephemeral: bool,
}

/// Each line is a task in the same session. Ctrl-C ends the turn, Ctrl-D the conversation; SIGTERM ends it
/// at any time, and so does SIGINT where nobody types.
pub async fn run(args: ChatArgs, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let mut assignments = Assignments::new();
    args.model.assignments(&mut assignments)?;
    args.reach.assignments(&mut assignments);
    let mut settings = context.settings_with(assignments)?;
    context.look_for(&args.reach.places)?;
    args.model.apply(&mut settings, context);
    // A conversation needs a place for its turns even where nothing is to be kept.
    if args.ephemeral {
        settings.memory.ephemeral = Some(Ephemeral::Asked);
    } else if !settings.memory.enabled {
        settings.memory.ephemeral = Some(Ephemeral::SwitchedOff);
    }
    settings.memory.enabled = true;
    let history = settings.data_dir.clone().filter(|_| settings.memory.ephemeral.is_none());
    let timeout = settings.limits.timeout;
    let started = Cancellation::new();
    let watch = Watch::over(&started);
    let agent = wiring::agent(context, &settings, started.token());
    let agent = agent.map_err(|error| task::ended_before(&started).unwrap_or(error))?;
    let mut session = match (args.session, args.continue_last) {
        (Some(id), _) => SessionChoice::Resume(id),
        (None, true) => SessionChoice::Latest,
        (None, false) => SessionChoice::New,
    };
    let mut lines = LineSource::new(history.map(|folder| folder.join("chat_history")));
    if lines.is_interactive() {
        let name = agent.model_name();
        context.output.status(&format!("{name}; Ctrl-C ends a turn, Ctrl-D the conversation"));
    }
    let mut codes = Vec::new();
    context.output.never_wait()?;
    loop {
        watch.until(None);
        let (line, cancel) = match next_line(&mut lines, &watch).await {
            Ok(asked) => asked,
            Err(reason) => return Ok(reason.exit_code()),
        };
        let Some(line) = line? else { break };
        if line.trim().is_empty() {
            continue;
        }
        watch.until(timeout.map(|timeout| Instant::now() + timeout));
        let request = Task { session: session.clone(), ..Task::text(line) };
        let output = &mut context.output;
        let outcome =
            task::follow(&agent, request, OutputFormat::Text, None, &cancel, output).await?;
        task::deliver::deliver(&outcome, OutputFormat::Text, context)?;
        task::deliver::explain(&outcome, &mut context.output);
        codes.push(outcome.exit_code);
        let delivery = context.output.delivered(cancel.token(), None).await?;
        if let (Delivery::GivenUp, Some(reason)) = (delivery, cancel.reason()) {
            return Ok(reason.exit_code());
        }
        session = SessionChoice::Resume(outcome.session_id);
    }
    // A script that pipes lines in wants to know whether all went well; a person has seen it.
    let all = ExitCode::first_that_applies(&codes);
    task::deliver::tell_of_recording(agent.recording(), all, &mut context.output);
    Ok(if lines.is_interactive() { ExitCode::Done } else { all })
}

/// Whether this is the end of the conversation too, and not of its turn only.
fn ends(reason: CancelReason, is_interactive: bool) -> bool {
    match reason {
        CancelReason::Terminated => true,
        // A person goes on with another line; a script has nobody who could.
        CancelReason::Interrupted => !is_interactive,
        CancelReason::TimeOut => false,
    }
}

/// The next line and what cancels its turn, or what ended the conversation while it was waited for.
async fn next_line(
    lines: &mut LineSource,
    watch: &Watch,
) -> Result<(Result<Option<String>, CommandError>, Cancellation), CancelReason> {
    let is_interactive = lines.is_interactive();
    let mut cancel = Cancellation::new();
    let mut ended = watch.next(&cancel);
    let asked = {
        let mut line = std::pin::pin!(lines.next());
        loop {
            if let Some(reason) = ended.filter(|reason| ends(*reason, is_interactive)) {
                break Err(reason);
            }
            tokio::select! {
                biased;
                () = cancel.token().cancelled() => {
                    cancel = Cancellation::new();
                    ended = watch.next(&cancel);
                }
                line = &mut line => break Ok(line),
            }
        }
    };
    if asked.is_err() {
        lines.abandon();
    }
    asked.map(|line| (line, cancel))
}
