//! The `file_read` tool: lets the model look at a text file, or at a window of a large one.
//!
//! Does not decide whether reading is allowed (`system::opener`) nor how bytes become text
//! (`files::read`). Ends at [`MAX_BYTES`] and says where to go on: a cut in the middle, as other
//! output has it, would be useless here.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::ToolError;
use super::ToolOutput;
use super::file::Reach;
use super::file::ReadsFiles;
use super::file::tool_error;
use crate::files::read;
use crate::files::read::Text;
use crate::files::read::Window;

/// Bytes of one call.
const MAX_BYTES: usize = 30 * 1024;

/// Reads a file.
pub struct FileRead;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    path: PathBuf,
    offset: Option<u64>,
    limit: Option<u64>,
}

impl ReadsFiles for FileRead {
    const NAME: &'static str = "file_read";
    const DESCRIPTION: &'static str = "Read a text file, or limit lines from line offset (from 1)";
    type Arguments = Args;

    fn read(args: Args, reach: &Reach) -> Result<ToolOutput, ToolError> {
        let first = args.offset.unwrap_or(1).max(1);
        let window = Window { offset: first, limit: args.limit, max_bytes: MAX_BYTES };
        let text =
            read::read(&reach.opener, &args.path, window, &reach.cancel).map_err(tool_error)?;
        Ok(output(&args, first, text))
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
