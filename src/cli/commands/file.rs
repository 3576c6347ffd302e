//! `agi-agent file …`: what the file tools do, for people and scripts, on any file they may use.
//!
//! No interpreter, no model, no sandbox level: the person acts. Only the agent's own files are out of
//! reach, as everywhere.

mod text;
mod tree;

use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;

use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::cli::wiring;
use crate::files::finding::walk::Problems;
use crate::protocol::ExitCode;

/// Bytes that are read from standard input at most.
const MAX_STDIN: u64 = 64 << 20;

#[derive(Debug, Args)]
pub struct FileArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum Action {
    /// Print a text file, or some of its lines
    Read(text::ReadArgs),
    /// Write a file in one step: readers see the old contents or the new
    Write(text::WriteArgs),
    /// Replace exact text in a file, or apply a patch to it
    Edit(text::EditArgs),
    /// Search files for a pattern, as ripgrep does; ends with 1 when nothing is found
    Search(tree::SearchArgs),
    /// Find files by name, size and age
    Find(tree::FindArgs),
    /// Count lines, words, bytes and characters
    Stats(tree::StatsArgs),
    /// Print SHA-256 sums, as sha256sum does
    Hash {
        /// Files, or directories whose files are hashed
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
    },
}

pub fn run(args: FileArgs, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let opener = wiring::person_opener(context)?;
    match args.action {
        Action::Read(args) => text::read(&args, &opener, context),
        Action::Write(args) => text::write(&args, &opener, context),
        Action::Edit(args) => text::edit(args, &opener, context),
        Action::Search(args) => tree::search(args, &opener, context),
        Action::Find(args) => tree::find(&args, &opener, context),
        Action::Stats(args) => tree::stats(&args, &opener, context),
        Action::Hash { paths } => tree::hash(&paths, &opener, context),
    }
}

/// `-` is standard input, everything else stands for itself.
pub(super) fn text_or_stdin(text: String) -> Result<String, CommandError> {
    if text != "-" {
        return Ok(text);
    }
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(MAX_STDIN + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| CommandError::input(format!("cannot read standard input: {error}")))?;
    if bytes.len() as u64 > MAX_STDIN {
        let message = format!("standard input has more than {MAX_STDIN} bytes");
        return Err(CommandError::input(message));
    }
    String::from_utf8(bytes)
        .map_err(|error| CommandError::input(format!("standard input is not UTF-8: {error}")))
}

/// Tells what a walk could not look at; it makes the command a failure in the end, as with `rg`.
fn tell_problems(problems: &Problems, context: &mut CommandContext) {
    for line in &problems.first {
        context.output.warning(line);
    }
    let more = problems.total - problems.first.len() as u64;
    if more > 0 {
        context.output.warning(&format!("{more} more could not be read"));
    }
}

/// A path of the command line; nothing means here.
fn root(path: Option<&PathBuf>) -> PathBuf {
    path.map_or_else(|| Path::new(".").to_path_buf(), PathBuf::clone)
}
