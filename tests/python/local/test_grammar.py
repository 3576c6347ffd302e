"""JSON Schema to GBNF, against a validator: what the grammar allows is valid.

Texts are walked at random through the grammar by our own reader of GBNF; the kernel's
reading of the same grammars is tried by tests/cli/local_models.rs.
"""

from __future__ import annotations

import json
import random

import jsonschema
import pytest
from schemas import SCHEMAS, TREE

from agi_agent.local import grammar
from agi_agent.local.grammar import Caps, UnsupportedSchemaError
from agi_agent.local.grammar._matcher import Grammar, Matcher

SMALL = Caps(string=12, array=4, members=3, digits=4, fraction=3, depth=2, repeat=4)


def allows(schema, text, caps=None):
    matcher = Matcher(Grammar(grammar.for_schema(schema, caps)))
    return matcher.feed(text) and matcher.complete


def random_text(rules, chance, limit=4000):
    """Walk through a grammar until it ends; the shortest ending after `limit`."""
    matcher, text = Matcher(rules), ""
    while True:
        classes = matcher.choices()
        if not classes or (matcher.complete and chance.random() < 0.2):
            return text
        if len(text) > limit:
            return text + matcher.ending()
        low, high = chance.choice(chance.choice(sorted(classes)))
        code = chance.choice([low, high, chance.randint(low, high)])
        assert matcher.feed(chr(code))
        text += chr(code)


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_a_grammar_allows_is_valid(name):
    schema = SCHEMAS[name]
    rules = Grammar(grammar.for_schema(schema, SMALL))
    validator = jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    chance = random.Random(name)
    seen = set()
    for _ in range(100):
        text = random_text(rules, chance)
        text.encode("utf-8")
        validator.validate(json.loads(text))
        seen.add(text)
    assert len(seen) > 1 or name in ("const", "none", "typed enum")


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_text_can_be_ended_anywhere(name):
    rules = Grammar(grammar.for_schema(SCHEMAS[name], SMALL))
    validator = jsonschema.Draft202012Validator(SCHEMAS[name])
    chance = random.Random(name)
    for _ in range(10):
        text = random_text(rules, chance)
        cut = text[: chance.randint(0, len(text))]
        matcher = Matcher(rules)
        assert matcher.feed(cut)
        validator.validate(json.loads(cut + matcher.ending()))


ALLOWED = [
    ({"type": "string"}, '"caf\u00e9 \\u00e9 \\n \U0001f600 \\""'),
    ({"type": "string"}, '""'),
    ({"type": "integer"}, "-999999999999999"),
    ({"type": "number"}, "-0.5"),
    ({"type": "number"}, "3"),
    (SCHEMAS["range"], "-17"), (SCHEMAS["range"], "1205"), (SCHEMAS["range"], "999"),
    (SCHEMAS["share"], "1"), (SCHEMAS["share"], "0.25"), (SCHEMAS["share"], "0"),
    (SCHEMAS["around"], "-1.999"), (SCHEMAS["around"], "2"),
    (SCHEMAS["object"], '{"b":1}'), (SCHEMAS["object"], '{"a":"","b":1,"d":[1,{}]}'),
    (SCHEMAS["mixed map"], '{"id":1,"ide":"x","ideas":"y"}'),
    (SCHEMAS["map"], "{}"), (SCHEMAS["any items"], "[]"),
    (SCHEMAS["loose pattern"], '"xaby"'), (SCHEMAS["loose pattern"], '"cx"'),
    ({"type": "string", "maxLength": 130}, '"' + "x" * 130 + '"'),
    (TREE, '{"name":"","children":[{"name":"","children":[]}],"parent":null}'),
]  # fmt: skip
REFUSED = [
    ({"type": "string"}, '"\\ud800"'), ({"type": "string"}, '"\n"'),
    ({"type": "string"}, ' ""'),
    ({"type": "string", "maxLength": 130}, '"' + "x" * 131 + '"'),
    ({"type": "integer"}, "-0"), ({"type": "integer"}, "01"),
    ({"type": "integer"}, "1.0"), ({"type": "number"}, "1e5"),
    ({"type": "number"}, "-0.0"), ({"type": "number"}, "1."),
    (SCHEMAS["range"], "-18"), (SCHEMAS["range"], "1206"), (SCHEMAS["range"], "00"),
    (SCHEMAS["share"], "1.5"), (SCHEMAS["share"], "-0.1"), (SCHEMAS["exclusive"], "11"),
    (SCHEMAS["object"], "{}"), (SCHEMAS["object"], '{"b":1,"e":1}'),
    (SCHEMAS["object"], '{"b":1,}'), (SCHEMAS["object"], '{"b": 1}'),
    (SCHEMAS["mixed map"], '{"id":1,"id":"x"}'),
    (SCHEMAS["mixed map"], '{"id":1,"idea":"x"}'),
    (SCHEMAS["closed"], '{"z":1}'), (SCHEMAS["at most"], "[null,null,null,null]"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "text"), ALLOWED)
def test_what_models_write_is_allowed(schema, text):
    assert allows(schema, text)


