//! `file read`, `file write`, `file edit`: one file.

use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::text_or_stdin;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::files::FileError;
use crate::files::changing::edit;
use crate::files::changing::edit::Replacement;
use crate::files::changing::patch;
use crate::files::changing::write;
use crate::files::changing::write::Change;
use crate::files::changing::write::ChangeKind;
use crate::files::finding::name::shown;
use crate::files::read;
use crate::files::read::Window;
use crate::protocol::ExitCode;
use crate::system::opener::Opener;

/// Bytes of a file that fit into one JSON string.
const MAX_JSON: usize = 64 << 20;

#[derive(Debug, Args)]
pub(super) struct ReadArgs {
    /// The file
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// First line, from 1
    #[arg(long, value_name = "LINE", default_value_t = 1)]
    offset: u64,
    /// Lines at most
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct WriteArgs {
    /// The file; directories that are missing are created
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// The contents; `-` reads them from standard input
    #[arg(value_name = "TEXT|-", allow_hyphen_values = true)]
    text: String,
    /// Add to what is there
    #[arg(long)]
    append: bool,
}

#[derive(Debug, Args)]
pub(super) struct EditArgs {
    /// The file
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// The text to replace; it must occur exactly once
    #[arg(long, value_name = "TEXT", requires = "new", allow_hyphen_values = true)]
    old: Option<String>,
    /// What to put in its place
    #[arg(long, value_name = "TEXT", requires = "old", allow_hyphen_values = true)]
    new: Option<String>,
    /// Replace every occurrence
    #[arg(long, requires = "old")]
    all: bool,
    /// A unified diff to apply; `-` reads it from standard input
    #[arg(long, value_name = "FILE|-", conflicts_with = "old", required_unless_present = "old")]
    patch: Option<PathBuf>,
}

pub(super) fn read(
    args: &ReadArgs,
    opener: &Opener,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let window = Window { offset: args.offset, limit: args.limit, max_bytes: MAX_JSON };
    let cancel = CancellationToken::new();
    if context.global.json {
        let text = read::read(opener, &args.path, window, &cancel)?;
        context.output.json(&json!({
            "path": args.path.to_string_lossy(),
            "content": text.content,
            "size": text.size,
            "lines": text.lines,
            "truncated": text.truncated,
            "binary": text.binary,
        }))?;
        return Ok(ExitCode::Done);
    }
    let (mut failed, mut held) = (None, Vec::new());
    let facts = read::stream(opener, &args.path, window, &cancel, &mut |piece| {
        // A character at the border of two pieces is shown whole.
        held.extend_from_slice(piece);
        let end = whole(&held);
        let told = context.output.foreign(&held[..end]);
        held.drain(..end);
        told.map_err(|error| {
            failed = Some(error);
            FileError::Cancelled
        })
    });
    if failed.is_none() {
        context.output.foreign(&held)?;
    }
    if let Some(error) = failed {
        return Err(error.into());
    }
    let facts = facts?;
    if facts.binary {
        let message = format!("`{}` is a binary file of {} bytes", shown(&args.path), facts.size);
        return Err(CommandError::input(message));
    }
    Ok(ExitCode::Done)
}

/// Bytes up to the character that may go on in the next piece.
fn whole(bytes: &[u8]) -> usize {
    let tail = bytes.len().saturating_sub(3);
    let start = (tail..bytes.len()).rev().find(|at| bytes[*at] >= 0xc0);
    match start {
        Some(at) if std::str::from_utf8(&bytes[at..]).is_err_and(|e| e.error_len().is_none()) => at,
        // A carriage return may have its line end there.
        _ if bytes.last() == Some(&b'\r') => bytes.len() - 1,
        _ => bytes.len(),
    }
}

pub(super) fn write(
    args: &WriteArgs,
    opener: &Opener,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let text = text_or_stdin(args.text.clone())?;
    let cancel = CancellationToken::new();
    let names = opener.other_names(&args.path);
    let change = write::write(opener, &args.path, text.as_bytes(), args.append, &cancel)?;
    tell_other_names(&args.path, names, &change, context);
    if context.global.json {
        context.output.json(&json!({
            "path": args.path.to_string_lossy(),
            "bytes_written": text.len(),
            "change": change.kind.as_str(),
        }))?;
    } else {
        let (path, kind) = (shown(&args.path), change.kind.as_str());
        context.output.status(&format!("{path}: {kind}, {} bytes written", text.len()));
    }
    Ok(ExitCode::Done)
}

pub(super) fn edit(
    args: EditArgs,
    opener: &Opener,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let cancel = CancellationToken::new();
    let names = opener.other_names(&args.path);
    let (count, noun, change) = match (args.old, args.new, &args.patch) {
        (Some(old), Some(new), _) => {
            let replacement = Replacement { old, new, all: args.all };
            let (count, change) = edit::replace(opener, &args.path, &replacement, &cancel)?;
            (count, "replacements", change)
        }
        (_, _, Some(file)) => {
            let done = patch::apply(opener, &args.path, &patch_text(file, opener)?, &cancel)?;
            (done.hunks.len() as u64, "hunks", done.change)
        }
        _ => return Err(CommandError::usage("give `--old` and `--new`, or `--patch`")),
    };
    tell_other_names(&args.path, names, &change, context);
    tell(&args.path.to_string_lossy(), count, noun, &change, context)
}

/// A file is replaced, so that its further names go on meaning the old one.
fn tell_other_names(path: &Path, names: u64, change: &Change, context: &mut CommandContext) {
    if names > 0 && change.kind == ChangeKind::Modified {
        let path = shown(path);
        context.output.warning(&format!(
            "`{path}` had {names} more names (hard links); they keep the old contents"
        ));
    }
}

fn patch_text(file: &Path, opener: &Opener) -> Result<String, CommandError> {
    if file.as_os_str() == "-" {
        return text_or_stdin("-".to_owned());
    }
    let window = Window { offset: 1, limit: None, max_bytes: MAX_JSON };
    let text = read::read(opener, file, window, &CancellationToken::new())?;
    if text.truncated || text.binary || text.lossy {
        let message = format!("`{}` is not a patch: not text, or too large", shown(file));
        return Err(CommandError::input(message));
    }
    Ok(text.content)
}

/// The diff is the result; how many places it has is told beside it.
fn tell(
    path: &str,
    count: u64,
    noun: &str,
    change: &Change,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    if context.global.json {
        context.output.json(&json!({
            "path": path,
            noun: count,
            "change": change.kind.as_str(),
            "diff": change.diff,
        }))?;
        return Ok(ExitCode::Done);
    }
    if let Some(diff) = &change.diff {
        context.output.raw(diff.as_bytes())?;
    }
    context.output.status(&format!("{path}: {}, {noun}: {count}", change.kind.as_str()));
    Ok(ExitCode::Done)
}
