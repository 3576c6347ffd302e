//! What may stand on the command line before the subcommand: clap types, no I/O, no defaults of
//! ours.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use clap::Parser;
use clap::ValueEnum;

use super::commands::Command;
use crate::config::layer::Assignments;

const EXAMPLES: &str = "\
Examples:
  agi-agent run 'count the lines of all .md files'
  agi-agent run --output-format json --timeout 2m 'which files mention tokio'
  git diff | agi-agent run --stdin 'review this change' --model openai/gpt-5.1
  agi-agent tool run file_search --args '{\"pattern\": \"TODO\"}'

Exit codes are an interface: `agi-agent help-exit-codes` lists them.";

/// An AI agent in one file: runs a task on your files, with any model or with none.
///
/// The result goes to stdout and nothing else does. Without a configured model the builtin one
/// answers what needs no language model, and says plainly what it cannot do.
#[derive(Debug, Parser)]
#[command(
    name = "agi-agent",
    disable_version_flag = true,
    disable_help_subcommand = true,
    propagate_version = false,
    // A wrapper's own flags can be overridden behind it: of a flag with one value the last counts.
    args_override_self = true,
    after_help = EXAMPLES,
    max_term_width = 100,
)]
pub struct Cli {
    #[command(flatten)]
    pub global: GlobalArgs,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// When to colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On terminals, unless `NO_COLOR` is set
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    /// What a command line asks for that says no more than that somebody wants help, or that is wrong.
    pub fn of_words(argv: &[OsString]) -> Self {
        let words = argv.iter().take_while(|word| *word != "--");
        let mut asked = Self::default();
        let mut is_value = false;
        for word in words.filter_map(|word| word.to_str()) {
            let value = if is_value { Some(word) } else { word.strip_prefix("--color=") };
            if let Some(Ok(color)) = value.map(|value| Self::from_str(value, false)) {
                asked = color;
            }
            is_value = word == "--color";
        }
        asked
    }
}

// What commands may reach besides the workspace; the same flags wherever a command or a tool is run.
// (No doc comment: it would become the help of whatever flattens it.)
#[derive(Debug, Clone, Default, Args)]
pub struct PlacesArgs {
    /// A further writable directory (with workspace-write); repeatable
    #[arg(long, value_name = "DIR")]
    pub add_dir: Vec<PathBuf>,
    /// A further readable directory; repeatable
    #[arg(long, value_name = "DIR")]
    pub read: Vec<PathBuf>,
    /// A host that may be reached (`example.org`, `*.example.org`, `example.org:8080`, `all`); repeatable
    #[arg(long, value_name = "HOST")]
    pub net: Vec<String>,
    /// An environment variable that commands see; repeatable
    #[arg(long, value_name = "NAME")]
    pub env: Vec<String>,
}

impl PlacesArgs {
    /// The configuration keys that these flags set. Lists on the command line add to nothing: they
    /// are the person's word and stand for themselves.
    pub fn assignments(&self, into: &mut Assignments) {
        let paths = |list: &[PathBuf]| -> Vec<String> {
            list.iter().map(|path| path.to_string_lossy().into_owned()).collect()
        };
        for (key, list, flag) in [
            ("sandbox.add_dirs", paths(&self.add_dir), "--add-dir"),
            ("sandbox.read", paths(&self.read), "--read"),
            ("sandbox.net", self.net.clone(), "--net"),
            ("sandbox.env", self.env.clone(), "--env"),
        ] {
            if !list.is_empty() {
                into.push((key.to_owned(), list.into(), flag.to_owned()));
            }
        }
    }
}

/// Flags that every command takes.
#[derive(Debug, Clone, Default, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags are what a command line has")]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Print data as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Connect to nothing but this machine
    #[arg(long, global = true)]
    pub offline: bool,
    /// Use the settings of the profile NAME on top of the user's
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Set a configuration key, for example `-c limits.max_turns=5`
    #[arg(short = 'c', long = "config", global = true, value_name = "KEY=VALUE")]
    pub assignments: Vec<String>,
    /// Trust a further certificate authority (PEM file)
    #[arg(long, global = true, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Work in DIR
    #[arg(short = 'C', long = "directory", global = true, value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// When to colour
    #[arg(long, global = true, value_enum, default_value_t)]
    pub color: Color,
    /// Only errors on stderr
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// More on stderr; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Write a trace that Perfetto and Chrome can show
    #[arg(long, global = true, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Print the version; with --verbose all that is inside
    #[arg(short = 'V', long)]
    pub version: bool,
}
