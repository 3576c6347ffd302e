"""Recorded streams and how they are fed: shared by the tests of this directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agi_agent import _json_text, providers

FIXTURES = Path(__file__).parents[2] / "fixtures" / "providers"
ASK: dict[str, Any] = {
    "messages": [{"role": "user", "parts": [{"type": "text", "text": "hi"}]}]
}


def settings(**more: Any) -> Any:
    return {"name": "a-model", "api": "chat", **more}


def events(name: str) -> list[dict[str, str]]:
    """Read a recorded stream, split as Rust splits it."""
    found = []
    for block in (FIXTURES / f"{name}.sse").read_text("utf-8").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        if fields:
            found.append({"event": fields.get("event", ""), "data": fields["data"]})
    return found


def opened(provider: str, request: Any = None, **more: Any) -> Any:
    """Open a stream; give the answer of the operation, with the body in its place."""
    answer, buffers = providers.open_stream(
        {
            "provider": provider,  # type: ignore[typeddict-item]
            "settings": settings(**more),
            "request": request or ASK,
        },
        [],
    )
    return with_body(answer, buffers)


def with_body(answer: Any, buffers: list[Any]) -> Any:
    """Put the body, which comes apart, into the answer of `adapter.open`."""
    (body,) = buffers
    return {**answer, "http": {**answer["http"], "body": bytes(body).decode()}}


def body(provider: str, request: Any = None, **more: Any) -> Any:
    """Give the body that would be sent."""
    http = opened(provider, request, **more)["http"]
    return _json_text.loads(http["body"])


def replay(
    provider: str, stream: list[dict[str, str]], size: int = 0, **more: Any
) -> tuple[Any, list[Any]]:
    """Feed a stream in portions of `size` events; give the reply and all deltas."""
    number = opened(provider, **more)["stream"]
    deltas: list[Any] = []
    reply = None
    size = size or len(stream) or 1
    for at in range(0, len(stream), size):
        portion = stream[at : at + size]
        payload: Any = {"stream": number, "events": portion, "done": False}
        fed = providers.feed(payload)
        deltas += fed["deltas"]
        if fed["finished"]:
            reply = fed["reply"]
            break
    else:
        reply = providers.close({"stream": number, "complete": True})["reply"]
    return reply, deltas
