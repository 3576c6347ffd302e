//! `agi-agent completions SHELL`: the script on stdout.

use clap::Args;
use clap::CommandFactory;

use crate::cli::args::Cli;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::protocol::ExitCode;

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell to complete for
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

pub fn run(args: CompletionsArgs, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "agi-agent", &mut script);
    context.output.raw(&script)?;
    Ok(ExitCode::Done)
}
