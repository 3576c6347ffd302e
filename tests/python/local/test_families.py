"""The grammar of tool calls, family by family, against the reader of answers."""

from __future__ import annotations

import json
import random

import jsonschema
import pytest
from test_grammar import SMALL, random_text

from agi_agent.local import _families
from agi_agent.local._reader import Reader
from agi_agent.local.grammar import Rules, UnsupportedSchemaError
from agi_agent.local.grammar._matcher import Grammar, Matcher

TOOLS = [
    {
        "name": "file_read",
        "description": "",
        "parameters": {
            "type": "object",
            "properties": {
                "path": {"type": "string"},
                "limit": {"type": "integer", "minimum": 1},
            },
            "required": ["path"],
            "additionalProperties": False,
        },
    },
    {"name": "now", "description": "", "parameters": {"type": "object"}},
]
FAMILIES = [
    _families.HERMES,
    _families.LLAMA,
    _families.MISTRAL,
    _families.MISTRAL_ARGS,
    _families.JSON,
]


def grammar_of(family):
    rules = Rules()
    return Grammar(rules.text(_families.calls_rule(rules, family, TOOLS, SMALL)))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_calls_that_a_grammar_allows_are_read_and_valid(family):
    grammar, chance = grammar_of(family), random.Random(family.name)
    schemas = {tool["name"]: tool["parameters"] for tool in TOOLS}
    for _ in range(60):
        text = random_text(grammar, chance)
        reader = Reader(family, list(schemas))
        middle = chance.randint(0, len(text))
        reader.feed(text[:middle])
        reader.feed(text[middle:])
        reader.finish()
        assert reader.parts
        for part in reader.parts:
            assert part["type"] == "tool_call", text
            jsonschema.validate(json.loads(part["arguments"]), schemas[part["name"]])


WRITTEN = [
    (_families.HERMES, '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'),
    (
        _families.LLAMA,
        '{"type": "function", "name": "file_read", "parameters": {"path": "x"}}',
    ),
    (
        _families.MISTRAL,
        '[TOOL_CALLS] [{"name": "now", "arguments": {}, "id": "aB3456789"}]',
    ),
    (_families.MISTRAL_ARGS, '[TOOL_CALLS]file_read[ARGS]{"path": "x", "limit": 2}'),
    (_families.JSON, '{"name":"now","parameters":{}}'),
]


@pytest.mark.parametrize(("family", "text"), WRITTEN)
def test_what_models_have_learnt_is_allowed(family, text):
    matcher = Matcher(grammar_of(family))
    assert matcher.feed(text)
    assert matcher.complete


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_other_tools_and_arguments_are_not(family):
    for text in ('{"name": "rm"', '{"name": "now", "arguments": 1', "[TOOL_CALLS]rm["):
        assert not Matcher(grammar_of(family)).feed(family.opens + text)


def test_a_schema_that_cannot_be_held_names_its_tool():
    tool = {"name": "odd", "description": "", "parameters": {"not": {}}}
    with pytest.raises(UnsupportedSchemaError, match="`odd`"):
        _families.calls_rule(Rules(), _families.JSON, [tool], SMALL)
