//! One message of a conversation, in a form that no provider owns.
//!
//! Adapters translate it into each provider's dialect. Storage identity (row ids, time stamps) is
//! not here: a conversation is pure values, and `memory` keeps it.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use super::tool::ToolCall;
use super::tool::ToolResult;

/// Who speaks. The system prompt is not a message: it is `ModelRequest::system`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    User,
    Assistant,
    /// Carries only [`Part::ToolResult`].
    Tool,
}

/// A piece of a message, in the order in which it was said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part {
    Text {
        text: String,
    },
    /// An image as input; `data` is standard base64 of the file's bytes.
    Image {
        media_type: String,
        data: String,
    },
    /// What the model thought aloud. `opaque` is whatever the provider wants to get back unchanged
    /// in the next request (a signature, an encrypted blob, an item id); nobody else looks into it.
    Reasoning {
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opaque: Option<serde_json::Value>,
    },
    ToolCall(ToolCall),
    ToolResult(ToolResult),
}

/// One turn of one speaker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    pub role: Role,
    pub parts: Vec<Part>,
}

impl Message {
    /// A message of one text part.
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self { role, parts: vec![Part::Text { text: text.into() }] }
    }

    /// All text parts joined in order; reasoning is left out.
    pub fn plain_text(&self) -> String {
        self.parts
            .iter()
            .filter_map(|part| match part {
                Part::Text { text } => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }

    /// The tool calls of this message, in order.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.parts.iter().filter_map(|part| match part {
            Part::ToolCall(call) => Some(call),
            _ => None,
        })
    }
}
