//! The `file_find` tool: finds files and directories by name, size and age.

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
use crate::files::finding::age::moment;
use crate::files::finding::find;
use crate::files::finding::find::Find;
use crate::files::finding::find::FindResult;
use crate::files::finding::find::SortBy;
use crate::files::finding::name::NameGlob;
use crate::files::finding::name::shown;
use crate::files::finding::walk::Walk;
use crate::system::clock;
use crate::system::opener::EntryKind;

/// Entries shown when the model names no number, and the most it may ask for.
const USUAL: usize = 200;
const MOST: usize = 5000;

/// Finds files.
pub struct FileFind;

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    File,
    Dir,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Sort {
    Name,
    Size,
    Modified,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    path: Option<PathBuf>,
    /// glob
    name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<Kind>,
    min_size: Option<u64>,
    max_size: Option<u64>,
    /// 2d, 3h or RFC 3339
    newer_than: Option<String>,
    older_than: Option<String>,
    sort: Option<Sort>,
    descending: Option<bool>,
    limit: Option<usize>,
    /// also ignored
    hidden: Option<bool>,
}

impl Args {
    fn find(self) -> Result<Find, ToolError> {
        let now = clock::now();
        let at = |text: Option<String>| {
            text.map(|text| moment(&text, now)).transpose().map_err(tool_error)
        };
        let name = self.name.as_deref().map(NameGlob::new).transpose().map_err(tool_error)?;
        Ok(Find {
            walk: Walk {
                root: self.path.unwrap_or_else(|| ".".into()),
                hidden: self.hidden.unwrap_or(false),
            },
            name,
            kind: self.kind.map(|kind| match kind {
                Kind::File => EntryKind::File,
                Kind::Dir => EntryKind::Directory,
            }),
            min_size: self.min_size,
            max_size: self.max_size,
            newer_than: at(self.newer_than)?,
            older_than: at(self.older_than)?,
            sort: match self.sort {
                None | Some(Sort::Name) => SortBy::Name,
                Some(Sort::Size) => SortBy::Size,
                Some(Sort::Modified) => SortBy::Modified,
            },
            descending: self.descending.unwrap_or(false),
            limit: self.limit.unwrap_or(USUAL).min(MOST),
        })
    }
}

impl ReadsFiles for FileFind {
    const NAME: &'static str = "file_find";
    const DESCRIPTION: &'static str = "Find files by name, size (bytes), age; list directories";
    type Arguments = Args;

    fn read(args: Args, reach: &Reach) -> Result<ToolOutput, ToolError> {
        let found = find::find(&reach.opener, &args.find()?, &reach.cancel).map_err(tool_error)?;
        Ok(ToolOutput::text(text(&found)).with_data(data(&found)))
    }
}

/// The word of results for what something is.
pub(crate) fn kind_name(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::File => "file",
        EntryKind::Directory => "dir",
        EntryKind::Symlink => "symlink",
        EntryKind::Other => "other",
    }
}

fn text(found: &FindResult) -> String {
    let mut text = format!("{} found", found.total);
    for entry in &found.entries {
        let path = shown(&entry.path);
        let modified = clock::timestamp(entry.modified);
        let modified = modified.get(..16).unwrap_or_default();
        // Writing to a `String` cannot fail.
        match entry.kind {
            EntryKind::File => write!(text, "\n{path} {} {modified}", entry.size).ok(),
            EntryKind::Directory => write!(text, "\n{path}/ {modified}").ok(),
            EntryKind::Symlink => write!(text, "\n{path}@ {modified}").ok(),
            EntryKind::Other => write!(text, "\n{path} (special) {modified}").ok(),
        };
    }
    if found.total > found.entries.len() as u64 {
        write!(text, "\n[{} are shown]", found.entries.len()).ok();
    }
    text + &problem_notes(&found.problems)
}

/// The result as data.
pub(crate) fn data(found: &FindResult) -> Value {
    let entries: Vec<Value> = found
        .entries
        .iter()
        .map(|entry| {
            json!({
                "path": shown(&entry.path),
                "type": kind_name(entry.kind),
                "size": entry.size,
                "modified": clock::timestamp(entry.modified),
            })
        })
        .collect();
    let data = json!({
        "entries": entries,
        "total": found.total,
        "total_size": found.total_size,
        "truncated": found.total > found.entries.len() as u64,
    });
    with_unread(data, &found.problems)
}
