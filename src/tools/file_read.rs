//! The `file_read` tool: lets the model look at a text file, or at a window of a large one.
//!
//! Does not decide whether reading is allowed (`system::opener`) nor how bytes become text
//! (`files::read`). Ends at [`MAX_BYTES`] and says where to go on: a cut in the middle, as other
//! output has it, would be useless here.

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
use super::file::file_claim;
use super::file::tool_error;
use crate::files::read;
use crate::files::read::Text;
use crate::files::read::Window;
use crate::protocol::Effect;
use crate::protocol::ToolSpec;

/// Bytes of one call.
const MAX_BYTES: usize = 30 * 1024;

/// Reads a file.
pub struct FileRead;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Args {
    path: PathBuf,
    offset: Option<u64>,
    limit: Option<u64>,
}

#[async_trait]
impl Tool for FileRead {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "file_read".to_owned(),
            description: "Read a text file, or limit lines from line offset (from 1)".to_owned(),
            parameters: arguments::schema::<Args>(),
        }
    }

    fn check(&self, arguments: &Value) -> Result<(), ToolError> {
        arguments::parse::<Args>(arguments).map(drop)
    }

    fn effect(&self, _arguments: &Value) -> Effect {
        Effect::Read
    }

    fn claim(&self, arguments: &Value, context: &ToolContext) -> Claim {
        file_claim(arguments, context, false)
    }

    fn target(&self, arguments: &Value) -> String {
        arguments["path"].as_str().unwrap_or_default().to_owned()
    }

    async fn run(&self, arguments: Value, context: &ToolContext) -> Result<ToolOutput, ToolError> {
        let args: Args = arguments::parse(&arguments)?;
        let (opener, cancel) = (context.opener.clone(), context.cancel.clone());
        context
            .blocking(move || {
                let first = args.offset.unwrap_or(1).max(1);
                let window = Window { offset: first, limit: args.limit, max_bytes: MAX_BYTES };
                let text = read::read(&opener, &args.path, window, &cancel).map_err(tool_error)?;
                Ok(output(&args, first, text))
            })
            .await
    }
}

fn output(args: &Args, first: u64, text: Text) -> ToolOutput {
    let note = note(first, &text);
    let separator = if text.content.is_empty() || text.content.ends_with('\n') { "" } else { "\n" };
    let separator = if note.is_empty() { "" } else { separator };
    let data = json!({
        "path": args.path,
        "content": text.content,
        "size": text.size,
        "lines": text.lines,
        "truncated": text.truncated,
        "binary": text.binary,
    });
    ToolOutput::text(format!("{}{separator}{note}", text.content)).with_data(data)
}

/// What the content does not say: what is missing, or why there is none.
fn note(first: u64, text: &Text) -> String {
    if text.binary {
        return format!("[binary file, {} bytes]", text.size);
    }
    if text.size == 0 {
        return "[empty file]".to_owned();
    }
    if text.shown == 0 {
        return format!("[the file has {} lines, none from line {first} on]", text.lines);
    }
    let last = first + text.shown - 1;
    if text.truncated && !text.content.ends_with('\n') {
        let (bytes, size) = (text.content.len(), text.size);
        return format!(
            "[line {first} is longer than {bytes} bytes and was cut; the file has {size} bytes]"
        );
    }
    if first == 1 && last == text.lines {
        return String::new();
    }
    let more =
        if last < text.lines { format!("; next offset {}", last + 1) } else { String::new() };
    format!("[lines {first} to {last} of {}{more}]", text.lines)
}
