//! The `file_stats` tool: counts lines, words, bytes and characters of a file or a tree, and hashes.

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
use super::file::problem_notes;
use super::file::tool_error;
use super::file::with_unread;
use crate::files::finding::name::NameGlob;
use crate::files::finding::name::shown;
use crate::files::finding::walk::Walk;
use crate::files::stats;
use crate::files::stats::Counts;
use crate::files::stats::FileCounts;
use crate::files::stats::Stats;
use crate::files::stats::StatsResult;

/// Files that are shown one by one; the total is of all.
const FILES: usize = 200;

/// Counts.
pub struct FileStats;

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Hash {
    Sha256,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    path: PathBuf,
    name: Option<String>,
    hash: Option<Hash>,
}

impl ReadsFiles for FileStats {
    const NAME: &'static str = "file_stats";
    const DESCRIPTION: &'static str = "Count lines, words, bytes, chars of a file or directory";
    type Arguments = Args;

    fn read(args: Args, reach: &Reach) -> Result<ToolOutput, ToolError> {
        let name = args.name.as_deref().map(NameGlob::new).transpose();
        let stats = Stats {
            walk: Walk { root: args.path, hidden: false },
            name: name.map_err(tool_error)?,
            sha256: args.hash == Some(Hash::Sha256),
            limit: FILES,
        };
        let result = stats::stats(&reach.opener, &stats, &reach.cancel).map_err(tool_error)?;
        Ok(ToolOutput::text(text(&result)).with_data(data(&result)))
    }
}

fn text(result: &StatsResult) -> String {
    let mut text = String::from("lines words bytes chars");
    let mut row = |counts: &Counts, name: &str| {
        let Counts { lines, words, bytes, chars } = counts;
        // Writing to a `String` cannot fail.
        write!(text, "\n{lines} {words} {bytes} {chars} {name}").ok();
    };
    for FileCounts { path, counts, sha256 } in &result.files {
        match sha256 {
            Some(sha256) => row(counts, &format!("{} sha256:{sha256}", shown(path))),
            None => row(counts, &shown(path)),
        }
    }
    if result.total_files != 1 {
        row(&result.total, &format!("total of {} files", result.total_files));
    }
    text + &problem_notes(&result.problems)
}

/// The result as data.
pub(crate) fn data(result: &StatsResult) -> Value {
    let files: Vec<Value> = result
        .files
        .iter()
        .map(|file| {
            let mut value = with_counts(json!({"path": shown(&file.path)}), &file.counts);
            if let Some(sha256) = &file.sha256 {
                value["sha256"] = json!(sha256);
            }
            value
        })
        .collect();
    let data = json!({
        "files": files,
        "total": with_counts(json!({"files": result.total_files}), &result.total),
    });
    with_unread(data, &result.problems)
}

fn with_counts(mut value: Value, counts: &Counts) -> Value {
    value["lines"] = json!(counts.lines);
    value["words"] = json!(counts.words);
    value["bytes"] = json!(counts.bytes);
    value["chars"] = json!(counts.chars);
    value
}
