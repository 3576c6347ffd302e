"""The calls of contracts/wire/adapter_calls.json give the answers that stand there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agi_agent import _entry, _json_text

FILE = Path(__file__).parents[3] / "contracts" / "wire" / "adapter_calls.json"


def with_stream(value: Any, stream: int | None) -> Any:
    """Put the number of this test's stream in place of the recorded one."""
    return {**value, "stream": stream} if "stream" in value else value


def test_every_call_gives_its_answer() -> None:
    stream = None
    calls = _json_text.loads(FILE.read_text("utf-8"))["value"]
    for call in calls:
        payload = _json_text.dumps(with_stream(call["payload"], stream))
        lent = [memoryview(text.encode()) for text in call.get("buffers", [])]
        text, buffers = _entry.handle(call["op"], payload, lent)
        answer = _json_text.loads(text)
        if call["op"] == "adapter.open":
            assert answer["stream"] != stream
            stream = answer["stream"]
        assert answer == with_stream(call["answer"], stream)
        assert [bytes(buffer).decode() for buffer in buffers] == call.get("given", [])
    assert len(calls) == 9
