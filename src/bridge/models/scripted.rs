//! `scripted`: a chat model that replays a file. Tests use it, and so does whoever wants to see
//! the agent work without a model (`--model scripted`, `model.script`).
//!
//! Knows no tool and never looks at what it is told beyond `expect`. Each request takes the next
//! turn; a request too many, or one that lacks an expected text, is `ReplayDiverged`.
//!
//! The file is JSON: a list of turns, or an object with `turns` and, if wanted, `model` and
//! `context_window`. Unknown keys are errors. A turn:
//!
//! ```json
//! {
//!   "expect": "text the request must contain (or a list of texts)",
//!   "reasoning": "said before the text",
//!   "text": "what the model says",
//!   "tool_calls": [{"name": "shell", "arguments": {"command": "ls"}, "id": "optional"}],
//!   "usage": {"input_tokens": 10, "output_tokens": 5},
//!   "stop": "max_tokens",
//!   "delay_ms": 50,
//!   "error": {"kind": "server", "message": "instead of a reply"}
//! }
//! ```
//!
//! `arguments` may be a string, which is passed on as it is: a model's broken JSON.

use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::protocol::ChatModel;
use crate::protocol::Message;
use crate::protocol::ModelDelta;
use crate::protocol::ModelError;
use crate::protocol::ModelErrorKind;
use crate::protocol::ModelReply;
use crate::protocol::ModelRequest;
use crate::protocol::Part;
use crate::protocol::Role;
use crate::protocol::StopReason;
use crate::protocol::ToolCall;
use crate::protocol::Usage;
use crate::protocol::port::ModelInfo;

/// Tokens, when the script names no window.
const DEFAULT_WINDOW: u64 = 128_000;

/// Text is streamed in pieces of this many characters.
const PIECE: usize = 48;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    #[serde(default = "default_name")]
    model: String,
    #[serde(default = "default_window")]
    context_window: u64,
    turns: Vec<Turn>,
}

/// One reply, or one failure.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Turn {
    expect: Expect,
    text: String,
    reasoning: String,
    tool_calls: Vec<ScriptedCall>,
    usage: Usage,
    stop: Option<StopReason>,
    delay_ms: u64,
    error: Option<ScriptedError>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Expect {
    One(String),
    Many(Vec<String>),
}

impl Default for Expect {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Expect {
    fn texts(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptedCall {
    name: String,
    #[serde(default)]
    arguments: serde_json::Value,
    id: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptedError {
    kind: ModelErrorKind,
    message: String,
    hint: Option<String>,
    status: Option<u16>,
    retry_after_s: Option<f64>,
}

fn default_name() -> String {
    "script".to_owned()
}

fn default_window() -> u64 {
    DEFAULT_WINDOW
}

/// Replays a script, one turn per request.
#[derive(Debug)]
pub struct ScriptedModel {
    script: Script,
    /// Index of the turn that the next request takes. Never held across an await.
    next: Mutex<usize>,
}

impl ScriptedModel {
    /// Reads a script from a file that the person named.
    pub fn from_file(path: &Path) -> Result<Self, ModelError> {
        let shown = path.display();
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(configuration(format!("the script `{shown}` is no regular file")));
        }
        let text = std::fs::read_to_string(path)
            .map_err(|error| configuration(format!("cannot read the script `{shown}`: {error}")))?;
        Self::from_json(&text)
            .map_err(|error| configuration(format!("in the script `{shown}`: {}", error.message)))
    }

    /// Parses a script; errors name line and column.
    pub fn from_json(text: &str) -> Result<Self, ModelError> {
        let script = if text.trim_start().starts_with('[') {
            serde_json::from_str(text).map(|turns| Script {
                model: default_name(),
                context_window: DEFAULT_WINDOW,
                turns,
            })
        } else {
            serde_json::from_str(text)
        };
        let script: Script = script.map_err(|error| configuration(error.to_string()))?;
        Ok(Self { script, next: Mutex::new(0) })
    }

    /// How many turns have been asked for.
    pub fn turns_taken(&self) -> usize {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, request: &ModelRequest) -> Result<(usize, Turn), ModelError> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let index = *next;
        let Some(turn) = self.script.turns.get(index) else {
            return Err(diverged(format!(
                "the script has {} turns and the model was asked for one more",
                self.script.turns.len()
            )));
        };
        let said = everything_said(request);
        if let Some(missing) = turn.expect.texts().iter().find(|text| !said.contains(text.as_str()))
        {
            return Err(diverged(format!(
                "turn {} of the script expects `{missing}` in the request, which is not there",
                index + 1
            )));
        }
        *next += 1;
        Ok((index, turn.clone()))
    }
}

#[async_trait]
impl ChatModel for ScriptedModel {
    fn info(&self) -> ModelInfo {
        ModelInfo {
            provider: "scripted".to_owned(),
            name: self.script.model.clone(),
            context_window: self.script.context_window,
            window_setting: Some("`context_window` in the script".to_owned()),
        }
    }

