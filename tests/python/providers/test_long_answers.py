"""Long answers: what is kept is counted, in time that grows no faster than it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

import streams
from agi_agent import _json_text, providers

Piece = Callable[[str], dict[str, Any]]

ANTHROPIC_PIECES = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}
CALLS = 20_000
"""So many that looking each up among all others would take minutes."""


def chat(delta: dict[str, Any]) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta}]}


def block_delta(kind: str) -> Piece:
    return lambda text: {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": kind, ANTHROPIC_PIECES[kind]: text},
    }


def chat_call(text: str) -> dict[str, Any]:
    return chat({"tool_calls": [{"index": 0, "function": {"arguments": text}}]})


def responses_text(text: str) -> dict[str, Any]:
    return {"type": "response.output_text.delta", "delta": text}


STARTED = {"type": "content_block_start", "index": 0, "content_block": {}}
PIECES: list[tuple[str, str, Piece]] = [
    ("openai", "chat", lambda text: chat({"content": text})),
    ("openai", "chat", lambda text: chat({"reasoning_content": text})),
    ("openai", "chat", lambda text: chat({"reasoning_details": [text]})),
    ("openai", "chat", chat_call),
    ("openai", "responses", responses_text),
    *(("anthropic", "", block_delta(kind)) for kind in ANTHROPIC_PIECES),
]
NAMES = [f"{n}-{provider}-{api}" for n, (provider, api, _) in enumerate(PIECES)]


def fed(number: int, *values: dict[str, Any]) -> Any:
    events = [{"event": "", "data": _json_text.dumps(value)} for value in values]
    payload: Any = {"stream": number, "events": events, "done": False}
    return providers.feed(payload)


def opened(provider: str, api: str) -> int:
    number: int = streams.opened(provider, api=api)["stream"]
    if provider == "anthropic":
        fed(number, STARTED)
    return number


@pytest.mark.parametrize(("provider", "api", "piece"), PIECES, ids=NAMES)
def test_what_is_kept_is_counted_in_bytes(
    provider: str, api: str, piece: Piece
) -> None:
    number = opened(provider, api)
    before = fed(number, piece(""))["held"]
    counts = [
        fed(number, piece(text))["held"] for text in ("x" * 1000, "\u00e4" * 1000)
    ]
    assert 1000 <= counts[0] - before < 1010
    assert 2000 <= counts[1] - counts[0] < 2010


@pytest.mark.parametrize(("provider", "api", "piece"), PIECES, ids=NAMES)
def test_many_pieces_take_no_longer_than_their_number(
    provider: str, api: str, piece: Piece
) -> None:
    number = opened(provider, api)
    portion = [piece("0123456789abcdef" * 8)] * 1000
    started = time.monotonic()
    for _ in range(100):
        held = fed(number, *portion)["held"]
    assert held >= 100 * 1000 * 128
    # Half a second; joining a text at each of its pieces copied 600 GB.
    assert time.monotonic() - started < 20


def test_many_calls_and_items_are_found_and_counted() -> None:
    number = opened("openai", "chat")
    started = time.monotonic()
    for known in ({"index": 0}, {"id": "a"}):
        values = []
        for at in range(CALLS):
            key = {name: at if name == "index" else f"{at}" for name in known}
            piece = {**key, "function": {"name": "f", "arguments": "1"}}
            values += [chat({"tool_calls": [piece]})] * 2
        answer = fed(number, *values)
    assert time.monotonic() - started < 20
    assert answer["held"] > 2 * CALLS * 40
    end = {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}
    fed(number, end)
    reply = providers.close({"stream": number, "complete": True})["reply"]
    parts: list[Any] = reply["message"]["parts"]
    assert len(parts) == 2 * CALLS
    assert {part["arguments"] for part in parts} == {"11"}


def test_items_of_responses_and_blocks_are_counted() -> None:
    number = opened("openai", "responses")
    item = {"type": "message", "content": [{"type": "output_text", "text": "x" * 500}]}
    done = {"type": "response.output_item.done", "output_index": 3, "item": item}
    assert fed(number, done, done)["held"] > 1000
    number = opened("anthropic", "")
    block = {"type": "redacted_thinking", "data": "x" * 500}
    start = {"type": "content_block_start", "index": 1, "content_block": block}
    assert fed(number, start, start)["held"] > 1000


def test_a_server_cannot_make_up_counts_that_are_kept() -> None:
    number = opened("anthropic", "")
    for at in range(100):
        usage = {f"count_{at}": "x" * 1000, "output_tokens": at}
        fed(number, {"type": "message_delta", "delta": {}, "usage": usage})
    adapter: Any = providers._STREAMS[number]
    assert adapter._usage == {"output_tokens": 99}
