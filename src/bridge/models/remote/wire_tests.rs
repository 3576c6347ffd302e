//! `contracts/wire/adapter_calls.json`: what Rust writes and reads of each call.
//!
//! `tests/python/providers/test_wire.py` makes the same calls and compares the answers.

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
use crate::config::settings::ModelApi;
use crate::network::sse::SseEvent;
use crate::protocol::ModelDelta;
use crate::protocol::ModelErrorKind;
use crate::protocol::ModelRequest;
use crate::protocol::StopReason;

/// Payload and answer of the calls of `op`, in order.
fn calls(op: &str) -> Vec<(Value, Value)> {
    let text = include_str!("../../../../contracts/wire/adapter_calls.json");
    let file: Value = serde_json::from_str(text).unwrap();
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
    let [(payload, answer)] = &calls("adapter.open")[..] else { panic!("one call") };
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
    let written = OpenPayload { provider: "anthropic", settings, request: &request };
    assert_eq!(&serde_json::to_value(written).unwrap(), payload);
    let answer: OpenAnswer = read(answer);
    assert_eq!((answer.stream, answer.auth), (1, AuthStyle::XApiKey));
    assert_eq!(answer.http.path, "/v1/messages");
    assert!(answer.http.headers.contains_key("anthropic-version"));
    assert!(answer.http.body.starts_with('{'));
}

#[test]
fn feed_and_close() {
    let calls_of_feed = calls("adapter.feed");
    for (at, (payload, answer)) in calls_of_feed.iter().enumerate() {
        let events: Vec<SseEvent> = read(&payload["events"]);
        let last = at + 1 == calls_of_feed.len();
        let written = FeedPayload { stream: 1, events: &events, done: last };
        assert_eq!(&serde_json::to_value(written).unwrap(), payload);
        let answer: FeedAnswer = read(answer);
        assert_eq!(answer.finished, last);
        let text = ModelDelta::Text { text: "42".to_owned() };
        assert_eq!(answer.deltas, if last { Vec::new() } else { vec![text] });
    }
    let [(payload, answer)] = &calls("adapter.close")[..] else { panic!("one call") };
    let written = ClosePayload { stream: 1, complete: true };
    assert_eq!(&serde_json::to_value(written).unwrap(), payload);
    let reply = read::<CloseAnswer>(answer).reply.unwrap();
    assert_eq!((reply.message.plain_text().as_str(), reply.stop), ("42", StopReason::EndTurn));
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
