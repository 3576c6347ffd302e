//! The `file_write` tool: writes a whole file, or appends to one.
//!
//! How contents reach the disk (atomically, mode kept) is `files::changing::write`'s business.

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
use crate::files::changing::write;
use crate::files::changing::write::ChangeKind;
use crate::files::finding::name::shown;
use crate::protocol::Effect;

/// Writes a file.
pub struct FileWrite;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Args {
    path: PathBuf,
    content: String,
    append: Option<bool>,
}

#[async_trait]
impl Tool for FileWrite {
    fn name(&self) -> &'static str {
        "file_write"
    }

    fn description(&self) -> &'static str {
        "Create or overwrite a file"
    }

    fn parameters(&self) -> Value {
        arguments::schema::<Args>()
    }

    fn check(&self, arguments: &Value) -> Result<(), ToolError> {
        arguments::parse::<Args>(arguments).map(drop)
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
        let how = if arguments["append"] == true { "append to" } else { "write" };
        let content = arguments["content"].as_str().unwrap_or_default();
        let target = self.target(arguments);
        format!("{how} {target}{}\n{content}", later_note(Path::new(&target)))
    }

    async fn run(&self, arguments: Value, context: &ToolContext) -> Result<ToolOutput, ToolError> {
        let args: Args = arguments::parse(&arguments)?;
        let (opener, cancel) = (context.opener.clone(), context.cancel.clone());
        context
            .blocking(move || {
                let append = args.append.unwrap_or(false);
                let text = args.content.as_bytes();
                let change =
                    write::write(&opener, &args.path, text, append, &cancel).map_err(tool_error)?;
                let bytes = args.content.len();
                let verb = if append { "appended" } else { "wrote" };
                let path = shown(&args.path);
                let size = counted(bytes as u64, "byte");
                let kind = change.kind.as_str();
                let text = format!("{verb} {size} to `{path}` ({kind}){}", later_note(&args.path));
                let created = change.kind == ChangeKind::Created;
                Ok(ToolOutput::text(text)
                    .with_data(json!({
                        "path": args.path,
                        "bytes_written": bytes,
                        "created": created,
                    }))
                    .with_item(change_item(&args.path, &change)))
            })
            .await
    }
}
