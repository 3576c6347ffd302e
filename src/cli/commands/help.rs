//! `agi-agent help [COMMAND]…`: the same as `--help` behind it.

use clap::Args;
use clap::CommandFactory;

use crate::cli::args::Cli;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::protocol::ExitCode;

#[derive(Debug, Args)]
pub struct HelpArgs {
    /// The command, for example `config set`; without one, the whole program
    #[arg(value_name = "COMMAND")]
    pub(super) command: Vec<String>,
}

pub fn run(args: &HelpArgs, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let help = described(&args.command)?.render_long_help();
    context.output.styled(&help.ansi().to_string())?;
    Ok(ExitCode::Done)
}

/// The description of the command that these words name, with all flags.
pub(super) fn described(words: &[String]) -> Result<clap::Command, CommandError> {
    let mut command = Cli::command();
    // Flags of subcommands are there afterwards only.
    command.build();
    for word in words {
        let Some(found) = command.find_subcommand(word) else {
            let names = command.get_subcommands().filter(|one| !one.is_hide_set());
            let names: Vec<&str> = names.map(clap::Command::get_name).collect();
            let bin = command.get_bin_name().unwrap_or_else(|| command.get_name());
            let failed = CommandError::usage(format!("`{bin}` has no command `{word}`"));
            return Err(if names.is_empty() {
                failed
            } else {
                failed.with_hint(format!("it has: {}", names.join(", ")))
            });
        };
        command = found.clone();
    }
    Ok(command)
}
