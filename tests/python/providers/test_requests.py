"""What is sent: each dialect's form of the same conversation."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import streams

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}
CONVERSATION: dict[str, Any] = {
    "system": "be brief",
    "messages": [
        {
            "role": "user",
            "parts": [
                {"type": "text", "text": "what is on it?"},
                {"type": "image", "media_type": "image/png", "data": "iVBORw0="},
            ],
        },
        {
            "role": "assistant",
            "parts": [
                {"type": "text", "text": "I look."},
                {
                    "type": "tool_call",
                    "id": "call.1",
                    "name": "file_read",
                    "arguments": '{"path":"a"}',
                },
                {
                    "type": "tool_call",
                    "id": "call.2",
                    "name": "file_read",
                    "arguments": "{broken",
                },
            ],
        },
        {
            "role": "tool",
            "parts": [
                {
                    "type": "tool_result",
                    "call_id": "call.1",
                    "name": "file_read",
                    "text": "A",
                    "is_error": False,
                },
                {
                    "type": "tool_result",
                    "call_id": "call.2",
                    "name": "file_read",
                    "text": "not JSON",
                    "is_error": True,
                },
            ],
        },
        {"role": "user", "parts": [{"type": "text", "text": "go on"}]},
    ],
    "tools": [
        {
            "name": "file_read",
            "description": "reads",
            "parameters": {"type": "object", "properties": {"path": {}}},
        }
    ],
    "max_output_tokens": 77,
}


def asked(**more: Any) -> dict[str, Any]:
    return {**copy.deepcopy(CONVERSATION), **more}


def test_chat() -> None:
    body = streams.body("openai", asked())
    assert body["model"] == "a-model"
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}
    assert body["max_completion_tokens"] == 77
    assert "max_tokens" not in body
    assert body["tools"][0]["function"]["name"] == "file_read"
    system, person, model, first, second, last = body["messages"]
    assert system == {"role": "system", "content": "be brief"}
    assert person["content"][1]["image_url"]["url"] == "data:image/png;base64,iVBORw0="
    assert model["content"] == "I look."
    assert [c["function"]["arguments"] for c in model["tool_calls"]] == [
        '{"path":"a"}',
        "{broken",
    ]
    assert first == {"role": "tool", "tool_call_id": "call.1", "content": "A"}
    assert second["content"] == "error: not JSON"
    assert last == {"role": "user", "content": "go on"}


def test_chat_of_a_compatible_server() -> None:
    body = streams.body("openai", asked(), base_url="http://127.0.0.1:8080/v1")
    assert body["max_tokens"] == 77
    assert "max_completion_tokens" not in body


def test_chat_reasoning_goes_back_within_the_turn_only() -> None:
    reply, _ = streams.replay("openai", streams.events("chat_reasoning"))
    result = {"type": "tool_result", "call_id": "call_0", "name": "shell", "text": "1"}
    request = copy.deepcopy(streams.ASK)
    request["messages"] += [reply["message"], {"role": "tool", "parts": [result]}]
    sent = streams.body("openai", request)["messages"]
    assert sent[1]["reasoning_content"] == "I need the date."
    request["messages"] += copy.deepcopy(streams.ASK["messages"])
    sent = streams.body("openai", request)["messages"]
    assert "reasoning_content" not in sent[1]


def test_responses() -> None:
    body = streams.body("openai", asked(), api="responses")
    assert body["instructions"] == "be brief"
    assert body["store"] is False
    assert body["max_output_tokens"] == 77
    assert body["tools"][0]["type"] == "function"
    assert "include" not in body
    kinds = [item.get("type", item.get("role")) for item in body["input"]]
    assert kinds == [
        "user",
        "message",
        "function_call",
        "function_call",
        "function_call_output",
        "function_call_output",
        "user",
    ]
    assert body["input"][0]["content"][1]["type"] == "input_image"
    assert body["input"][5]["output"] == "error: not JSON"


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("gpt-4o", False),
        ("gpt-5.2", True),
        ("gpt-5-chat-latest", False),
        ("o4-mini", True),
        ("openai/o3", True),
        ("llama-3", False),
    ],
)
def test_encrypted_reasoning_is_asked_of_models_that_reason(
    name: str, reasons: bool
) -> None:
    body = streams.body("openai", asked(), api="responses", name=name)
    assert body.get("include") == (["reasoning.encrypted_content"] if reasons else None)


def test_responses_reasoning_goes_back_unchanged() -> None:
    stream = streams.events("responses_reasoning_calls")
    reply, _ = streams.replay("openai", stream, api="responses")
    request = copy.deepcopy(streams.ASK)
    request["messages"].append(reply["message"])
    sent = streams.body("openai", request, api="responses")["input"]
    assert sent[1]["encrypted_content"] == "gAAAAB=="
    assert [item["type"] for item in sent[1:]] == [
        "reasoning",
        "function_call",
        "function_call",
    ]


def test_anthropic() -> None:
    http = streams.opened("anthropic", asked())
    assert http["auth"] == "x-api-key"
    assert http["http"]["headers"]["anthropic-version"] == "2023-06-01"
    body = streams.body("anthropic", asked())
    assert body["max_tokens"] == 77
    assert body["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert body["tools"][0]["input_schema"]["type"] == "object"
    person, model, results = body["messages"]
    assert person["content"][1]["source"]["data"] == "iVBORw0="
    assert model["content"][1]["input"] == {"path": "a"}
    assert model["content"][2]["input"] == {"invalid_json": "{broken"}
    # Results come first in the person's message, and ids keep to the allowed letters.
    assert [block["type"] for block in results["content"]] == [
        "tool_result",
        "tool_result",
        "text",
    ]
    assert results["content"][0]["tool_use_id"] == "call_1"
    assert results["content"][1]["is_error"] is True
    assert results["content"][2]["cache_control"] == {"type": "ephemeral"}


def test_anthropic_thinking_goes_back_with_its_signature() -> None:
    reply, _ = streams.replay("anthropic", streams.events("anthropic_thinking_calls"))
    request = copy.deepcopy(streams.ASK)
    request["messages"].append(reply["message"])
    sent = streams.body("anthropic", request)["messages"][1]["content"]
    assert sent[0] == {
        "type": "thinking",
        "thinking": "Read both.",
        "signature": "EqQBCgIY",
    }
    assert sent[1] == {"type": "redacted_thinking", "data": "EmwKAhgB"}


def test_reasoning_of_one_provider_is_not_shown_to_another() -> None:
    reply, _ = streams.replay("anthropic", streams.events("anthropic_thinking_calls"))
    request = copy.deepcopy(streams.ASK)
    request["messages"].append(reply["message"])
    sent = streams.body("openai", request, api="responses")["input"]
    assert "reasoning" not in [item.get("type") for item in sent]
    reply, _ = streams.replay("openai", streams.events("chat_reasoning"))
    request["messages"][1] = reply["message"]
    sent = streams.body("anthropic", request)["messages"][1]["content"]
    assert [block["type"] for block in sent] == ["text", "tool_use"]


def test_reasoning_effort() -> None:
    how: Any = {"reasoning_effort": "high", "temperature": 0.5}
    assert streams.body("openai", **how)["reasoning_effort"] == "high"
    responses = streams.body("openai", api="responses", **how)
    assert responses["reasoning"] == {"effort": "high"}
    body = streams.body("anthropic", **how)
    assert body["thinking"] == {"type": "adaptive"}
    assert body["output_config"] == {"effort": "high"}
    assert "temperature" not in body


def test_schema_where_the_provider_enforces_it() -> None:
    request = asked(output_schema=SCHEMA)
    chat = streams.body("openai", request)
    assert chat["response_format"]["json_schema"]["strict"] is True
    responses = streams.body("openai", request, api="responses")
    assert responses["text"]["format"]["schema"] == SCHEMA
    body = streams.body("anthropic", request)
    assert body["output_config"]["format"] == {"type": "json_schema", "schema": SCHEMA}
    assert body["system"][0]["text"] == "be brief"


def test_schema_in_words_where_it_cannot_be_enforced() -> None:
    loose = {"type": "object", "properties": {"n": {"type": "integer"}}}
    request = asked(output_schema=loose)
    assert not streams.body("openai", request)["response_format"]["json_schema"][
        "strict"
    ]
    body = streams.body("anthropic", request)
    assert "output_config" not in body
    assert '"integer"' in body["system"][0]["text"]
    body = streams.body("openai", request, native_schema=False)
    assert "response_format" not in body
    assert '"integer"' in body["messages"][0]["content"]