    async fn respond(
        &self,
        request: &ModelRequest,
        deltas: mpsc::Sender<ModelDelta>,
        cancel: CancellationToken,
    ) -> Result<ModelReply, ModelError> {
        let (index, turn) = self.take(request)?;
        if turn.delay_ms > 0 {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(turn.delay_ms)) => {}
                () = cancel.cancelled() => {
                    return Err(ModelError::new(ModelErrorKind::Cancelled, "cancelled"));
                }
            }
        }
        if let Some(error) = turn.error {
            return Err(ModelError {
                kind: error.kind,
                message: error.message,
                hint: error.hint,
                status: error.status,
                retry_after_s: error.retry_after_s,
            });
        }
        for text in pieces(&turn.reasoning) {
            drop(deltas.try_send(ModelDelta::Reasoning { text: text.to_owned() }));
        }
        for text in pieces(&turn.text) {
            drop(deltas.try_send(ModelDelta::Text { text: text.to_owned() }));
        }
        Ok(reply(index, turn, &self.script.model))
    }
}

fn reply(index: usize, turn: Turn, model: &str) -> ModelReply {
    let mut parts = Vec::new();
    if !turn.reasoning.is_empty() {
        parts.push(Part::Reasoning { text: turn.reasoning, opaque: None });
    }
    if !turn.text.is_empty() {
        parts.push(Part::Text { text: turn.text });
    }
    let calls = !turn.tool_calls.is_empty();
    for (position, call) in turn.tool_calls.into_iter().enumerate() {
        let arguments = match call.arguments {
            serde_json::Value::String(text) => text,
            serde_json::Value::Null => "{}".to_owned(),
            other => other.to_string(),
        };
        let id = call.id.unwrap_or_else(|| format!("call_{}_{position}", index + 1));
        parts.push(Part::ToolCall(ToolCall { id, name: call.name, arguments }));
    }
    let natural = if calls { StopReason::ToolCalls } else { StopReason::EndTurn };
    ModelReply {
        message: Message { role: Role::Assistant, parts },
        stop: turn.stop.unwrap_or(natural),
        usage: turn.usage,
        model: model.to_owned(),
        rung: None,
    }
}

/// All text of a request that `expect` may refer to.
fn everything_said(request: &ModelRequest) -> String {
    let mut said = request.system.clone();
    for part in request.messages.iter().flat_map(|message| &message.parts) {
        said.push('\n');
        match part {
            Part::Text { text } | Part::Reasoning { text, .. } => said.push_str(text),
            Part::ToolCall(call) => said.push_str(&call.arguments),
            Part::ToolResult(result) => said.push_str(&result.text),
            Part::Image { media_type, .. } => said.push_str(media_type),
        }
    }
    said
}

/// Cuts a text into pieces as a stream would bring them.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.char_indices().nth(PIECE).map_or(rest.len(), |(index, _)| index);
        let (piece, tail) = rest.split_at(end);
        rest = tail;
        Some(piece)
    })
}

