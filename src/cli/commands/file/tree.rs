//! `file search`, `file find`, `file stats`, `file hash`: files and trees.

use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap::ValueEnum;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::root;
use super::tell_problems;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::files::finding::age::moment;
use crate::files::finding::find;
use crate::files::finding::find::Find;
use crate::files::finding::find::SortBy;
use crate::files::finding::name::NameGlob;
use crate::files::finding::name::shown;
use crate::files::finding::search;
use crate::files::finding::search::Search;
use crate::files::finding::search::SearchResult;
use crate::files::finding::walk::Problems;
use crate::files::finding::walk::Walk;
use crate::files::stats;
use crate::files::stats::Counts;
use crate::files::stats::Stats;
use crate::files::stats::StatsResult;
use crate::protocol::ExitCode;
use crate::system::clock;
use crate::system::opener::EntryKind;
use crate::system::opener::Opener;
use crate::tools::file_find;
use crate::tools::file_search;
use crate::tools::file_stats;

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags are what a command line has")]
pub(super) struct SearchArgs {
    /// What to look for: a regular expression
    #[arg(value_name = "PATTERN", allow_hyphen_values = true)]
    pattern: String,
    /// Where: a file or a directory; here without it
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// Only files whose name (with a slash: path) matches; `!GLOB` means all others
    #[arg(short, long, value_name = "GLOB")]
    glob: Option<String>,
    /// The pattern is plain text
    #[arg(short = 'F', long)]
    literal: bool,
    /// Upper and lower case are the same
    #[arg(short, long)]
    ignore_case: bool,
    /// Lines around each match
    #[arg(long, value_name = "N", default_value_t = 0)]
    context: usize,
    /// Print the names of files that match
    #[arg(short = 'l', long, conflicts_with = "count")]
    files: bool,
    /// Print how many lines match, per file
    #[arg(long)]
    count: bool,
    /// Lines (files, with --files or --count) at most
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Also files that are hidden or ignored
    #[arg(long)]
    hidden: bool,
}

/// What to look for.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    File,
    Dir,
}

/// What comes first.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Sort {
    #[default]
    Name,
    Size,
    Modified,
}

#[derive(Debug, Args)]
pub(super) struct FindArgs {
    /// Where; here without it
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// Only names (with a slash: paths) that match
    #[arg(short, long, value_name = "GLOB")]
    name: Option<String>,
    /// Only files, or only directories
    #[arg(short = 't', long = "type", value_name = "TYPE")]
    kind: Option<Kind>,
    /// Bytes at least; `10k`, `2M`, `1G` are powers of 1024
    #[arg(long, value_name = "SIZE", value_parser = size)]
    min_size: Option<u64>,
    /// Bytes at most
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_size: Option<u64>,
    /// Changed since: an age like `2d` or `3h`, or a date
    #[arg(long, value_name = "TIME")]
    newer_than: Option<String>,
    /// Changed before
    #[arg(long, value_name = "TIME")]
    older_than: Option<String>,
    /// What comes first
    #[arg(long, value_enum, default_value_t)]
    sort: Sort,
    /// The other way round: largest, newest, last name first
    #[arg(short, long)]
    descending: bool,
    /// Results at most
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Also what is hidden or ignored
    #[arg(long)]
    hidden: bool,
    /// With size and time
    #[arg(short, long)]
    long: bool,
}

#[derive(Debug, Args)]
pub(super) struct StatsArgs {
    /// Files, or directories whose files are counted
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// In directories only files that match
    #[arg(short, long, value_name = "GLOB")]
    name: Option<String>,
}

/// `10k`, `2M`, `1G` as bytes.
fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.char_indices().next_back() {
        Some((at, unit)) if unit.is_ascii_alphabetic() => (&text[..at], unit.to_ascii_lowercase()),
        _ => (text, 'b'),
    };
    let shift = match unit {
        'b' => 0,
        'k' => 10,
        'm' => 20,
        'g' => 30,
        't' => 40,
        _ => return Err("expected a size like `500`, `10k`, `2M` or `1G`".to_owned()),
    };
    let number: u64 =
        number.parse().map_err(|_| "expected a size like `500`, `10k`, `2M` or `1G`".to_owned())?;
    number.checked_mul(1 << shift).ok_or_else(|| "that is too large".to_owned())
}

