//! The three dialects of the loopback model server: the same answer in each form.

use serde_json::Value;
use serde_json::json;

use super::model_server::TEXT;

/// A tool call that the person's text asks for.
struct Wanted {
    name: String,
    arguments: Value,
    number: usize,
}

/// The server-sent events of an answer.
pub fn stream(path: &str, request: &Value) -> Vec<String> {
    let call = wanted(request);
    let events = if path.ends_with("/responses") {
        responses_events(call.as_ref())
    } else if path.ends_with("/messages") {
        anthropic_events(call.as_ref())
    } else {
        return chat_events(call.as_ref());
    };
    events
        .iter()
        .map(|event| format!("event: {}\ndata: {event}\n\n", text(&event["type"])))
        .collect()
}

/// The same as one body.
pub fn whole(path: &str, request: &Value) -> Value {
    let call = wanted(request);
    if path.ends_with("/responses") {
        responses_body(call.as_ref())
    } else if path.ends_with("/messages") {
        anthropic_body(call.as_ref())
    } else {
        chat_body(call.as_ref())
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Reads `CALL name {json}` or `CALL*N name {json}` in the request.
fn wanted(request: &Value) -> Option<Wanted> {
    let mut found = None;
    let mut results = 0;
    visit(request, &mut |value| {
        if let Some(at) = text(value).find("CALL") {
            found = found.take().or_else(|| parse_call(&text(value)[at + 4..]));
        }
        let kind = [&value["type"], &value["role"]].map(text);
        if kind.iter().any(|kind| matches!(*kind, "tool" | "function_call_output" | "tool_result"))
        {
            results += 1;
        }
    });
    let (times, name, arguments) = found?;
    (results < times).then_some(Wanted { name, arguments, number: results + 1 })
}

fn parse_call(text: &str) -> Option<(usize, String, Value)> {
    let (times, rest) = match text.strip_prefix('*') {
        Some(rest) => rest.split_once(' ')?,
        None => ("1", text.trim_start()),
    };
    let (name, arguments) = rest.split_once(' ')?;
    let mut values = serde_json::Deserializer::from_str(arguments).into_iter::<Value>();
    Some((times.parse().ok()?, name.to_owned(), values.next()?.ok()?))
}

fn visit(value: &Value, see: &mut dyn FnMut(&Value)) {
    see(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| visit(item, see)),
        Value::Object(fields) => fields.values().for_each(|field| visit(field, see)),
        _ => {}
    }
}

fn chat_call(call: &Wanted) -> Value {
    json!({"index": 0, "id": format!("call_{}", call.number), "type": "function",
        "function": {"name": call.name, "arguments": call.arguments.to_string()}})
}

fn chat_usage() -> Value {
    json!({"prompt_tokens": 10, "completion_tokens": 9, "total_tokens": 19})
}

fn chat_events(call: Option<&Wanted>) -> Vec<String> {
    let chunk = |delta: Value, finish: Value| {
        json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "mock-model",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
    };
    let mut events = vec![chunk(json!({"role": "assistant", "content": null}), Value::Null)];
    match call {
        Some(call) => events.push(chunk(json!({"tool_calls": [chat_call(call)]}), Value::Null)),
        None => events.extend(TEXT.iter().map(|text| chunk(json!({"content": text}), Value::Null))),
    }
    events.push(chunk(json!({}), json!(if call.is_some() { "tool_calls" } else { "stop" })));
    events.push(
        json!({"id": "chatcmpl-1", "model": "mock-model", "choices": [], "usage": chat_usage()}),
    );
    let mut lines: Vec<_> = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    lines.push("data: [DONE]\n\n".to_owned());
    lines
}

fn chat_body(call: Option<&Wanted>) -> Value {
    let content = call.is_none().then(|| TEXT.concat());
    let mut message = json!({"role": "assistant", "content": content});
    if let Some(call) = call {
        message["tool_calls"] = json!([chat_call(call)]);
    }
    let finish = if call.is_some() { "tool_calls" } else { "stop" };
    json!({"id": "chatcmpl-1", "object": "chat.completion", "model": "mock-model",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": chat_usage()})
}

fn responses_item(call: Option<&Wanted>) -> Value {
    match call {
        Some(call) => json!({"type": "function_call", "id": format!("fc_{}", call.number),
            "call_id": format!("call_{}", call.number), "name": call.name,
            "arguments": call.arguments.to_string(), "status": "completed"}),
        None => {
            json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": TEXT.concat(), "annotations": []}]})
        }
    }
}

fn responses_body(call: Option<&Wanted>) -> Value {
    json!({"id": "resp_1", "object": "response", "status": "completed", "model": "mock-model",
        "output": [responses_item(call)], "usage": {"input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 19}})
}

fn responses_events(call: Option<&Wanted>) -> Vec<Value> {
    let item = responses_item(call);
    let mut events =
        vec![json!({"type": "response.created", "response": {"status": "in_progress"}})];
    events.push(json!({"type": "response.output_item.added", "output_index": 0, "item": item}));
    match call {
        Some(call) => events.push(json!({"type": "response.function_call_arguments.delta",
            "output_index": 0, "delta": call.arguments.to_string()})),
        None => events.extend(TEXT.iter().map(
            |text| json!({"type": "response.output_text.delta", "output_index": 0, "delta": text}),
        )),
    }
    events.push(json!({"type": "response.output_item.done", "output_index": 0, "item": item}));
    events.push(json!({"type": "response.completed", "response": responses_body(call)}));
    events
}

fn anthropic_block(call: Option<&Wanted>) -> Value {
    match call {
        Some(call) => json!({"type": "tool_use", "id": format!("toolu_{}", call.number),
            "name": call.name, "input": call.arguments}),
        None => json!({"type": "text", "text": TEXT.concat()}),
    }
}

fn anthropic_body(call: Option<&Wanted>) -> Value {
    let stop = if call.is_some() { "tool_use" } else { "end_turn" };
    json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "mock-model",
        "content": [anthropic_block(call)], "stop_reason": stop, "stop_sequence": null,
        "usage": {"input_tokens": 10, "output_tokens": 9}})
}

fn anthropic_events(call: Option<&Wanted>) -> Vec<Value> {
    let mut message = anthropic_body(call);
    message["content"] = json!([]);
    message["stop_reason"] = Value::Null;
    let mut block = anthropic_block(call);
    let delta = |delta: Value| json!({"type": "content_block_delta", "index": 0, "delta": delta});
    let pieces: Vec<Value> = if let Some(call) = call {
        block["input"] = json!({});
        let text = call.arguments.to_string();
        vec![delta(json!({"type": "input_json_delta", "partial_json": text}))]
    } else {
        block["text"] = json!("");
        TEXT.iter().map(|text| delta(json!({"type": "text_delta", "text": text}))).collect()
    };
    let stop = if call.is_some() { "tool_use" } else { "end_turn" };
    let mut events = vec![json!({"type": "message_start", "message": message})];
    events.push(json!({"type": "content_block_start", "index": 0, "content_block": block}));
    events.extend(pieces);
    events.push(json!({"type": "content_block_stop", "index": 0}));
    events.push(
        json!({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": null},
        "usage": {"output_tokens": 9}}),
    );
    events.push(json!({"type": "message_stop"}));
    events
}

/// The piece of the answer's text that an event brings.
pub fn text_in(event: &str) -> Option<&'static str> {
    TEXT.into_iter().find(|text| event.contains(text) && event.contains("delta"))
}