fn configuration(message: String) -> ModelError {
    ModelError::new(ModelErrorKind::Configuration, message)
}

fn diverged(message: String) -> ModelError {
    ModelError::new(ModelErrorKind::ReplayDiverged, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(model: &ScriptedModel, text: &str) -> Result<ModelReply, ModelError> {
        let request = ModelRequest {
            messages: vec![Message::text(Role::User, text)],
            ..ModelRequest::default()
        };
        let (sender, _receiver) = mpsc::channel(64);
        model.respond(&request, sender, CancellationToken::new()).await
    }

    #[tokio::test]
    async fn replays_text_calls_and_usage_in_order() {
        let model = ScriptedModel::from_json(
            r#"[{"tool_calls": [{"name": "shell", "arguments": {"command": "ls"}},
                                {"name": "shell", "arguments": "{broken"}]},
                {"text": "done", "usage": {"input_tokens": 3, "output_tokens": 1}}]"#,
        )
        .unwrap();
        let first = ask(&model, "go").await.unwrap();
        assert_eq!(first.stop, StopReason::ToolCalls);
        let arguments: Vec<_> =
            first.message.tool_calls().map(|call| call.arguments.as_str()).collect();
        assert_eq!(arguments, [r#"{"command":"ls"}"#, "{broken"]);
        let second = ask(&model, "go").await.unwrap();
        assert_eq!((second.message.plain_text().as_str(), second.usage.total()), ("done", 4));
        assert_eq!(ask(&model, "go").await.unwrap_err().kind, ModelErrorKind::ReplayDiverged);
    }

    #[tokio::test]
    async fn an_expected_text_that_is_missing_diverges() {
        let model = ScriptedModel::from_json(r#"[{"expect": ["apple"], "text": "ok"}]"#).unwrap();
        let error = ask(&model, "pear").await.unwrap_err();
        assert_eq!(error.kind, ModelErrorKind::ReplayDiverged);
        assert!(error.message.contains("`apple`"), "{error}");
        assert_eq!(model.turns_taken(), 0);
        ask(&model, "an apple").await.unwrap();
    }

    #[tokio::test]
    async fn a_scripted_error_comes_instead_of_a_reply() {
        let model = ScriptedModel::from_json(
            r#"[{"error": {"kind": "rate_limited", "message": "slow down", "status": 429}}]"#,
        )
        .unwrap();
        let error = ask(&model, "go").await.unwrap_err();
        assert_eq!((error.kind, error.status), (ModelErrorKind::RateLimited, Some(429)));
    }

    #[tokio::test]
    async fn cancelling_ends_a_delay() {
        let model = ScriptedModel::from_json(r#"[{"delay_ms": 60000, "text": "late"}]"#).unwrap();
        let cancel = CancellationToken::new();
        cancel.cancel();
        let (sender, _receiver) = mpsc::channel(1);
        let error = model.respond(&ModelRequest::default(), sender, cancel).await.unwrap_err();
        assert_eq!(error.kind, ModelErrorKind::Cancelled);
    }

    #[test]
    fn unknown_keys_and_bad_json_name_the_place() {
        let error = ScriptedModel::from_json("[{\"txt\": \"x\"}]").unwrap_err();
        assert_eq!(error.kind, ModelErrorKind::Configuration);
        assert!(error.message.contains("`txt`") && error.message.contains("line 1"), "{error}");
        assert!(ScriptedModel::from_json("{\"turn\": []}").is_err());
        let missing = ScriptedModel::from_file(Path::new("no/such/script.json")).unwrap_err();
        assert!(missing.message.contains("no/such/script.json"));
    }

    #[test]
    fn pieces_join_to_the_whole_text() {
        let text = "ü".repeat(100);
        assert_eq!(pieces(&text).collect::<String>(), text);
        assert!(pieces(&text).count() > 1);
    }
}
