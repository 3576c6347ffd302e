//! How tool calls look in the event stream.
//!
//! A call of `shell` or `python_exec` is a `command_execution`; any other is a `tool_call`, and one
//! that changed a file or the memory is followed by an item that says what changed.

use crate::protocol::ItemBody;
use crate::protocol::ItemStatus;
use crate::protocol::ToolCall;
use crate::tools::dispatch::CallOutcome;

use crate::agent::events::Emitter;

/// Tools that run a program, and the argument that says which.
const COMMANDS: [(&str, &str); 2] = [("shell", "command"), ("python_exec", "code")];

/// The body of a call that begins.
pub(super) fn at_start(call: &ToolCall) -> ItemBody {
    let arguments: serde_json::Value = serde_json::from_str(&call.arguments)
        .unwrap_or_else(|_| serde_json::Value::String(call.arguments.clone()));
    match COMMANDS.iter().find(|(name, _)| *name == call.name) {
        Some((_, key)) => {
            let command = arguments.get(key).and_then(|command| command.as_str());
            ItemBody::CommandExecution {
                command: command.unwrap_or(&call.arguments).to_owned(),
                output: String::new(),
                exit_code: None,
                sandbox: String::new(),
                artefacts: Vec::new(),
            }
        }
        None => ItemBody::ToolCall { tool: call.name.clone(), arguments, output: String::new() },
    }
}

/// The same body with an output.
pub(super) fn with_output(body: ItemBody, text: String) -> ItemBody {
    match body {
        ItemBody::CommandExecution { command, exit_code, sandbox, artefacts, .. } => {
            ItemBody::CommandExecution { command, output: text, exit_code, sandbox, artefacts }
        }
        ItemBody::ToolCall { tool, arguments, .. } => {
            ItemBody::ToolCall { tool, arguments, output: text }
        }
        other => other,
    }
}

/// Ends the item `id` of a call, or tells start and end of one that never ran; then what the call
/// changed.
pub(super) fn tell_end(emitter: &Emitter, id: Option<String>, outcome: &CallOutcome) {
    let body = match &outcome.item {
        Some(body @ ItemBody::CommandExecution { .. }) => body.clone(),
        _ => with_output(at_start(&outcome.call), outcome.result.text.clone()),
    };
    let id = id.unwrap_or_else(|| emitter.start(at_start(&outcome.call)));
    emitter.end(&id, outcome.status, body, Some(outcome.duration));
    if let Some(change @ (ItemBody::FileChange { .. } | ItemBody::Memory { .. })) = &outcome.item {
        emitter.instant(ItemStatus::Completed, change.clone());
    }
}
