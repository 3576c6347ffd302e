"""Each recorded stream gives the documented reply, in whatever portions it comes."""

from __future__ import annotations

from typing import Any

import pytest

import streams
from agi_agent import _errors, _json_text, providers
from agi_agent.providers import _base

CHAT: dict[str, Any] = {"provider": "openai"}
RESPONSES: dict[str, Any] = {"provider": "openai", "api": "responses"}
ANTHROPIC: dict[str, Any] = {"provider": "anthropic"}


def call(call_id: str, name: str, arguments: str) -> dict[str, str]:
    return {"type": "tool_call", "id": call_id, "name": name, "arguments": arguments}


def text(value: str) -> dict[str, str]:
    return {"type": "text", "text": value}


ITEM = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "Look at both."}],
    "encrypted_content": "gAAAAB==",
}
CASES: list[tuple[str, dict[str, Any], list[Any], str, tuple[int, ...]]] = [
    ("chat_text", CHAT, [text("Grüße \U0001f600\n")], "end_turn", (1200, 1024, 9, 4)),
    (
        "chat_parallel_calls",
        CHAT,
        [
            call("call_a", "file_read", '{"path":"a"}'),
            call("call_b", "shell", '{"command":"ls"}'),
        ],
        "tool_calls",
        (10, 0, 9, 0),
    ),
    (
        "chat_ollama_calls",
        CHAT,
        [call("call_x1", "calculator", '{"expression":"1+1"}')],
        "tool_calls",
        (0, 0, 0, 0),
    ),
    (
        "chat_reasoning",
        CHAT,
        [
            {"type": "reasoning", "text": "I need the date.", "opaque": {}},
            text("Let me look."),
            call("call_0", "shell", '{"command": "date"}'),
        ],
        "tool_calls",
        (300, 256, 50, 20),
    ),
    ("responses_text", RESPONSES, [text("Fourteen")], "end_turn", (36, 8, 87, 64)),
    (
        "responses_reasoning_calls",
        RESPONSES,
        [
            {"type": "reasoning", "text": "Look at both.", "opaque": {"item": ITEM}},
            call("call_1", "file_read", '{"path":"a"}'),
            call("call_2", "file_read", '{"path":"b"}'),
        ],
        "tool_calls",
        (50, 0, 30, 10),
    ),
    ("anthropic_text", ANTHROPIC, [text("Hello!")], "end_turn", (1025, 900, 15, 0)),
    (
        "anthropic_thinking_calls",
        ANTHROPIC,
        [
            {
                "type": "reasoning",
                "text": "Read both.",
                "opaque": {"signature": "EqQBCgIY"},
            },
            {"type": "reasoning", "text": "", "opaque": {"redacted": "EmwKAhgB"}},
            text("Okay"),
            call("toolu_1", "file_read", '{"path": "a"}'),
            call("toolu_2", "memory_search", "{}"),
        ],
        "tool_calls",
        (472, 0, 89, 0),
    ),
]
NAMES = [case[0] for case in CASES]


@pytest.mark.parametrize(("name", "how", "parts", "stop", "usage"), CASES, ids=NAMES)
def test_reply(name: str, how: Any, parts: Any, stop: str, usage: Any) -> None:
    stream = streams.events(name)
    for size in range(1, len(stream) + 1):
        reply, _ = streams.replay(stream=stream, size=size, **how)
        assert reply["message"] == {"role": "assistant", "parts": parts}
        assert reply["stop"] == stop
        counted = reply["usage"]
        assert usage == (
            counted["input_tokens"],
            counted.get("cached_input_tokens", 0),
            counted["output_tokens"],
            counted.get("reasoning_output_tokens", 0),
        )


@pytest.mark.parametrize(("name", "how", "parts", "stop", "usage"), CASES, ids=NAMES)
def test_deltas_add_up(name: str, how: Any, parts: Any, stop: str, usage: Any) -> None:
    for size in (1, 3, 100):
        _, deltas = streams.replay(stream=streams.events(name), size=size, **how)
        for kind in ("text", "reasoning"):
            said = "".join(d["text"] for d in deltas if d["type"] == kind)
            assert said == "".join(p["text"] for p in parts if p["type"] == kind)


@pytest.mark.parametrize(("name", "how", "parts", "stop", "usage"), CASES, ids=NAMES)
def test_a_cut_stream_is_never_a_reply(
    name: str, how: Any, parts: Any, stop: str, usage: Any
) -> None:
    stream = streams.events(name)
    whole, _ = streams.replay(stream=stream, **how)
    for length in range(len(stream)):
        try:
            reply, _ = streams.replay(stream=stream[:length], **how)
        except _errors.MalformedError:
            continue
        # Chat Completions: after the reason to stop only counts are missing.
        assert reply["message"] == whole["message"]
        assert name.startswith("chat_")
        assert length >= len(stream) - 2


