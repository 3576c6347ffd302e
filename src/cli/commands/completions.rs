//! `agi-agent completions SHELL`: the script on stdout.

use clap::Args;
use clap::CommandFactory;
use clap::builder::PossibleValuesParser;

use crate::cli::args::Cli;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::config::table::schema;
use crate::protocol::ExitCode;

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell to complete for
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

pub fn run(args: CompletionsArgs, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let mut script = Vec::new();
    let mut command = Cli::command().bin_name("agi-agent");
    // Flags of subcommands are there afterwards only.
    command.build();
    let mut command = with_keys(command);
    clap_complete::generate(args.shell, &mut command, "agi-agent", &mut script);
    context.output.raw(&script)?;
    Ok(ExitCode::Done)
}

/// The settings' names as words to complete. Only here: when a command line is parsed, an unknown
/// name gets a better error than clap's.
fn with_keys(command: clap::Command) -> clap::Command {
    // clap wants names that live as long as the process, which ends with this script.
    let names: Vec<&'static str> =
        schema::keys().into_iter().map(|(key, _)| &*key.leak()).collect();
    let keys = || PossibleValuesParser::new(&names);
    command.mut_subcommand("config", |config| {
        ["get", "explain", "set", "unset"].into_iter().fold(config, |config, name| {
            config.mut_subcommand(name, |sub| sub.mut_arg("key", |arg| arg.value_parser(keys())))
        })
    })
}
