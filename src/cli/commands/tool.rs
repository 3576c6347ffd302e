//! `agi-agent tool …`: the agent's tools without any model.
//!
//! The person who runs a tool by hand needs no approval; the sandbox level holds as in a run.

use std::time::Instant;

use clap::Args;
use clap::Subcommand;
use serde_json::json;

use super::run::ReachArgs;
use super::run::sandbox_level;
use crate::agent::Cancellation;
use crate::cli::args::PlacesArgs;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::cli::task::interrupt;
use crate::cli::wiring;
use crate::config::layer::Assignments;
use crate::config::settings::SandboxLevel;
use crate::protocol::ExitCode;
use crate::protocol::ItemStatus;
use crate::protocol::ToolCall;
use crate::tools::dispatch;
use crate::tools::dispatch::Alone;
use crate::tools::dispatch::CallOutcome;

#[derive(Debug, Args)]
pub struct ToolArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum Action {
    /// List the tools that models are offered
    List,
    /// Print what a tool does and the schema of its arguments
    Show {
        /// The tool
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Run a tool; its text goes to stdout, with --json its data
    Run(Box<RunArgs>),
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The tool
    #[arg(value_name = "NAME")]
    name: String,
    /// Its arguments as a JSON object; `-` reads it from standard input
    #[arg(long = "args", value_name = "JSON|-", default_value = "{}", allow_hyphen_values = true)]
    arguments: String,
    /// read-only, workspace-write or danger-full-access
    #[arg(long, value_name = "LEVEL", value_parser = sandbox_level)]
    sandbox: Option<SandboxLevel>,
    #[command(flatten)]
    places: PlacesArgs,
}

pub async fn run(args: ToolArgs, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    match args.action {
        Action::List => list(context),
        Action::Show { name } => show(&name, context),
        Action::Run(args) => run_tool(*args, context).await,
    }
}

fn list(context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let registry = wiring::registry(&context.settings()?);
    if context.global.json {
        context.output.json(&registry.specs())?;
        return Ok(ExitCode::Done);
    }
    let width = registry.tools().map(|tool| tool.name().len()).max().unwrap_or_default();
    for tool in registry.tools() {
        context.output.line(&format!("{:width$}  {}", tool.name(), tool.description()))?;
    }
    Ok(ExitCode::Done)
}

fn show(name: &str, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let registry = wiring::registry(&context.settings()?);
    let Some(tool) = registry.get(name) else {
        return Err(dispatch::unknown_tool(name, &registry).into());
    };
    if context.global.json {
        context.output.json(&tool.spec())?;
        return Ok(ExitCode::Done);
    }
    context.output.line(&format!("{name}: {}", tool.description()))?;
    context.output.line("")?;
    context.output.json(&tool.parameters())?;
    Ok(ExitCode::Done)
}

async fn run_tool(args: RunArgs, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let reach = ReachArgs { sandbox: args.sandbox, places: args.places, ..ReachArgs::default() };
    let mut assignments = Assignments::new();
    reach.assignments(&mut assignments);
    let settings = context.settings_with(assignments)?;
    context.look_for(&reach.places)?;
    let arguments = super::file::text_or_stdin(args.arguments)?;
    let registry = wiring::registry(&settings);
    let call = ToolCall { id: "1".to_owned(), name: args.name, arguments };
    let prepared = match dispatch::prepare(call, &registry) {
        Ok(prepared) => prepared,
        Err(outcome) => return tell(*outcome, context),
    };
    let client = wiring::client(&settings)?;
    let memory = wiring::memory(&settings, &context.output)?;
    let mut tools = wiring::tool_context(context, &settings, memory, client)?;
    let cancellation = Cancellation::new();
    tools.cancel = cancellation.token().clone();
    let _signals = interrupt::Watch::over(&cancellation);
    context.output.never_wait()?;
    let begin = Instant::now();
    let Alone { outcome, told: of_git } = dispatch::run_alone(prepared, &registry, &tools).await;
    tracing::debug!(duration = ?begin.elapsed(), "tool ended");
    let told = tell(outcome, context);
    for message in &of_git {
        context.output.warning(message);
    }
    context.output.delivered(cancellation.token(), None).await?;
    match cancellation.reason() {
        Some(reason) => Ok(reason.exit_code()),
        None => told,
    }
}

fn tell(outcome: CallOutcome, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let code = match (&outcome.error, outcome.status) {
        (Some(error), _) => error.exit_code(),
        (None, ItemStatus::Completed) => ExitCode::Done,
        (None, ItemStatus::Timeout) => ExitCode::TimeOut,
        (None, ItemStatus::Cancelled) => ExitCode::Interrupted,
        (None, _) if !outcome.refused.is_empty() => ExitCode::PermissionDenied,
        (None, _) => ExitCode::TaskFailed,
    };
    if context.global.json {
        context.output.json(&json!({
            "tool": outcome.call.name,
            "status": outcome.status,
            "text": outcome.result.text,
            "data": outcome.result.data,
            "exit_code": u8::from(code),
            "duration_ms": u64::try_from(outcome.duration.as_millis()).unwrap_or(u64::MAX),
        }))?;
        return Ok(code);
    }
    if let Some(error) = outcome.error {
        return Err(error.into());
    }
    if !outcome.result.text.is_empty() {
        context.output.line(&outcome.result.text)?;
    }
    Ok(code)
}
