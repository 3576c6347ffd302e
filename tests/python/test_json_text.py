"""`_json_text` behaves as `json` does, with and without CPython's private parts."""

from __future__ import annotations

import json
import math
import random

import pytest

from agi_agent import _json_text

BOTH = [
    pytest.param(_json_text._with_builtin(), id="_json"),
    pytest.param(_json_text._with_json(), id="json"),
]


def test_the_builtin_parts_are_what_is_used():
    assert _json_text.loads.__qualname__.startswith("_with_builtin")


@pytest.mark.parametrize("pair", BOTH)
@pytest.mark.parametrize(
    "value",
    [
        None, True, False, 0, -1, 2**80, 1.5, -1e300, "", "é漢🙂",
        "\0\x1f\"\\/\n\t\u2028",
        [], {}, [[]], {"": {"a": [1, None]}}, {"é": "ü"},
    ],
)  # fmt: skip
def test_values_survive(pair, value):
    loads, dumps = pair
    assert loads(dumps(value)) == value
    assert json.loads(dumps(value)) == value
    assert loads(json.dumps(value)) == value


def test_random_values_survive():
    chance = random.Random(7)

    def make(depth: int) -> object:
        kind = chance.randrange(7 if depth else 5)
        if kind == 5:
            return [make(depth - 1) for _ in range(chance.randrange(4))]
        if kind == 6:
            return {
                str(chance.random()): make(depth - 1)
                for _ in range(chance.randrange(4))
            }
        text = "".join(
            chr(chance.choice([9, 34, 92, 65, 233, 0x1F642])) for _ in range(5)
        )
        return [None, True, chance.randrange(-(2**70), 2**70), chance.random(), text][
            kind
        ]

    for _ in range(500):
        value = make(5)
        assert _json_text.dumps(value) == json.dumps(
            value, ensure_ascii=False, separators=(",", ":")
        )
        assert _json_text.loads(json.dumps(value)) == value


@pytest.mark.parametrize("pair", BOTH)
@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{",
        "[1,]",
        '{"a"}',
        "nul",
        "1 2",
        "{} x",
        "'a'",
        '"\n"',
        "[1",
        '{"a":1,}',
    ],
)
def test_broken_text_is_a_value_error(pair, text):
    loads, _ = pair
    with pytest.raises(ValueError, match=r".+"):
        loads(text)


def test_broken_text_is_a_value_error_before_json_is_loaded(fresh_python):
    code = """
from agi_agent import _json_text
for text in ("{", "[1,]", "nul"):
    try:
        _json_text.loads(text)
    except ValueError as error:
        print(type(error).__mro__[-4].__name__)
"""
    assert fresh_python(code).split() == ["ValueError"] * 3


@pytest.mark.parametrize("pair", BOTH)
def test_what_json_does_not_have_is_refused(pair):
    _, dumps = pair
    circle: list[object] = []
    circle.append(circle)
    for value in (math.nan, math.inf, circle):
        with pytest.raises(ValueError, match=r".+"):
            dumps(value)
    with pytest.raises(TypeError):
        dumps({1, 2})


@pytest.mark.parametrize("pair", BOTH)
def test_blanks_around_are_ignored(pair):
    loads, _ = pair
    assert loads(" \t\r\n[1]\n") == [1]
