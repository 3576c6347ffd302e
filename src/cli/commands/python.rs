//! `agi-agent python`: the bundled interpreter, with Python's own command line.
//!
//! Everything after the word `python` is Python's, but for `--path` and `--help`. With `-I` or `-E`
//! in front our configuration is not read: sandboxed children start in this way, and must work where
//! there is no home and no configuration that they may open.

mod started;

use std::ffi::OsStr;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use clap::FromArgMatches;

use crate::bridge::Console;
use crate::bridge::PYTHON_MARK;
use crate::cli::args::Cli;
use crate::cli::commands::Command;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::config::env::Environment;
use crate::protocol::ExitCode;
use crate::sandbox;

const NAME: &str = "python";

const EXAMPLES: &str = "\
Examples:
  agi-agent python
  agi-agent python -c 'import ssl; print(ssl.OPENSSL_VERSION)'
  agi-agent python --path ./site script.py argument
  agi-agent python -m http.server

`agi-agent python -h` lists Python's own options. The exit status is Python's.";

// Runs the interpreter inside this file: a prompt, a script, `-c`, `-m` or standard input.
//
// The standard library and `agi_agent` are built in. Packages of your own come from `--path`,
// PYTHONPATH and the directory `python.wheels` of the configuration; those with compiled parts need
// `agi-agent-gnu`. This is an ordinary interpreter: it is not sandboxed.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct PythonArgs {
    /// Search DIR for modules before all others; can be given several times
    #[arg(long, value_name = "DIR")]
    path: Vec<PathBuf>,
    /// This process is a child of the agent: it has no network and ends with its parent
    #[arg(long, hide = true)]
    child: bool,
    /// What `python3` takes: options, then `-c CODE`, `-m MODULE`, FILE or `-`, then arguments
    #[arg(value_name = "ARGUMENTS", trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// The same with the word `python` in front where this file was started as `python3`, or by our
/// interpreter as its own `sys.executable`.
pub fn completed(argv: Vec<OsString>, environment: &Environment) -> Vec<OsString> {
    let mark = environment.path(PYTHON_MARK);
    started::completed(argv, mark.as_deref().map(std::path::Path::as_os_str), |word| {
        <Cli as clap::CommandFactory>::command().find_subcommand(word).is_some()
    })
}

/// Puts `--` where Python's own arguments begin, because `-c`, `-q` and others mean something else
/// to us. Other command lines come back as they were.
pub fn separated(mut argv: Vec<OsString>) -> Vec<OsString> {
    let Some(word) = argv.iter().position(|argument| argument == NAME) else { return argv };
    if !is_this_command(&argv[..=word]) {
        return argv;
    }
    let mut at = word + 1;
    while let Some(argument) = argv.get(at) {
        let text = argument.to_string_lossy();
        at += match text.as_ref() {
            "--path" => 2,
            "--child" => 1,
            "--help" | "--" => return argv,
            text if text.starts_with("--path=") => 1,
            _ => break,
        };
    }
    if at < argv.len() {
        argv.insert(at, OsString::from("--"));
    }
    argv
}

/// Whether the word `python` at the end is the subcommand, not the value of something.
fn is_this_command(argv: &[OsString]) -> bool {
    let matches = <Cli as clap::CommandFactory>::command().try_get_matches_from(argv);
    let cli = matches.and_then(|matches| Cli::from_arg_matches(&matches));
    cli.is_ok_and(|cli| matches!(cli.command, Some(Command::Python(_))))
}

/// Runs Python; gives its status.
pub fn run(args: PythonArgs, context: &mut CommandContext) -> Result<u8, CommandError> {
    if args.child {
        sandbox::hold_child().map_err(|error| {
            let message = format!("this child cannot be kept from the network: {error}");
            CommandError::new(ExitCode::SandboxUnavailable, message)
        })?;
    }
    let mut console = Console { arguments: args.arguments, path: args.path, ..Console::default() };
    if !console.arguments.first().is_some_and(|first| is_isolating(first)) {
        console.wheels = context.settings()?.python.wheels;
        console.history = context.places.data_dir.as_ref().map(|data| data.join("python_history"));
    }
    console.run().map_err(|error| CommandError::new(ExitCode::FatalTool, error.message))
}

/// `-I` or `-E`, alone or among other short options.
fn is_isolating(argument: &OsStr) -> bool {
    let text = argument.to_string_lossy();
    let mut letters = text.chars();
    letters.next() == Some('-')
        && !text.starts_with("--")
        && letters
            .take_while(|letter| !matches!(letter, 'c' | 'm' | 'W' | 'X'))
            .any(|letter| matches!(letter, 'I' | 'E'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn separated_text(line: &str) -> String {
        let argv = line.split(' ').map(OsString::from).collect();
        separated(argv).join(OsStr::new(" ")).into_string().unwrap()
    }

    #[test]
    fn pythons_arguments_are_kept_from_us() {
        for (line, expected) in [
            ("agi-agent python", "agi-agent python"),
            ("agi-agent python -c 1", "agi-agent python -- -c 1"),
            (
                "agi-agent python --path a --path=b x.py --path c",
                "agi-agent python --path a --path=b -- x.py --path c",
            ),
            (
                "agi-agent python --child --path a -E -m hub",
                "agi-agent python --child --path a -- -E -m hub",
            ),
            ("agi-agent --offline python -q", "agi-agent --offline python -- -q"),
            ("agi-agent python --help", "agi-agent python --help"),
            ("agi-agent python -- -c 1", "agi-agent python -- -c 1"),
            ("agi-agent --profile python status", "agi-agent --profile python status"),
            ("agi-agent memory search python -q", "agi-agent memory search python -q"),
        ] {
            assert_eq!(separated_text(line), expected);
        }
    }

    #[test]
    fn isolation_is_told_from_other_options() {
        for (argument, isolating) in [
            ("-I", true),
            ("-BI", true),
            ("-E", true),
            ("-c", false),
            ("-cI", false),
            ("--I", false),
            ("I", false),
        ] {
            assert_eq!(is_isolating(OsStr::new(argument)), isolating, "{argument}");
        }
    }
}
