"""`--output-schema`: JSON where the answer can fill it, plain text where it cannot."""

from __future__ import annotations

import json
from typing import Any

import pytest
from executor import Executor, ask, converse, request


def an_object(**properties: Any) -> Any:
    return {"type": "object", "properties": properties, "required": list(properties)}


INTEGER, STRING = {"type": "integer"}, {"type": "string"}
STRINGS = {"type": "array", "items": STRING}


@pytest.mark.parametrize(
    ("task", "schema", "expected"),
    [
        ("how many lines are in README.md", an_object(count=INTEGER), {"count": 3}),
        ("how many lines are in README.md", an_object(lines=INTEGER), {"lines": 3}),
        ("how many lines are in README.md", an_object(n={"type": "number"}), {"n": 3}),
        ("how many lines are in README.md", an_object(answer=STRING), {"answer": "3"}),
        ("how many lines are in README.md", INTEGER, 3),
        ("divide 5 by 2", {"type": "number"}, 2.5),
        (
            "count lines and words in README.md",
            an_object(lines=INTEGER, words=INTEGER),
            {"lines": 3, "words": 7},
        ),
        ("list the Rust files", STRINGS, ["src/lib.rs", "src/main.rs"]),
        (
            "list the Rust files",
            an_object(files=STRINGS, count=INTEGER),
            {"files": ["src/lib.rs", "src/main.rs"], "count": 2},
        ),
        ("which file is the largest", an_object(path=STRING), {"path": "data/big.bin"}),
        ("show src/lib.rs", an_object(content=STRING), {"content": "use tokio;\n"}),
        (
            "run `printf x`",
            an_object(stdout=STRING, exit_code=INTEGER),
            {"stdout": "x", "exit_code": 0},
        ),
        (
            "does src mention tokio",
            an_object(answer={"type": "boolean"}),
            {"answer": True},
        ),
    ],
)
def test_filled(tools: Executor, task: str, schema: Any, expected: Any) -> None:
    assert json.loads(ask(task, tools, schema)) == expected


@pytest.mark.parametrize(
    "schema",
    [
        an_object(count=INTEGER, author=STRING),
        an_object(count={"type": "object"}),
        {"type": "array", "items": INTEGER},
        {"oneOf": [INTEGER, STRING]},
        {},
    ],
)
def test_not_filled(tools: Executor, schema: Any) -> None:
    assert ask("how many lines are in README.md", tools, schema) == "3"


def test_a_second_try_gives_the_same_answer(tools: Executor) -> None:
    asked = request("how many lines are in README.md", schema={"type": "array"})
    assert converse(asked, tools) == "3"
    told = "Your answer does not meet the required JSON Schema:\n- 3 is not an array"
    parts = [{"type": "text", "text": told}]
    asked["messages"].append({"role": "user", "parts": parts})
    assert converse(asked, tools) == "3"
    assert len(tools.calls) == 1


@pytest.mark.parametrize(
    ("task", "schema"),
    [
        ("how many files are in src", INTEGER),
        ("how many files are in src", STRING),
        ("how many files are in src", an_object(count=INTEGER)),
        ("how many lines are in src", INTEGER),
        ("does src mention tokio", an_object(answer={"type": "boolean"})),
        ("list the files in src", an_object(count=INTEGER)),
    ],
)
def test_an_answer_without_what_could_not_be_read_is_no_json(
    tools: Executor, task: str, schema: Any
) -> None:
    tools.unread = 1
    said = ask(task, tools, schema)
    assert said.endswith("(1 could not be read)")
    with pytest.raises(json.JSONDecodeError):
        json.loads(said)
