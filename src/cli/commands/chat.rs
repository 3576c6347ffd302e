//! `agi-agent chat`: a conversation, on a terminal with line editing, elsewhere line by line.

use clap::Args;

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
use crate::cli::task::interrupt::Idle;
use crate::cli::wiring;
use crate::config::layer::Assignments;
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

/// Each line is a task in the same session. Ctrl-C ends the turn, Ctrl-D the conversation.
pub async fn run(args: ChatArgs, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let mut assignments = Assignments::new();
    args.model.assignments(&mut assignments)?;
    args.reach.assignments(&mut assignments);
    let mut settings = context.settings_with(assignments)?;
    settings.model.require_model = args.model.require_model;
    settings.network.record.clone_from(&args.model.record);
    settings.network.replay.clone_from(&args.model.replay);
    // A conversation needs a place for its turns even where nothing is to be kept.
    settings.memory.ephemeral |= args.ephemeral || !settings.memory.enabled;
    settings.memory.enabled = true;
    let history = settings.data_dir.clone().filter(|_| !settings.memory.ephemeral);
    let agent = wiring::agent(context, &settings)?;
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
    let mut idle = Idle::listen();
    loop {
        let line = match next_line(&mut lines, &mut idle).await? {
            Next::Line(line) => line,
            Next::End => break,
            Next::Signal(reason) => return Ok(reason.exit_code()),
        };
        if line.trim().is_empty() {
            continue;
        }
        let request = Task { session: session.clone(), ..Task::text(line) };
        let cancel = Cancellation::new();
        let _signals = task::interrupt::cancel_on_signals(&cancel);
        let output = &mut context.output;
        let outcome =
            task::follow(&agent, request, OutputFormat::Text, None, &cancel, output).await?;
        task::deliver::deliver(&outcome, OutputFormat::Text, context)?;
        task::deliver::explain(&outcome, &mut context.output);
        codes.push(outcome.exit_code);
        let delivery = context.output.delivered(cancel.token(), None).await?;
        if outcome.exit_code == ExitCode::Terminated {
            return Ok(outcome.exit_code);
        }
        if let Some(reason) = cancel.reason()
            && (delivery == Delivery::GivenUp || reason == CancelReason::Terminated)
        {
            return Ok(reason.exit_code());
        }
        // Before this turn's listener goes.
        idle = Idle::listen();
        session = SessionChoice::Resume(outcome.session_id);
    }
    // A script that pipes lines in wants to know whether all went well; a person has seen it.
    let all = ExitCode::first_that_applies(&codes);
    Ok(if lines.is_interactive() { ExitCode::Done } else { all })
}

/// What ends the wait for a line.
enum Next {
    Line(String),
    End,
    Signal(CancelReason),
}

async fn next_line(lines: &mut LineSource, idle: &mut Idle) -> Result<Next, CommandError> {
    let is_interactive = lines.is_interactive();
    let mut line = std::pin::pin!(lines.next());
    loop {
        tokio::select! {
            biased;
            line = &mut line => return Ok(line?.map_or(Next::End, Next::Line)),
            // Ctrl-C is a key at the prompt; as a signal it was meant for the turn that has just ended.
            reason = idle.next() => if !is_interactive || reason != CancelReason::Interrupted {
                return Ok(Next::Signal(reason));
            },
        }
    }
}
