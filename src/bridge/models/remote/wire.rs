//! What crosses to the adapters and back (`adapter.*`).

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use bytes::Bytes;
use serde::Deserialize;
use serde::Serialize;

use crate::bridge::python::convert;
use crate::bridge::python::error::BridgeError;
use crate::bridge::python::names;
use crate::config::settings::ModelApi;
use crate::network::sse::SseEvent;
use crate::protocol::Message;
use crate::protocol::ModelDelta;
use crate::protocol::ModelErrorKind;
use crate::protocol::ModelReply;
use crate::protocol::ModelRequest;
use crate::protocol::ToolSpec;

#[derive(Debug, Serialize)]
pub(super) struct OpenPayload<'a> {
    pub(super) provider: &'a str,
    pub(super) settings: AdapterSettings<'a>,
    pub(super) request: AskedRequest<'a>,
}

/// A [`ModelRequest`] but for its tools, which cross apart: they are most of it, and the same each time.
#[derive(Debug, Serialize)]
pub(super) struct AskedRequest<'a> {
    system: &'a str,
    messages: &'a [Message],
    #[serde(skip_serializing_if = "Option::is_none")]
    output_schema: Option<&'a serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
}

impl<'a> From<&'a ModelRequest> for AskedRequest<'a> {
    fn from(request: &'a ModelRequest) -> Self {
        let ModelRequest { system, messages, tools: _, .. } = request;
        Self {
            system,
            messages,
            output_schema: request.output_schema.as_ref(),
            max_output_tokens: request.max_output_tokens,
            temperature: request.temperature,
        }
    }
}

/// The tools of the request before, as text.
#[derive(Default)]
pub(super) struct WrittenTools(Mutex<Option<(Arc<[ToolSpec]>, Bytes)>>);

impl WrittenTools {
    /// The buffers of `adapter.open`: the tools' JSON text, or nothing where there are none.
    pub(super) fn buffers(&self, tools: &Arc<[ToolSpec]>) -> Result<Vec<Bytes>, BridgeError> {
        if tools.is_empty() {
            return Ok(Vec::new());
        }
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, text)) = &*last
            && Arc::ptr_eq(known, tools)
        {
            return Ok(vec![text.clone()]);
        }
        let text = Bytes::from(convert::to_wire(names::ADAPTER_OPEN, tools)?);
        *last = Some((Arc::clone(tools), text.clone()));
        Ok(vec![text])
    }
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

/// The body of the request comes apart, as a buffer.
#[derive(Debug, Deserialize)]
pub(super) struct OpenAnswer {
    pub(super) stream: u64,
    pub(super) http: RequestHead,
    pub(super) auth: AuthStyle,
}

#[derive(Debug, Deserialize)]
pub(super) struct RequestHead {
    pub(super) path: String,
    pub(super) headers: serde_json::Map<String, serde_json::Value>,
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
    /// Bytes of the reply so far, on whichever side they are kept.
    pub(super) held: usize,
    /// Where it is finished; the adapter has forgotten the stream then.
    pub(super) reply: Option<ModelReply>,
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
