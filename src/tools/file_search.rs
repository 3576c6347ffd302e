//! The `file_search` tool: finds text in files, as ripgrep does.
//!
//! The search is `files::finding::search`'s; here are arguments, bounds and the lines a model reads.

use std::fmt::Write;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use super::ToolError;
use super::ToolOutput;
use super::file::Reach;
use super::file::ReadsFiles;
use super::file::counted;
use super::file::problem_notes;
use super::file::tool_error;
use super::file::with_unread;
use crate::files::finding::name::NameGlob;
use crate::files::finding::name::shown;
use crate::files::finding::search;
use crate::files::finding::search::Search;
use crate::files::finding::search::SearchResult;
use crate::files::finding::walk::Walk;

/// Lines or files shown when the model names no number, and the most it may ask for.
const USUAL: usize = 100;
const MOST: usize = 1000;

/// Searches files.
pub struct FileSearch;

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Lines,
    Files,
    Count,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// regex
    pattern: String,
    path: Option<PathBuf>,
    glob: Option<String>,
    literal: Option<bool>,
    ignore_case: Option<bool>,
    context: Option<usize>,
    mode: Option<Mode>,
    limit: Option<usize>,
}

impl ReadsFiles for FileSearch {
    const NAME: &'static str = "file_search";
    const DESCRIPTION: &'static str = "Search file contents (ripgrep)";
    type Arguments = Args;

    fn read(args: Args, reach: &Reach) -> Result<ToolOutput, ToolError> {
        let mode = args.mode.unwrap_or_default();
        let glob = args.glob.as_deref().map(NameGlob::new).transpose();
        let search = Search {
            pattern: args.pattern,
            literal: args.literal.unwrap_or(false),
            ignore_case: args.ignore_case.unwrap_or(false),
            walk: Walk { root: args.path.unwrap_or_else(|| ".".into()), hidden: false },
            glob: glob.map_err(tool_error)?,
            context: args.context.unwrap_or(0).min(50),
            limit: args.limit.unwrap_or(USUAL).clamp(1, MOST),
            lines: mode == Mode::Lines,
        };
        let result = search::search(&reach.opener, &search, &reach.cancel).map_err(tool_error)?;
        Ok(ToolOutput::text(text(&result, mode)).with_data(data(&result)))
    }
}

fn text(result: &SearchResult, mode: Mode) -> String {
    let binary = match result.files_binary {
        0 => String::new(),
        count => format!(", {} left out", counted(count, "binary file")),
    };
    let searched = counted(result.files_searched, "file") + &binary;
    let mut text = if result.total_lines == 0 {
        format!("no match in {searched}")
    } else {
        format!(
            "{} in {} ({searched} searched)",
            counted(result.total_lines, "matching line"),
            counted(result.files_with_matches, "file"),
        )
    };
    for file in &result.files {
        let path = shown(&file.path);
        // Writing to a `String` cannot fail.
        match mode {
            Mode::Files => write!(text, "\n{path}").ok(),
            Mode::Count => write!(text, "\n{path}:{}", file.count).ok(),
            Mode::Lines => file
                .lines
                .iter()
                .map(|line| {
                    let mark = if line.is_match { ':' } else { '-' };
                    write!(text, "\n{path}{mark}{}{mark}{}", line.number, line.text).ok()
                })
                .last()
                .flatten(),
        };
    }
    if result.truncated {
        text.push_str("\n[not all are shown; narrow the search or raise limit]");
    }
    text + &problem_notes(&result.problems)
}

/// The result as data; context lines are in the text only.
pub(crate) fn data(result: &SearchResult) -> Value {
    let matches: Vec<Value> = result
        .files
        .iter()
        .flat_map(|file| {
            file.lines.iter().filter(|line| line.is_match).map(
                |line| json!({"path": shown(&file.path), "line": line.number, "text": line.text}),
            )
        })
        .collect();
    let files: Vec<Value> = result
        .files
        .iter()
        .map(|file| json!({"path": shown(&file.path), "count": file.count}))
        .collect();
    let data = json!({
        "matches": matches,
        "files": files,
        "total": result.total_lines,
        "total_matches": result.total_matches,
        "files_with_matches": result.files_with_matches,
        "files_searched": result.files_searched,
        "truncated": result.truncated,
    });
    with_unread(data, &result.problems)
}