pub(super) fn search(
    args: SearchArgs,
    opener: &Opener,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let root = root(args.path.as_ref());
    let lines = !args.files && !args.count;
    let search = Search {
        pattern: args.pattern,
        literal: args.literal,
        ignore_case: args.ignore_case,
        walk: Walk { root: root.clone(), hidden: args.hidden },
        glob: args.glob.as_deref().map(NameGlob::new).transpose()?,
        context: args.context,
        limit: args.limit.unwrap_or(usize::MAX),
        lines,
    };
    let result = search::search(opener, &search, &CancellationToken::new())?;
    if context.global.json {
        context.output.json(&file_search::data(&result))?;
    } else if args.count && opener.read_dir(&root).is_err() {
        context.output.line(&result.total_lines.to_string())?;
    } else {
        print_matches(&result, args.files, args.count, context)?;
    }
    let found = if result.total_lines > 0 { ExitCode::Done } else { ExitCode::TaskFailed };
    Ok(end(&result.problems, found, context))
}

fn print_matches(
    result: &SearchResult,
    names: bool,
    counts: bool,
    context: &mut CommandContext,
) -> Result<(), CommandError> {
    for file in &result.files {
        let path = shown(&file.path);
        if names {
            context.output.line(&path)?;
        } else if counts {
            context.output.line(&format!("{path}:{}", file.count))?;
        }
        for line in &file.lines {
            let mark = if line.is_match { ':' } else { '-' };
            let text = format!("{path}{mark}{}{mark}{}", line.number, line.text);
            context.output.foreign_line(&text)?;
        }
    }
    if result.truncated {
        let shown: usize = result.files.iter().map(|file| file.lines.len().max(1)).sum();
        let note = format!("{shown} shown; {} lines match in all", result.total_lines);
        context.output.status(&note);
    }
    Ok(())
}

pub(super) fn find(
    args: &FindArgs,
    opener: &Opener,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let now = clock::now();
    let at = |text: &Option<String>| text.as_deref().map(|text| moment(text, now)).transpose();
    let find = Find {
        walk: Walk { root: root(args.path.as_ref()), hidden: args.hidden },
        name: args.name.as_deref().map(NameGlob::new).transpose()?,
        kind: args.kind.map(|kind| match kind {
            Kind::File => EntryKind::File,
            Kind::Dir => EntryKind::Directory,
        }),
        min_size: args.min_size,
        max_size: args.max_size,
        newer_than: at(&args.newer_than)?,
        older_than: at(&args.older_than)?,
        sort: match args.sort {
            Sort::Name => SortBy::Name,
            Sort::Size => SortBy::Size,
            Sort::Modified => SortBy::Modified,
        },
        descending: args.descending,
        limit: args.limit.unwrap_or(usize::MAX),
    };
    let found = find::find(opener, &find, &CancellationToken::new())?;
    if context.global.json {
        context.output.json(&file_find::data(&found))?;
        return Ok(end(&found.problems, ExitCode::Done, context));
    }
    for entry in &found.entries {
        let path = shown(&entry.path);
        let line = if args.long {
            let modified = clock::timestamp(entry.modified);
            format!("{:>12}  {}  {path}", entry.size, modified.get(..19).unwrap_or_default())
        } else {
            path
        };
        context.output.line(&line)?;
    }
    Ok(end(&found.problems, ExitCode::Done, context))
}

