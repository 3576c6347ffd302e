//! What the file tools share: errors of files in the words of tools, and notes about what is left
//! out.

use std::path::Path;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::Claim;
use super::Tool;
use super::ToolContext;
use super::ToolError;
use super::ToolOutput;
use super::arguments;
use crate::files::FileError;
use crate::files::changing::later::runs_later;
use crate::files::changing::write::Change;
use crate::files::finding::name::shown;
use crate::files::finding::walk::Problems;
use crate::protocol::Effect;
use crate::protocol::ItemBody;
use crate::system::opener::OpenError;
use crate::system::opener::Opener;

/// A tool that reads files, at most, and does nothing else: what such tools differ in.
pub(super) trait ReadsFiles: Send + Sync {
    const NAME: &'static str;
    const DESCRIPTION: &'static str;
    /// `path` is what the call is aimed at; without one it is the working directory.
    type Arguments: DeserializeOwned + JsonSchema + Send + 'static;

    /// Does it, on a thread that may wait.
    fn read(arguments: Self::Arguments, reach: &Reach) -> Result<ToolOutput, ToolError>;
}

/// By what files are reached, and what stops that.
pub(super) struct Reach {
    pub(super) opener: Opener,
    pub(super) cancel: CancellationToken,
}

#[async_trait]
impl<T: ReadsFiles> Tool for T {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn description(&self) -> &'static str {
        T::DESCRIPTION
    }

    fn parameters(&self) -> Value {
        arguments::schema::<T::Arguments>()
    }

    fn check(&self, arguments: &Value) -> Result<(), ToolError> {
        arguments::parse::<T::Arguments>(arguments).map(drop)
    }

    fn effect(&self, _arguments: &Value) -> Effect {
        Effect::Read
    }

    fn claim(&self, arguments: &Value, context: &ToolContext) -> Claim {
        file_claim(arguments, context, false)
    }

    fn target(&self, arguments: &Value) -> String {
        arguments["path"].as_str().unwrap_or(".").to_owned()
    }

    async fn run(&self, arguments: Value, context: &ToolContext) -> Result<ToolOutput, ToolError> {
        let arguments: T::Arguments = arguments::parse(&arguments)?;
        let reach = Reach { opener: context.opener.clone(), cancel: context.cancel.clone() };
        context.blocking(move || T::read(arguments, &reach)).await
    }
}

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