@pytest.mark.parametrize(("schema", "text"), REFUSED)
def test_what_is_not_valid_is_not_allowed(schema, text):
    assert not allows(schema, text)


UNSUPPORTED = [
    ({"not": {}}, "`not`"),
    ({"if": {}}, "`if`"),
    ({"type": "array", "uniqueItems": True}, "`uniqueItems`"),
    ({"type": "array", "contains": {}}, "`contains`"),
    ({"type": "array", "items": [{}]}, "`items` as a list"),
    ({"patternProperties": {"^x": {}}}, "`patternProperties`"),
    ({"propertyNames": {}}, "`propertyNames`"),
    ({"type": "object", "minProperties": 2}, "`minProperties` 2"),
    ({"type": "number", "multipleOf": 0.01}, "`multipleOf` 0.01"),
    (
        {
            "type": "number",
            "minimum": 0.1,
            "maximum": 0.1 + 1e-13,
            "exclusiveMinimum": 0.1,
        },
        "a range of numbers",
    ),
    ({"exclusiveMaximum": 1e17}, "`exclusiveMaximum` this large"),
    ({"type": "object", "enum": [{"b": 2}], "required": ["a"]}, "no value of `enum`"),
    ({"minProperties": 1, "maxProperties": 0}, "no object of 1 to 0 members"),
    ({"enum": ["a", 1], "anyOf": [{"const": "b"}]}, "no value of `enum`"),
    ({"allOf": [{"const": 1}, {"const": True}]}, "two values of `const`"),
    (
        {
            "type": "object",
            "allOf": [
                {"additionalProperties": {"type": "integer"}},
                {"properties": {"a": {"type": "string"}}, "required": ["a"]},
            ],
        },
        "nothing is both",
    ),
    ({"allOf": [{"$ref": "#"}], "type": "object"}, "leads back to itself"),
    ({"anyOf": [{"$ref": "#"}, {"type": "null"}]}, "leads back to itself"),
    (
        {
            "type": "object",
            "properties": {"a": {"type": "null"}},
            "anyOf": [{"$ref": "#"}, {"required": ["a"]}],
        },
        "leads back to itself",
    ),
    ({"oneOf": [{"const": 7}, {"minimum": 5}]}, "alternatives 0 and 1"),
    ({"type": "string", "pattern": "^(a|b)*a(a|b){12}$"}, "more than 500 states"),
    ({"type": "string", "pattern": "^\\p{L}$"}, "`pattern`"),
    ({"enum": [f"{n}{'x' * 90}{n}" for n in range(30_000)]}, "grammar is this large"),
    (
        {
            "$ref": "#/$defs/a",
            "$defs": {"a": {"type": "null"}, "b": {"$id": "http://x/y"}},
        },
        "where a part has an `$id`",
    ),
    ({"$ref": "other.json"}, "`$ref` to `other.json`"),
    ({"$ref": "#/$defs/x"}, "which is not there"),
    ({"$ref": "#"}, "leads back to itself"),
    ({"type": "string", "pattern": "(?=a)b"}, "`assert` inside `pattern`"),
    ({"type": "string", "pattern": r"\bx"}, "`at` inside `pattern`"),
    ({"type": "string", "pattern": r"(a)\1"}, "`groupref` inside `pattern`"),
    ({"type": "string", "pattern": "("}, "`pattern` `(`"),
    ({"type": "string", "pattern": "(?i)^[^a]$"}, "a flag inside `pattern`"),
    ({"type": "string", "pattern": r"\Aa\Z"}, r"not all readers take `\A` alike"),
    ({"type": "string", "pattern": "^a{,3}$"}, "not all readers take `{,3}` alike"),
    ({"type": "string", "pattern": "[]a]"}, "not all readers take `[]` alike"),
    ({"type": "string", "pattern": "(?P<n>a)"}, "not all readers take `(?P` alike"),
    ({"type": "string", "pattern": "^aaaa", "maxLength": 3}, "or none of this length"),
    ({"oneOf": [{"type": "number"}, {"type": "integer"}]}, "alternatives 0 and 1"),
    ({"oneOf": [{"type": "object"}, {"required": ["a"]}]}, "alternatives 0 and 1"),
    ({"type": "integer", "minimum": 3, "maximum": 2}, "what nothing can meet"),
    ({"type": "text"}, "the type `text`"),
    (False, "what nothing can meet"),
]


@pytest.mark.parametrize(("schema", "named"), UNSUPPORTED)
def test_what_is_not_supported_is_refused_by_name(schema, named):
    with pytest.raises(UnsupportedSchemaError) as caught:
        grammar.for_schema(schema)
    assert named in str(caught.value)
    assert caught.value.kind == "invalid_request"


def test_the_place_in_the_schema_is_named():
    schema = {"properties": {"a": {"items": {"anyOf": [{}, {"not": {}}]}}}}
    with pytest.raises(UnsupportedSchemaError) as caught:
        grammar.for_schema(schema)
    assert caught.value.place == "/properties/a/items/anyOf/1"


