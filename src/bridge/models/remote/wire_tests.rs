//! `contracts/wire/adapter_calls.json`: what Rust writes and reads of each call.
//!
//! `tests/python/providers/test_wire.py` makes the same calls and compares the answers.

use std::sync::Arc;

use serde_json::Value;

use super::AdapterSettings;
use super::AuthStyle;
use super::CloseAnswer;
use super::ClosePayload;
use super::ErrorAnswer;
use super::ErrorPayload;
use super::FeedAnswer;
use super::FeedPayload;
use super::OpenAnswer;
use super::OpenPayload;
use super::WrittenTools;
use crate::config::settings::ModelApi;
use crate::network::sse::SseEvent;
use crate::protocol::ModelDelta;
use crate::protocol::ModelErrorKind;
use crate::protocol::ModelRequest;
use crate::protocol::StopReason;
use crate::protocol::ToolSpec;

fn file() -> Value {
    let text = include_str!("../../../../contracts/wire/adapter_calls.json");
    serde_json::from_str(text).unwrap()
}

/// Payload and answer of the calls of `op`, in order.
fn calls(op: &str) -> Vec<(Value, Value)> {
    let file = file();
    let calls = file["value"].as_array().unwrap().iter();
    calls
        .filter(|call| call["op"] == op)
        .map(|call| (call["payload"].clone(), call["answer"].clone()))
        .collect()
}

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn open() {
    let calls = calls("adapter.open");
    for (number, (payload, answer)) in (1..).zip(&calls) {
        let provider = payload["provider"].as_str().unwrap();
        let request: ModelRequest = read(&payload["request"]);
        let settings = AdapterSettings {
            name: "mock-model",
            api: ModelApi::Chat,
            max_output_tokens: None,
            temperature: None,
            reasoning_effort: None,
            base_url: None,
            native_schema: true,
        };
        let written = OpenPayload { provider, settings, request: (&request).into() };
        assert_eq!(&serde_json::to_value(written).unwrap(), payload);
        let answer: OpenAnswer = read(answer);
        let (auth, path) = match provider {
            "anthropic" => (AuthStyle::XApiKey, "/v1/messages"),
            _ => (AuthStyle::Bearer, "/chat/completions"),
        };
        assert_eq!((answer.stream, answer.auth), (number, auth));
        assert_eq!(answer.http.path, path);
        assert_eq!(answer.http.headers["content-type"], "application/json");
    }
    assert_eq!(calls.len(), 2);
    let file = file();
    let opened =
        file["value"].as_array().unwrap().iter().filter(|call| call["op"] == "adapter.open");
    for call in opened {
        let [body] = &call["given"].as_array().unwrap()[..] else { panic!("one buffer: {call}") };
        let body: Value = serde_json::from_str(body.as_str().unwrap()).unwrap();
        assert_eq!(body["model"], "mock-model");
    }
}

#[test]
fn tools_cross_as_a_buffer_that_is_written_once() {
    let recorded = file()["value"][0]["buffers"][0].as_str().unwrap().to_owned();
    let tools: Arc<[ToolSpec]> = serde_json::from_str::<Vec<_>>(&recorded).unwrap().into();
    let written = WrittenTools::default();
    assert!(written.buffers(&Arc::default()).unwrap().is_empty());
    let first = written.buffers(&tools).unwrap();
    let again: Value = serde_json::from_slice(&first[0]).unwrap();
    assert_eq!(again, serde_json::from_str::<Value>(&recorded).unwrap());
    assert_eq!(written.buffers(&tools).unwrap()[0].as_ptr(), first[0].as_ptr());
    let other: Arc<[ToolSpec]> = tools.iter().chain(tools.iter()).cloned().collect();
    assert!(written.buffers(&other).unwrap()[0].len() > first[0].len());
}

#[test]
fn feed_and_close() {
    let mut closing = calls("adapter.close").into_iter();
    for fed in calls("adapter.feed").chunks(2) {
        let mut reply = None;
        for (payload, answer) in fed {
            let stream = payload["stream"].as_u64().unwrap();
            let events: Vec<SseEvent> = read(&payload["events"]);
            let done = payload["done"] == true;
            let written = FeedPayload { stream, events: &events, done };
            assert_eq!(&serde_json::to_value(written).unwrap(), payload);
            let answer: FeedAnswer = read(answer);
            assert_eq!(answer.finished, answer.reply.is_some());
            assert!(answer.held >= 2);
            reply = answer.reply;
            let text = ModelDelta::Text { text: "42".to_owned() };
            assert_eq!(answer.deltas, if done { Vec::new() } else { vec![text] });
        }
        let (payload, answer) = closing.next().unwrap();
        let stream = payload["stream"].as_u64().unwrap();
        let written = ClosePayload { stream, complete: reply.is_none() };
        assert_eq!(serde_json::to_value(written).unwrap(), payload);
        let reply = reply.or(read::<CloseAnswer>(&answer).reply).unwrap();
        assert_eq!((reply.message.plain_text().as_str(), reply.stop), ("42", StopReason::EndTurn));
    }
    assert!(closing.next().is_none());
}

#[test]
fn error() {
    let [(payload, answer)] = &calls("adapter.error")[..] else { panic!("one call") };
    let headers = payload["headers"].as_object().unwrap().clone();
    let body = payload["body"].as_str().unwrap();
    let written = ErrorPayload { provider: "openai", status: 429, headers, body };
    assert_eq!(&serde_json::to_value(written).unwrap(), payload);
    let answer: ErrorAnswer = read(answer);
    assert_eq!((answer.kind, answer.retry), (ModelErrorKind::RateLimited, Some(false)));
    assert!(answer.hint.is_some() && answer.message.contains("no credit left"));
}
