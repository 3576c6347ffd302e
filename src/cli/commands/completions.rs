//! `agi-agent completions SHELL`: the script on stdout.

use clap::Args;
use clap::CommandFactory;
use clap::builder::PossibleValuesParser;
use clap_complete::Shell;

use crate::cli::args::Cli;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::config::table::schema;
use crate::protocol::ExitCode;

const NAME: &str = "agi-agent";
/// In the labels of its bash script `clap_complete` writes a hyphen of the program's name in two ways,
/// and no subcommand is found. So it gets a name without, which then stands in labels only.
const BASH_NAME: &str = "agi_agent";

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell to complete for
    #[arg(value_enum)]
    shell: Shell,
}

pub fn run(args: CompletionsArgs, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let mut script = Vec::new();
    if args.shell == Shell::Bash {
        generate(Shell::Bash, BASH_NAME, &mut script);
        let text = String::from_utf8_lossy(&script);
        script = text.replace(&format!(" {BASH_NAME}\n"), &format!(" {NAME}\n")).into_bytes();
    } else {
        generate(args.shell, NAME, &mut script);
    }
    context.output.raw(&script)?;
    Ok(ExitCode::Done)
}

fn generate(shell: Shell, name: &'static str, script: &mut Vec<u8>) {
    let mut command = Cli::command().name(name).bin_name(name);
    // Flags of subcommands are there afterwards only.
    command.build();
    clap_complete::generate(shell, &mut with_keys(command), name, script);
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
