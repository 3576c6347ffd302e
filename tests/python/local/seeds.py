"""Many seeds through models of random weights: every call and every answer is valid.

Runs inside the product, where the kernel is: `agi-agent python seeds.py DIR FIRST COUNT
FAMILY...`. Prints one line per family; ends non-zero at the first answer that is wrong.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from agi_agent.local import _streams

TOOLS = [
    {
        "name": "file_read",
        "description": "Reads a file.",
        "parameters": {
            "type": "object",
            "properties": {
                "path": {"type": "string", "maxLength": 40},
                "offset": {"type": "integer", "minimum": 1},
                "mode": {"enum": ["text", "bytes"]},
            },
            "required": ["path"],
            "additionalProperties": False,
        },
    },
    {
        "name": "calculator",
        "description": "Computes.",
        "parameters": {
            "type": "object",
            "properties": {"expression": {"type": "string", "maxLength": 60}},
            "required": ["expression"],
        },
    },
]
SCHEMA = {
    "type": "object",
    "properties": {
        "answer": {"type": "integer", "minimum": -5, "maximum": 1000},
        "words": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
        "kind": {"enum": ["a", "b", None]},
        "share": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "required": ["answer", "words"],
    "additionalProperties": False,
}


def ask(source, seed, **request):
    """One whole answer, the way Rust drives it."""
    settings = {
        "source": str(source),
        "name": Path(source).stem,
        "context_window": 2048,
        "threads": 1,
        "sampling": {"seed": seed, "temperature": 1.0},
    }
    required = "output_schema" not in request
    settings["tool_choice"] = "required" if required else "auto"
    user = {"role": "user", "parts": [{"type": "text", "text": "What is 6 * 7?"}]}
    payload = {"model": settings, "request": {"messages": [user], **request}}
    opened = _streams.open_stream(payload)
    stream = _streams._STREAMS[opened["stream"]]
    while True:
        (stream._generation or stream._load).wait(60)
        answer = _streams.feed({"stream": opened["stream"]})
        if "reply" in answer:
            return answer["reply"]


def check(value, schema, place="$"):
    """What of a value does not meet a schema of the kind above."""
    if "enum" in schema:
        assert value in schema["enum"], place
    elif schema["type"] == "object":
        assert isinstance(value, dict), place
        names = schema["properties"]
        assert set(schema["required"]) <= value.keys() <= names.keys(), place
        for name, item in value.items():
            check(item, names[name], f"{place}.{name}")
    elif schema["type"] == "array":
        assert isinstance(value, list), place
        assert len(value) <= schema["maxItems"], place
        for item in value:
            check(item, schema["items"], f"{place}[]")
    elif schema["type"] == "string":
        assert isinstance(value, str), place
        assert len(value) <= schema.get("maxLength", 16384), (place, value)
    else:
        wanted = int if schema["type"] == "integer" else (int, float)
        assert isinstance(value, wanted), place
        assert not isinstance(value, bool), place
        low, high = schema.get("minimum", -1e16), schema.get("maximum", 1e16)
        assert low <= value <= high, place


def one(source, seed):
    """A call and an answer with this seed, checked; gives which calls were made."""
    reply = ask(source, seed, tools=TOOLS)
    assert reply["stop"] == "tool_calls", reply
    schemas = {tool["name"]: tool["parameters"] for tool in TOOLS}
    calls = reply["message"]["parts"]
    for call in calls:
        assert call["type"] == "tool_call", reply
        check(json.loads(call["arguments"]), schemas[call["name"]])
    reply = ask(source, seed, output_schema=SCHEMA, max_output_tokens=400)
    text = "".join(part["text"] for part in reply["message"]["parts"])
    check(json.loads(text), SCHEMA)
    assert reply["stop"] == "end_turn", reply
    return {call["name"] for call in calls}, text


def main(directory, first, count, families):
    """Try each family with `count` seeds, beginning with the seed `first`."""
    for family in families:
        names, texts = set(), set()
        for seed in range(first, first + count):
            called, text = one(Path(directory) / f"{family}.gguf", seed)
            names |= called
            texts.add(text)
        assert count < 10 or len(texts) > count // 4
        assert count < 50 or len(names) == 2
        sys.stdout.write(f"{family} {count} seeds valid, {len(texts)} answers\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