@pytest.mark.parametrize("name", NAMES)
def test_broken_json_is_malformed(name: str) -> None:
    how = next(case[1] for case in CASES if case[0] == name)
    stream = streams.events(name)
    stream[len(stream) // 2]["data"] = '{"type": "x", oops'
    with pytest.raises(_errors.MalformedError, match="broken JSON: `"):
        streams.replay(stream=stream, **how)


WHOLE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        CHAT,
        {
            "object": "chat.completion",
            "model": "m",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "whole"},
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2},
        },
    ),
    (
        RESPONSES,
        {
            "object": "response",
            "status": "completed",
            "model": "m",
            "output": [
                {
                    "type": "message",
                    "content": [{"type": "output_text", "text": "whole"}],
                }
            ],
            "usage": {"input_tokens": 1, "output_tokens": 2},
        },
    ),
    (
        ANTHROPIC,
        {
            "type": "message",
            "model": "m",
            "content": [{"type": "text", "text": "whole"}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 1, "output_tokens": 2},
        },
    ),
]


@pytest.mark.parametrize(("how", "value"), WHOLE)
def test_a_body_that_was_not_streamed(how: Any, value: Any) -> None:
    event = {"event": "body", "data": _json_text.dumps(value)}
    reply, deltas = streams.replay(stream=[event], **how)
    assert reply["message"]["parts"] == [text("whole")]
    assert reply["model"] == "m"
    assert reply["usage"]["output_tokens"] == 2
    assert how == RESPONSES or deltas == [text("whole")]


ERRORS = [
    (CHAT, "", {"error": {"message": "Overloaded", "code": 502}}, _errors.ServerError),
    (
        RESPONSES,
        "error",
        {"type": "error", "code": "rate_limit_exceeded", "message": "slow down"},
        _errors.RateLimitedError,
    ),
    (
        RESPONSES,
        "response.failed",
        {
            "type": "response.failed",
            "response": {
                "status": "failed",
                "error": {"code": "context_length_exceeded", "message": "too big"},
            },
        },
        _errors.ContextTooLongError,
    ),
    (
        ANTHROPIC,
        "error",
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overl"}},
        _errors.ServerError,
    ),
]


@pytest.mark.parametrize(("how", "event", "value", "error"), ERRORS)
def test_errors_inside_a_stream(how: Any, event: str, value: Any, error: Any) -> None:
    stream = [{"event": event, "data": _json_text.dumps(value)}]
    with pytest.raises(error):
        streams.replay(stream=stream, **how)


def test_an_empty_answer_is_malformed() -> None:
    stream = streams.events("chat_text")
    kept = [
        e for e in stream if "Gr\u00fc" not in e["data"] and "ud83d" not in e["data"]
    ]
    assert len(kept) == len(stream) - 2
    with pytest.raises(_errors.MalformedError, match="empty"):
        streams.replay(stream=kept, **CHAT)


def test_streams_do_not_mix_and_are_dropped() -> None:
    one, two = streams.opened("openai"), streams.opened("anthropic")
    assert one["stream"] != two["stream"]
    for opened in (one, two):
        assert providers.close({"stream": opened["stream"], "complete": False}) == {}
        with pytest.raises(_errors.PayloadError):
            providers.close({"stream": opened["stream"], "complete": True})


def test_a_finished_stream_is_closed_by_its_last_event() -> None:
    number = streams.opened("openai")["stream"]
    payload: Any = {"stream": number, "events": streams.events("chat_text")}
    assert providers.feed(payload)["reply"]["message"]["parts"]
    with pytest.raises(_errors.PayloadError):
        providers.feed(payload)
    assert providers.close({"stream": number, "complete": False}) == {}


def test_a_count_is_what_a_counter_holds() -> None:
    assert [_base.number(value) for value in (3, 2.0, 2**53 - 1)] == [3, 2, 2**53 - 1]
    for nonsense in (1e30, 2**64, float("inf"), float("nan"), -1, True, "3", None):
        assert _base.number(nonsense) == 0


def test_tools_are_read_and_written_once() -> None:
    payload: Any = {"provider": "openai", "settings": streams.settings()}
    tools = [{"name": "a", "description": "b", "parameters": {"type": "object"}}]
    bodies = []
    for offered in (tools, tools, [*tools, *tools]):
        lent = memoryview(_json_text.dumps(offered).encode())
        _, written = providers.open_stream(
            {**payload, "request": dict(streams.ASK)}, [lent]
        )
        bodies.append(_json_text.loads(bytes(written[0]).decode()))
    assert bodies[0] == bodies[1] != bodies[2]
    assert bodies[0]["tools"] == [{"type": "function", "function": tools[0]}]
    assert len(bodies[2]["tools"]) == 2


def test_an_unknown_provider_is_a_setting() -> None:
    with pytest.raises(_errors.ConfigurationError, match="`acme`"):
        streams.opened("acme")
