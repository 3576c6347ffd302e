"""Alternatives that begin alike: told apart early, and never many at once.

Our own reader of grammars follows all readings of a text, as the kernel does, so that
they can be counted here.
"""

from __future__ import annotations

import json
import random

import jsonschema
import pytest
from test_grammar import allows, random_text

from agi_agent.local import grammar
from agi_agent.local.grammar._matcher import Grammar, Matcher

DEEP = {"$ref": "#/$defs/node"}


def node(required, **properties):
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def document(*nodes, key="anyOf", **definitions):
    return {**DEEP, "$defs": {"node": {key: list(nodes)}, **definitions}}


LATE = document(
    *(node(["kind"], left=DEEP, kind={"const": kind}) for kind in "abcde"), key="oneOf"
)
BY_REFERENCE = document(
    *({"$ref": f"#/$defs/{kind}"} for kind in "abcde"),
    **{kind: node(["k"], left=DEEP, k={"enum": [kind, kind * 2]}) for kind in "abcde"},
)
BASE = {"type": "object", "properties": {"left": DEEP}, "required": ["left", "kind"]}
INHERITED = document(
    {"type": "null"},
    *(
        {"allOf": [{"$ref": "#/$defs/base"}, {"properties": {"kind": {"const": kind}}}]}
        for kind in "abcde"
    ),
    base=BASE,
)
BESIDE = {
    **DEEP,
    "$defs": {
        "node": {
            "anyOf": [
                {"type": "null"},
                {
                    **BASE,
                    "anyOf": [{"properties": {"kind": {"const": k}}} for k in "abcde"],
                },
            ]
        }
    },
}
UNNAMED = document(*(node([k], left=DEEP, **{k: {"type": "null"}}) for k in "abcde"))
LISTS = document(
    {"type": "null"},
    *({"prefixItems": [DEEP, {"const": kind}], "minItems": 2} for kind in "abcde"),
)
MAPS = document(
    *(
        {
            "type": "object",
            "properties": {kind: {"type": "null"}},
            "additionalProperties": DEEP,
        }
        for kind in "abc"
    )
)


def most_readings(schema, tries=20):
    """Readings at once over random texts, and whether each text met the schema."""
    rules = Grammar(grammar.for_schema(schema))
    validator = jsonschema.Draft202012Validator(schema)
    chance = random.Random(1)
    most = 0
    for _ in range(tries):
        text = random_text(rules, chance, 300)
        validator.validate(json.loads(text))
        matcher = Matcher(rules)
        for character in text:
            assert matcher.feed(character)
            most = max(most, len(matcher._stacks))
    return most


@pytest.mark.parametrize("schema", [LATE, BY_REFERENCE, INHERITED, BESIDE])
def test_what_tells_types_apart_is_written_first(schema):
    text = grammar.for_schema(schema)
    assert most_readings(schema) <= 16
    assert '"kind' in text or '"k\\"' in text


def test_the_other_order_is_not_offered():
    assert allows(LATE, '{"kind":"a","left":{"kind":"b"}}')
    assert not allows(LATE, '{"left":{"kind":"b"},"kind":"a"}')


def test_an_order_that_says_nothing_of_types_is_kept():
    """Steps make the verdict behind them better: only what tells types apart moves."""
    proof = node(["claim", "steps", "verdict"], claim={"type": "null"})
    proof["properties"] |= {
        "steps": {"type": "array", "items": DEEP},
        "verdict": {"enum": ["holds", "fails"]},
    }
    schema = {**DEEP, "$defs": {"node": proof}}
    assert allows(schema, '{"claim":null,"steps":[],"verdict":"holds"}')
    flat = [node(["t", "k"], t={"type": "null"}, k={"const": k}) for k in "ab"]
    assert allows({"oneOf": flat}, '{"t":null,"k":"b"}')


@pytest.mark.parametrize("schema", [UNNAMED, LISTS, MAPS])
def test_what_stays_alike_goes_less_deep(schema):
    assert most_readings(schema) <= 512


def test_what_is_told_by_its_kind_goes_as_deep_as_ever():
    deep = '{"kind":"a"}'
    for _ in range(4):
        deep = '{"kind":"b","left":' + deep + "}"
    assert allows(LATE, deep)


def test_lists_and_maps_of_themselves_are_not_alike():
    schema = document(
        {"type": "null"},
        {"type": "array", "items": DEEP},
        {"type": "object", "additionalProperties": DEEP},
    )
    assert allows(schema, '[{"a":[{"b":null}]}]')


@pytest.mark.parametrize(
    "texts",
    [
        ["a"],
        ["", "a", "ab", "abc"],
        ["ab", "ac", "b"],
        ["x" * n for n in range(40)],
        ["\u00e9", "\u00e8", "\n", '"', "\\", "\U0001f600"],
    ],
)
def test_listed_texts_are_those_and_no_others(texts):
    schema = {"enum": texts}
    rules = Grammar(grammar.for_schema(schema))

    def allowed(text):
        matcher = Matcher(rules)
        return matcher.feed(json.dumps(text, ensure_ascii=False)) and matcher.complete

    for text in texts:
        assert allowed(text)
        for near in (text + "a", text[:-1], text[1:]):
            assert allowed(near) == (near in texts)


def test_many_values_are_followed_as_few():
    values = [f"{n * 7919 % 20_000:x}" for n in range(20_000)]
    text = grammar.for_schema({"enum": values})
    assert len(text) < 400_000
    matcher = Matcher(Grammar(text))
    most = 0
    for character in '"' + values[-1]:
        assert matcher.feed(character)
        most = max(most, len(matcher._stacks))
    assert most <= 17


def random_types(chance):
    """Types that hold each other, told apart by a kind, by a name or by nothing."""
    names = [f"t{number}" for number in range(chance.randint(2, 5))]
    union = {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in names]}
    definitions = {"node": union}
    for name in names:
        inside = chance.choice([DEEP, {"type": "array", "items": DEEP}])
        properties = {
            "left": chance.choice([DEEP, {"$ref": f"#/$defs/{chance.choice(names)}"}]),
            "kind": chance.choice([{"const": name}, {"enum": [name, "x"]}]),
            "note": {"type": "null"},
            "more": inside,
            name: {"type": "integer"},
        }
        chosen = chance.sample(list(properties), chance.randint(1, 5))
        required = [part for part in chosen if part not in ("left", "more")]
        definition = node(required, **{part: properties[part] for part in chosen})
        if chance.random() < 0.2:
            definition["additionalProperties"] = chance.choice([DEEP, True])
        definitions[name] = definition
    return {**DEEP, "$defs": definitions}


@pytest.mark.parametrize("block", range(5))
def test_types_of_any_kind_are_valid_and_bounded(block):
    for number in range(10):
        schema = random_types(random.Random(block * 10 + number))
        assert most_readings(schema, tries=4) <= 512, (block, number)
