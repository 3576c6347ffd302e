//! What the file tools share: errors of files in the words of tools, and notes about what is left
//! out.

use std::path::Path;

use serde_json::Value;

use super::Claim;
use super::ToolContext;
use super::ToolError;
use crate::files::FileError;
use crate::files::changing::later::runs_later;
use crate::files::changing::write::Change;
use crate::files::finding::name::shown;
use crate::files::finding::walk::Problems;
use crate::protocol::ItemBody;
use crate::system::opener::OpenError;

/// A file error as the tool's: what the policy forbids is a denial, the rest is told to the model.
pub(super) fn tool_error(error: FileError) -> ToolError {
    let hint = error.hint();
    match error {
        FileError::Cancelled => ToolError::Cancelled,
        FileError::Open(OpenError::Denied { path, reason, .. }) => {
            ToolError::Denied { target: shown(&path), reason: with_hint(reason, hint) }
        }
        FileError::Open(OpenError::Protected { path }) => {
            let reason = "it belongs to the agent itself".to_owned();
            ToolError::Denied { target: shown(&path), reason: with_hint(reason, hint) }
        }
        FileError::Open(OpenError::NotAFile { kind: "a directory", .. }) => {
            let hint = Some("file_find lists what is in it".to_owned());
            ToolError::ForModel(with_hint(error.to_string(), hint))
        }
        error => ToolError::ForModel(with_hint(error.to_string(), hint)),
    }
}

fn with_hint(text: String, hint: Option<String>) -> String {
    match hint {
        Some(hint) => format!("{text} ({hint})"),
        None => text,
    }
}

/// Data with the number of files and directories that could not be looked at, if there are any.
pub(super) fn with_unread(mut data: Value, problems: &Problems) -> Value {
    if problems.total > 0 {
        data["unread"] = problems.total.into();
    }
    data
}

/// A line per few problems of a walk, empty when there are none.
pub(super) fn problem_notes(problems: &Problems) -> String {
    let mut text = String::new();
    for line in problems.first.iter().take(3) {
        text.push_str("\n[skipped: ");
        text.push_str(line);
        text.push(']');
    }
    let more = problems.total.saturating_sub(3);
    if more > 0 {
        text.push_str("\n[skipped: ");
        text.push_str(&more.to_string());
        text.push_str(" more]");
    }
    text
}

/// The event stream's view of a change.
pub(super) fn change_item(path: &Path, change: &Change) -> ItemBody {
    ItemBody::FileChange {
        path: shown(path),
        change: change.kind.as_str().to_owned(),
        diff: change.diff.clone().unwrap_or_default(),
    }
}

/// The claim of a call on its `path`: without one on the working directory.
pub(super) fn file_claim(arguments: &Value, context: &ToolContext, writes: bool) -> Claim {
    let path = arguments["path"].as_str().unwrap_or(".");
    Claim::path(&context.opener.resolve(Path::new(path)), writes)
}

/// A line about who runs or obeys the file later; empty for ordinary files.
pub(super) fn later_note(path: &Path) -> String {
    runs_later(path).map_or_else(String::new, |who| format!("\n[this file runs later: by {who}]"))
}

/// `1 line`, `2 lines`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    match (count, noun) {
        (1, _) => format!("1 {noun}"),
        (_, "match") => format!("{count} matches"),
        _ => format!("{count} {noun}s"),
    }
}
