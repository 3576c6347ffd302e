"""Whatever is typed: an answer or a refusal, soon, and never another error."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from executor import TURNS, request
from hypothesis import given, settings
from hypothesis import strategies as st

from agi_agent._errors import OutsideBuiltinError
from agi_agent.builtin import respond

PYTHON = Path(__file__).parents[3] / "python"
REFUSED = (Path(__file__).parent / "refused.txt").read_text("utf-8").splitlines()
KNOWN = """
how many | count | lines | words | files | in | the | all | README.md | src | *.rs | and
| 'a b' | `ls` | then | , | ; | . | ? | first | write | 'x' | to | out.txt | it | for
| the result | find | largest | bigger than | 1 MB | show | last | 5 | hash | what is
| remember that | my | 2+2 | * | ( | ) | % | of | sum of | search | TODO | contain | is
| which | does | modified in the last | 2 days | - | regex | between | how often | run
| create | file | called | them | squared | half of | named | ending in | .md | occur
"""
PIECES = [" ".join(piece.split()) for piece in KNOWN.split("|")] + ["\n"]
FAILED = {"text": "", "is_error": True}


def outcome(text: str, results: list[dict[str, Any]] | None = None) -> str:
    """Drives a request with results of any kind; the turns it took are bounded."""
    asked = request(text)
    for turn in range(TURNS * 4):
        try:
            reply = respond(asked)["reply"]
        except OutsideBuiltinError:
            return "refused"
        message = reply["message"]
        if reply["stop"] != "tool_calls":
            return str(message["parts"][0]["text"])
        asked["messages"].append(message)
        came = results[turn % len(results)] if results else FAILED
        parts = [
            {"type": "tool_result", "call_id": part["id"], "name": part["name"], **came}
            for part in message["parts"]
        ]
        asked["messages"].append({"role": "tool", "parts": parts})
    message_text = f"no end after {TURNS * 4} turns: {text!r}"
    raise AssertionError(message_text)


@given(st.text(max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_text(text: str) -> None:
    assert outcome(text)


@given(st.lists(st.sampled_from(PIECES), max_size=25))
@settings(max_examples=250, deadline=None)
def test_any_order_of_known_words(pieces: list[str]) -> None:
    assert outcome(" ".join(pieces))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = (
    "total",
    "files",
    "entries",
    "lines",
    "content",
    "value",
    "matches",
    "items",
    "path",
    "exit_code",
    "stdout",
    "bytes_written",
    "total_matches",
    "truncated",
)


@given(
    st.sampled_from(
        [
            "how many lines are in README.md and write the result to out.txt",
            "find the largest file and show its last 2 lines",
            "which files mention tokio, then count them",
            "hash all *.rs files",
            "run `ls` and count the lines",
            "what is my name",
            "count files in src",
            "which Rust file has the most lines",
            "2+2",
        ]
    ),
    st.lists(
        st.dictionaries(st.sampled_from(KEYS), json_values), min_size=1, max_size=3
    ),
)
@settings(max_examples=150, deadline=None)
def test_any_result(text: str, data: list[dict[str, Any]]) -> None:
    results = [{"text": "x", "data": one, "is_error": False} for one in data]
    assert outcome(text, results)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000 + "1+1" + ")" * 5000,
        "1+" * 3000 + "1",
        "-" * 5000 + "1",
        "- " * 1900 + "1",
        "1," * 5000 + "2",
        "' " * 5000,
        "'a " * 3000,
        '"' * 4999,
        "`" * 4999,
        "and then " * 900,
        "count lines in a.txt and " * 300,
        "find files " * 600,
        "first " * 1900,
        "write '" + "x" * 150_000 + "' to a.txt",
        "how many lines are in " + "a.txt, " * 600 + "b.txt",
        "2^" * 900 + "2",
        "sum of " * 900 + "1 and 2",
        "\n" * 5000,
        ";" * 5000,
        "*" * 5000,
    ],
)
def test_long_requests_end_soon(text: str) -> None:
    start = time.perf_counter()
    assert outcome(text)
    assert time.perf_counter() - start < 2


def test_a_reply_takes_less_than_two_milliseconds() -> None:
    tasks = [*REFUSED, "count the lines in README.md and write the result to out.txt"]
    best = []
    for task in tasks:
        spent = []
        for _ in range(5):
            start = time.perf_counter()
            with suppress(OutsideBuiltinError):
                respond(request(task))
            spent.append(time.perf_counter() - start)
        best.append(min(spent))
    assert sorted(best)[len(best) // 2] < 0.002
    assert max(best) < 0.010


def test_importing_is_cheap() -> None:
    code = "import sys, agi_agent.builtin; print(*sorted(sys.modules))"
    done = subprocess.run(
        [
            sys.executable,
            "-S",
            "-E",
            "-c",
            f"import sys; sys.path[:0]=[{str(PYTHON)!r}]\n{code}",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    heavy = {"re", "json", "typing", "dataclasses", "collections", "enum", "functools"}
    assert heavy.isdisjoint(done.stdout.split())