def test_recursion_ends():
    deep, shallow = (
        '{"name":"","children":[' * levels + "]}" * levels for levels in (6, 4)
    )
    assert not allows(TREE, deep, SMALL)
    assert allows(TREE, shallow, SMALL)


def test_a_grammar_stays_small():
    assert len(grammar.for_schema({"type": "string"})) < 3000
    wide = {"properties": {f"p{n}": {"type": "string"} for n in range(40)}}
    assert len(grammar.for_schema(wide)) < 12_000
    assert len(grammar.for_schema(TREE)) < 8000


@pytest.mark.parametrize(
    "pattern", [r"^(\w+\s?)+$", "^([a-z]+-?)*$", r"^(\S+\s*)+$", "^(a|a?)+(b*)*(c+)+$"]
)
def test_a_pattern_is_followed_in_one_reading(pattern):
    rules = Grammar(grammar.for_schema({"type": "string", "pattern": pattern}))
    matcher, chance = Matcher(rules), random.Random(pattern)
    assert matcher.feed('"')
    for _ in range(100):
        classes = sorted(c for c in matcher.choices() if c != ((0x22, 0x22),))
        if not classes:
            break
        low, _ = chance.choice(chance.choice(classes))
        assert matcher.feed(chr(low))
        assert len(matcher._stacks) <= 16
    assert rules.shortest["root"].startswith('"')


PATTERNS = [
    ("^a$|^b$", ["a", "b"], ["ab", "", "xa"]),
    ("b", ["b", "abc"], ["", "a"]),
    (r"^[\w.]+@[a-z.-]+\.[a-z]{2,}$", ["a.b@c.de"], ["a@b", "@c.de"]),
    (r"^(\w+\s?)+$", ["two words", "x"], ["", " x", "two  words"]),
    ("^(?:ab){2,3}$", ["abab", "ababab"], ["ab", "abababab"]),
    ("^$", [""], ["a"]),
]


@pytest.mark.parametrize(("pattern", "found", "missed"), PATTERNS)
def test_patterns_mean_what_they_say(pattern, found, missed):
    schema = {"type": "string", "pattern": pattern}
    assert all(allows(schema, json.dumps(text)) for text in found)
    assert not any(allows(schema, json.dumps(text)) for text in missed)
    listed = {"enum": [*found, *missed], **schema}
    assert all(allows(listed, json.dumps(text)) for text in found)
    assert not any(allows(listed, json.dumps(text)) for text in missed)


def test_a_pattern_goes_with_lengths():
    schema = {"type": "string", "pattern": "^a+", "minLength": 2, "maxLength": 3}
    assert allows(schema, '"aa"')
    assert allows(schema, '"axy"')
    assert not allows(schema, '"a"')
    assert not allows(schema, '"axyz"')


def syntax_tree(count):
    names = [f"t{number}" for number in range(count)]
    below = {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in names]}
    return {
        "$ref": "#/$defs/t0",
        "$defs": {
            name: {
                "type": "object",
                "properties": {"kind": {"const": name}, "l": below, "r": below},
                "required": ["kind"],
                "additionalProperties": False,
            }
            for name in names
        },
    }


@pytest.mark.parametrize("count", [2, 5, 10, 30])
def test_types_that_contain_each_other_cost_by_their_number(count):
    text = grammar.for_schema(syntax_tree(count))
    assert len(text) < 10_000 * count
    deep = '{"kind":"t0"}'
    for _ in range(min(8, 2 * count)):
        deep = '{"kind":"t1","l":' + deep + "}"
    matcher = Matcher(Grammar(text))
    assert matcher.feed('{"kind":"t0","r":' + deep + "}")
    assert matcher.complete


def test_a_reference_is_read_as_an_address():
    schema = {"definitions": {"a b": {"type": "null"}}, "$ref": "#/definitions/a%20b"}
    assert allows(schema, "null")


def test_two_bases_may_share_one():
    base = {"type": "object", "properties": {"id": {"type": "null"}}}
    schema = {
        "allOf": [{"$ref": "#/$defs/left"}, {"$ref": "#/$defs/right"}],
        "$defs": {
            "base": base,
            "left": {"allOf": [{"$ref": "#/$defs/base"}], "required": ["id"]},
            "right": {"$ref": "#/$defs/base", "properties": {"b": {"type": "null"}}},
        },
    }
    assert allows(schema, '{"id":null,"b":null}')
    assert not allows(schema, '{"b":null}')


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("0.5", 1),
        ("0.7", 1),
        ("0.69", 1),
        ("0.50", 1),
        ("0.71", 0),
        ("0.49", 0),
        ("1", 0),
    ],
)
def test_decimals_are_bounded_digit_by_digit(text, inside):
    assert allows({"type": "number", "minimum": 0.5, "maximum": 0.7}, text) == inside
    negative = {"type": "number", "minimum": -0.7, "maximum": -0.5}
    assert allows(negative, f"-{text}") == inside


def test_no_decimal_is_rounded_out_of_its_range():
    narrow = {"type": "number", "minimum": 999999999999998}
    narrow["exclusiveMaximum"] = 999999999999999
    assert allows(narrow, "999999999999998")
    assert not allows(narrow, "999999999999998.9999999999")
