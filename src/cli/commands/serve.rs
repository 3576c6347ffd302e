//! `agi-agent serve --stdio`: the agent for other programs. docs/stdio.md describes the lines.

use std::io::BufReader;
use std::sync::Arc;

use clap::Args;

use crate::agent::Cancellation;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::cli::error::WriteError;
use crate::cli::service_host::ServiceHost;
use crate::cli::task::interrupt;
use crate::protocol::ExitCode;
use crate::service;
use crate::service::ServeError;

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// JSON lines on standard input and output
    #[arg(long, required = true)]
    pub stdio: bool,
}

pub async fn run(args: ServeArgs, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    debug_assert!(args.stdio, "clap requires it");
    let host = Arc::new(ServiceHost::new(context)?);
    let cancel = Cancellation::new();
    let _signals = interrupt::Watch::over(&cancel);
    let input = Box::new(BufReader::new(std::io::stdin()));
    let served = service::serve(host, input, context.output.writer()?, &cancel).await;
    match (cancel.reason(), served) {
        (_, Err(error @ ServeError::Start(_))) => {
            Err(CommandError::new(ExitCode::FatalTool, error.to_string()))
        }
        (Some(reason), _) => Ok(reason.exit_code()),
        (None, Err(ServeError::Unread(error))) => Err(WriteError(error).into()),
        (None, Ok(())) => Ok(ExitCode::Done),
    }
}
