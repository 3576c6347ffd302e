//! The `file_edit` tool: changes part of a file, by exact replacement or by a unified patch.
//!
//! What counts as a match and what is forgiven is decided in `files::changing`.

use std::path::Path;
use std::path::PathBuf;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use super::Claim;
use super::Tool;
use super::ToolContext;
use super::ToolError;
use super::ToolOutput;
use super::arguments;
use super::file::change_item;
use super::file::counted;
use super::file::file_claim;
use super::file::later_note;
use super::file::tool_error;
use crate::files::changing::edit;
use crate::files::changing::edit::Replacement;
use crate::files::changing::patch;
use crate::files::changing::write::ChangeKind;
use crate::files::finding::name::shown;
use crate::protocol::Effect;

/// Edits a file.
pub struct FileEdit;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Args {
    path: PathBuf,
    old: Option<String>,
    new: Option<String>,
    all: Option<bool>,
    patch: Option<String>,
}

/// What a call asks for.
enum Edit {
    Replace(Replacement),
    Patch(String),
}

impl Args {
    fn parse(arguments: &Value) -> Result<(PathBuf, Edit), ToolError> {
        let args: Self = arguments::parse(arguments)?;
        let edit = match (args.old, args.new, args.patch) {
            (Some(old), Some(new), None) => {
                Edit::Replace(Replacement { old, new, all: args.all.unwrap_or(false) })
            }
            (None, None, Some(patch)) => Edit::Patch(patch),
            _ => {
                let message = "wrong arguments: expected either `old` and `new`, or `patch`";
                return Err(ToolError::ForModel(message.to_owned()));
            }
        };
        Ok((args.path, edit))
    }
}

#[async_trait]
impl Tool for FileEdit {
    fn name(&self) -> &'static str {
        "file_edit"
    }

    fn description(&self) -> &'static str {
        "Replace unique text (old, new) in a file, or apply a unified diff (patch)"
    }

    fn parameters(&self) -> Value {
        arguments::schema::<Args>()
    }

    fn check(&self, arguments: &Value) -> Result<(), ToolError> {
        Args::parse(arguments).map(drop)
    }

    fn effect(&self, _arguments: &Value) -> Effect {
        Effect::Write
    }

    fn claim(&self, arguments: &Value, context: &ToolContext) -> Claim {
        file_claim(arguments, context, true)
    }

    fn target(&self, arguments: &Value) -> String {
        arguments["path"].as_str().unwrap_or_default().to_owned()
    }

    fn summary(&self, arguments: &Value) -> String {
        let change = match Args::parse(arguments) {
            Ok((_, Edit::Patch(patch))) => patch,
            Ok((_, Edit::Replace(replacement))) => {
                let side = |sign: &str, text: &str| -> String {
                    text.lines().flat_map(|line| [sign, line, "\n"]).collect()
                };
                format!("{}{}", side("-", &replacement.old), side("+", &replacement.new))
            }
            Err(error) => error.to_string(),
        };
        let target = self.target(arguments);
        format!("edit {target}{}\n{change}", later_note(Path::new(&target)))
    }

    async fn run(&self, arguments: Value, context: &ToolContext) -> Result<ToolOutput, ToolError> {
        let (path, edit) = Args::parse(&arguments)?;
        let (opener, cancel) = (context.opener.clone(), context.cancel.clone());
        context
            .blocking(move || match edit {
                Edit::Replace(replacement) => {
                    let (count, change) =
                        edit::replace(&opener, &path, &replacement, &cancel).map_err(tool_error)?;
                    let times = counted(count, "replacement");
                    let note = later_note(&path);
                    Ok(ToolOutput::text(format!("{times} in `{}`{note}", shown(&path)))
                        .with_data(json!({"path": path, "replacements": count}))
                        .with_item(change_item(&path, &change)))
                }
                Edit::Patch(text) => {
                    let done = patch::apply(&opener, &path, &text, &cancel).map_err(tool_error)?;
                    let item = change_item(&path, &done.change);
                    let data = json!({"path": path, "hunks": done.hunks.len()});
                    let note = later_note(&path);
                    Ok(ToolOutput::text(patched_text(&shown(&path), &done) + &note)
                        .with_data(data)
                        .with_item(item))
                }
            })
            .await
    }
}

fn patched_text(path: &str, done: &patch::Patched) -> String {
    if done.change.kind == ChangeKind::Deleted {
        return format!("deleted `{path}`");
    }
    let lines: Vec<String> = done.hunks.iter().map(u64::to_string).collect();
    let hunks = counted(done.hunks.len() as u64, "hunk");
    let kind = done.change.kind.as_str();
    format!("{hunks} applied to `{path}` at line {} ({kind})", lines.join(", "))
}
