//! What crosses to the adapters and back (`adapter.*`).

use serde::Deserialize;
use serde::Serialize;

use crate::config::settings::ModelApi;
use crate::network::sse::SseEvent;
use crate::protocol::ModelDelta;
use crate::protocol::ModelErrorKind;
use crate::protocol::ModelReply;
use crate::protocol::ModelRequest;

#[derive(Debug, Serialize)]
pub(super) struct OpenPayload<'a> {
    pub(super) provider: &'a str,
    pub(super) settings: AdapterSettings<'a>,
    pub(super) request: &'a ModelRequest,
}

/// What an adapter needs to know; never a key.
#[derive(Debug, Serialize)]
pub(super) struct AdapterSettings<'a> {
    pub(super) name: &'a str,
    pub(super) api: ModelApi,
    pub(super) max_output_tokens: Option<u32>,
    pub(super) temperature: Option<f64>,
    pub(super) reasoning_effort: Option<&'a str>,
    pub(super) base_url: Option<&'a str>,
    /// False: the schema of the answer goes into the prompt.
    pub(super) native_schema: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct OpenAnswer {
    pub(super) stream: u64,
    pub(super) http: AdapterRequest,
    pub(super) auth: AuthStyle,
}

#[derive(Debug, Deserialize)]
pub(super) struct AdapterRequest {
    pub(super) path: String,
    pub(super) headers: serde_json::Map<String, serde_json::Value>,
    pub(super) body: String,
}

/// How the key is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::bridge) enum AuthStyle {
    Bearer,
    XApiKey,
}

#[derive(Debug, Serialize)]
pub(super) struct FeedPayload<'a> {
    pub(super) stream: u64,
    pub(super) events: &'a [SseEvent],
    pub(super) done: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct FeedAnswer {
    pub(super) deltas: Vec<ModelDelta>,
    pub(super) finished: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct ClosePayload {
    pub(super) stream: u64,
    pub(super) complete: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct CloseAnswer {
    pub(super) reply: Option<ModelReply>,
}

#[derive(Debug, Serialize)]
pub(super) struct ErrorPayload<'a> {
    pub(super) provider: &'a str,
    pub(super) status: u16,
    pub(super) headers: serde_json::Map<String, serde_json::Value>,
    pub(super) body: &'a str,
}

#[derive(Debug, Deserialize)]
pub(super) struct ErrorAnswer {
    pub(super) kind: ModelErrorKind,
    pub(super) message: String,
    pub(super) hint: Option<String>,
    /// False: trying again is useless although the status says otherwise.
    pub(super) retry: Option<bool>,
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
