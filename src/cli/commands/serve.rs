//! `agi-agent serve --stdio`: the agent for other programs. docs/stdio.md describes the lines.

use std::io::BufReader;
use std::sync::Arc;

use clap::Args;

use crate::agent::CancelReason;
use crate::agent::Cancellation;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::cli::service_host::ServiceHost;
use crate::cli::task::interrupt;
use crate::protocol::ExitCode;
use crate::service;

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
    let _signals = interrupt::cancel_on_signals(&cancel);
    let input = Box::new(BufReader::new(std::io::stdin()));
    let served = service::serve(host, input, context.output.writer(), &cancel).await;
    served.map_err(|error| {
        CommandError::new(ExitCode::FatalTool, format!("cannot start the service: {error}"))
    })?;
    Ok(cancel.reason().map_or(ExitCode::Done, CancelReason::exit_code))
}
