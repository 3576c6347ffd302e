"""What models write, in pieces of every size, to text, thoughts and calls."""

from __future__ import annotations

import json

import pytest

from agi_agent.local._families import HERMES, JSON, LLAMA, MISTRAL, MISTRAL_ARGS
from agi_agent.local._reader import Reader

ARGUMENTS = '{"path": "a}\\"{.txt", "deep": {"x": [1, "]"]}}'


def call(name="f", arguments=ARGUMENTS, key="arguments"):
    return f'{{"name": "{name}", "{key}": {arguments}}}'


CASES = [
    ("plain", HERMES, "Hello <b> there", [("text", "Hello <b> there")]),
    ("thought", HERMES, "<think>\nhm\n</think>\n\nYes.",
     [("reasoning", "hm"), ("text", "Yes.")]),
    ("only thought", HERMES, "<think>hm", [("reasoning", "hm")]),
    ("call", HERMES, f"<tool_call>\n{call()}\n</tool_call>", ["f"]),
    ("text and call", HERMES, f"I look.\n<tool_call>{call()}</tool_call>",
     [("text", "I look."), "f"]),
    ("two calls", HERMES,
     f"<tool_call>\n{call()}\n</tool_call>\n<tool_call>\n{call('g')}\n</tool_call>",
     ["f", "g"]),
    ("thought and call", HERMES,
     f"<think>a</think>\n<tool_call>\n{call()}\n</tool_call>",
     [("reasoning", "a"), "f"]),
    ("not closed", HERMES, f"<tool_call>\n{call()}", ["f"]),
    ("no call", HERMES, "<tool_call> is a tag, {x}",
     [("text", "<tool_call> is a tag, {x}")]),
    ("llama", LLAMA, call(key="parameters"), ["f"]),
    ("llama marked", LLAMA, "<|python_tag|>" + call(key="parameters"), ["f"]),
    ("llama typed", LLAMA, '{"type": "function", ' + call(key="parameters")[1:],
     ["f"]),
    ("llama json", LLAMA, '{"nam": 1}', [("text", '{"nam": 1}')]),
    ("llama other name", LLAMA, call("h"), [("text", call("h"))]),
    ("llama text", LLAMA, "so {", [("text", "so {")]),
    ("fence", JSON, f"```json\n{call(key='parameters')}\n```", ["f"]),
    ("fence of other", JSON, "```python\nx\n```", [("text", "```python\nx\n```")]),
    ("mistral", MISTRAL, f"[TOOL_CALLS] [{call()}]", ["f"]),
    ("mistral two", MISTRAL,
     f'[TOOL_CALLS] [{call()[:-1]}, "id": "123456789"}}, {call("g")}]', ["f", "g"]),
    ("mistral text", MISTRAL, "[TOOL [x]", [("text", "[TOOL [x]")]),
    ("mistral args", MISTRAL_ARGS,
     f"[TOOL_CALLS]f[ARGS]{ARGUMENTS}[TOOL_CALLS]g[ARGS]{ARGUMENTS}", ["f", "g"]),
]  # fmt: skip


def parts_of(reader):
    return [
        part["name"] if part["type"] == "tool_call" else (part["type"], part["text"])
        for part in reader.parts
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    ("family", "text", "expected"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_pieces_of_every_size(family, text, expected, size):
    reader = Reader(family, ["f", "g"])
    deltas = []
    for start in range(0, len(text), size):
        deltas += reader.feed(text[start : start + size])
    deltas += reader.finish()
    assert parts_of(reader) == expected
    for kind in ("text", "reasoning"):
        told = "".join(delta["text"] for delta in deltas if delta["type"] == kind)
        whole = "".join(p["text"] for p in reader.parts if p["type"] == kind)
        assert told == whole
    calls = [part for part in reader.parts if part["type"] == "tool_call"]
    for number, part in enumerate(calls):
        assert json.loads(part["arguments"]) == json.loads(ARGUMENTS)
        assert part["id"] == f"call{number + 1:05}"
        told = [d for d in deltas if d["type"] == "tool_call" and d["index"] == number]
        assert "".join(delta["arguments"] for delta in told) == part["arguments"]


def test_a_call_that_was_cut_is_none():
    reader = Reader(HERMES, ["f"], calls_before=3)
    reader.feed(f"Well. <tool_call>{call()[:-9]}")
    assert reader.in_call
    reader.finish()
    assert parts_of(reader) == [("text", "Well.")]


def test_without_tools_nothing_is_a_call():
    reader = Reader(LLAMA, [])
    reader.feed(call(key="parameters"))
    reader.finish()
    assert parts_of(reader) == [("text", call(key="parameters"))]


def test_thoughts_that_the_prompt_has_opened():
    reader = Reader(HERMES, [], thinking=True)
    deltas = reader.feed("so") + reader.feed("\n</th") + reader.feed("ink>\n\nYes")
    assert parts_of(reader) == [("reasoning", "so"), ("text", "Yes")]
    assert [delta["type"] for delta in deltas] == ["reasoning", "text"]
