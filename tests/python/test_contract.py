"""contracts/wire/*.json against the types of `_wire`.

tests/cross_language/contract.rs reads the same files against the Rust types.
"""

from __future__ import annotations

import json
import types
import typing
from pathlib import Path

import pytest

from agi_agent import _json_text, _wire

FOLDER = Path(__file__).resolve().parents[2] / "contracts" / "wire"
SAMPLES = sorted(FOLDER.glob("*.json"))
#: Made by Rust alone: Python never sees them.
RUST_ONLY = {"ModelError"}
#: Rust's name of a type that has another one here.
NAMES = {"ModelDelta": "TextDelta"}


def mismatches(value, wanted, place=""):
    """Every place where `value` is not what the type says."""
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if wanted is typing.Any:
        return []
    if origin is typing.Literal:
        return (
            [] if value in arguments else [f"{place}: {value!r} is none of {arguments}"]
        )
    if origin in (typing.Union, types.UnionType):
        tries = [mismatches(value, option, place) for option in arguments]
        return [] if [] in tries else [found for one in tries for found in one]
    if origin is list:
        return [
            f
            for n, v in enumerate(value)
            for f in mismatches(v, arguments[0], f"{place}[{n}]")
        ]
    if origin is dict:
        return [] if isinstance(value, dict) else [f"{place}: not an object"]
    if typing.is_typeddict(wanted):
        return record_mismatches(value, wanted, place)
    number_as_float = wanted is float and isinstance(value, int)
    return (
        []
        if number_as_float or isinstance(value, wanted)
        else [f"{place}: not {wanted}"]
    )


def record_mismatches(value, wanted, place):
    if not isinstance(value, dict):
        return [f"{place}: not an object"]
    fields = typing.get_type_hints(wanted)
    # `__required_keys__` does not see through annotations that are text.
    marked = typing.get_type_hints(wanted, include_extras=True)
    required = {
        name
        for name, hint in marked.items()
        if typing.get_origin(hint) is not typing.NotRequired
    }
    found = [f"{place}: {name} is missing" for name in required - value.keys()]
    found += [f"{place}: {name} is unknown" for name in value.keys() - fields.keys()]
    for name in value.keys() & fields.keys():
        found += mismatches(value[name], fields[name], f"{place}.{name}")
    return found


def call_mismatches(call):
    """What of a call of `adapter.x` is not an `XPayload` or an `XAnswer`."""
    name = call["op"].removeprefix("adapter.").capitalize()
    found = mismatches(call["payload"], getattr(_wire, f"{name}Payload"), call["op"])
    return found + mismatches(
        call["answer"], getattr(_wire, f"{name}Answer"), call["op"]
    )


def test_there_are_samples():
    assert len(SAMPLES) >= 6


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_sample_fits_its_type(path):
    sample = json.loads(path.read_text(encoding="utf-8"))
    if sample["type"] in RUST_ONLY:
        pytest.skip("made by Rust alone")
    if sample["type"] == "AdapterCalls":
        assert [
            found for call in sample["value"] for found in call_mismatches(call)
        ] == []
        return
    wanted = getattr(_wire, NAMES.get(sample["type"], sample["type"]))
    assert mismatches(sample["value"], wanted) == []


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_sample_comes_back_as_it_went(path):
    sample = json.loads(path.read_text(encoding="utf-8"))
    assert _json_text.loads(_json_text.dumps(sample)) == sample


def test_the_checker_finds_what_is_wrong():
    good = {"message": {"role": "user", "parts": []}, "stop": "end_turn", "model": "m",
            "usage": {"input_tokens": 1, "output_tokens": 1}}  # fmt: skip
    assert mismatches(good, _wire.ModelReply) == []
    for change in ({"stop": "later"}, {"model": 3}, {"extra": 1}, {"message": []}):
        assert mismatches(good | change, _wire.ModelReply)
    assert mismatches({}, _wire.ModelReply)