pub(super) fn stats(
    args: &StatsArgs,
    opener: &Opener,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let (result, failed) = count(&args.paths, args.name.as_deref(), false, opener)?;
    if context.global.json {
        let mut value = file_stats::data(&result);
        for key in ["lines", "words", "bytes", "chars"] {
            value[key] = value["total"][key].clone();
        }
        context.output.json(&value)?;
        return ended(&result.problems, failed, context);
    }
    let total = result.total;
    let widest = [total.lines, total.words, total.bytes, total.chars].into_iter().max();
    let width = widest.unwrap_or_default().to_string().len().max(5);
    let row = |columns: [&str; 4], name: &str| {
        let columns = columns.map(|column| format!("{column:>width$}"));
        format!("{}  {name}", columns.join(" "))
    };
    let numbers = |counts: &Counts, name: &str| {
        let columns = [counts.lines, counts.words, counts.bytes, counts.chars];
        let columns = columns.map(|number| number.to_string());
        row(columns.each_ref().map(String::as_str), name)
    };
    context.output.line(&row(["lines", "words", "bytes", "chars"], "file"))?;
    for file in &result.files {
        context.output.line(&numbers(&file.counts, &shown(&file.path)))?;
    }
    if result.total_files != 1 {
        let name = format!("total of {} files", result.total_files);
        context.output.line(&numbers(&total, &name))?;
    }
    ended(&result.problems, failed, context)
}

pub(super) fn hash(
    paths: &[PathBuf],
    opener: &Opener,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let (result, failed) = count(paths, None, true, opener)?;
    if context.global.json {
        let files = result.files.iter().map(|file| {
            json!({"path": shown(&file.path), "sha256": file.sha256, "bytes": file.counts.bytes})
        });
        let files: Vec<_> = files.collect();
        context.output.json(&json!({"files": files}))?;
        return ended(&result.problems, failed, context);
    }
    for file in &result.files {
        let sum = file.sha256.as_deref().unwrap_or_default();
        context.output.foreign(&sum_line(sum, &file.path))?;
    }
    ended(&result.problems, failed, context)
}

/// A line as `sha256sum -c` reads it: names byte for byte, and a backslash in front where one in the name
/// stands for a line end (or for itself).
fn sum_line(sum: &str, path: &Path) -> Vec<u8> {
    let name = path.as_os_str().as_encoded_bytes();
    let is_escaped = name.iter().any(|byte| matches!(byte, b'\n' | b'\r' | b'\\'));
    let mut line = if is_escaped { b"\\".to_vec() } else { Vec::new() };
    line.extend_from_slice(sum.as_bytes());
    line.extend_from_slice(b"  ");
    for byte in name {
        match byte {
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            b'\\' => line.extend_from_slice(b"\\\\"),
            byte => line.push(*byte),
        }
    }
    line.push(b'\n');
    line
}

/// What could not be read at all is told after what could.
fn ended(
    problems: &Problems,
    failed: Option<CommandError>,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let code = end(problems, ExitCode::Done, context);
    failed.map_or(Ok(code), Err)
}

/// Counts several roots as one. A root that cannot be read does not keep the others, if there are any.
fn count(
    paths: &[PathBuf],
    name: Option<&str>,
    sha256: bool,
    opener: &Opener,
) -> Result<(StatsResult, Option<CommandError>), CommandError> {
    let name = name.map(NameGlob::new).transpose()?;
    let cancel = CancellationToken::new();
    let mut all: Option<StatsResult> = None;
    let mut failed: Option<CommandError> = None;
    for path in paths {
        let walk = Walk { root: path.clone(), hidden: false };
        let one = Stats { walk, name: name.clone(), sha256, limit: usize::MAX };
        let one = match stats::stats(opener, &one, &cancel) {
            Ok(one) => one,
            Err(error) => {
                let error = CommandError::from(error);
                match &mut failed {
                    None => failed = Some(error),
                    Some(first) => first.more.push((error.message, error.hints.into_iter().next())),
                }
                continue;
            }
        };
        match &mut all {
            Some(all) => all.merge(one),
            None => all = Some(one),
        }
    }
    match (all, failed) {
        (Some(all), failed) => Ok((all, failed)),
        (None, Some(failed)) => Err(failed),
        (None, None) => Err(CommandError::usage("no path given")),
    }
}

/// What could not be read is told, and makes a success a failure (42): the result is not whole.
fn end(problems: &Problems, code: ExitCode, context: &mut CommandContext) -> ExitCode {
    tell_problems(problems, context);
    if problems.total > 0 { ExitCode::Input } else { code }
}
