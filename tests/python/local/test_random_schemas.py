"""What a grammar allows is valid: random schemas, against a validator.

`AGI_TEST_LONG=1` tries twenty times as many.
"""

from __future__ import annotations

import json
import os
import random
import re

import jsonschema
import pytest
from random_schemas import Schemas

from agi_agent.local import grammar
from agi_agent.local.grammar import Caps, UnsupportedSchemaError
from agi_agent.local.grammar._matcher import Grammar

SMALL = Caps(string=12, array=3, members=3, digits=4, fraction=3, depth=1, repeat=4)
WIDE = Caps(string=12, array=3, members=3, depth=1, repeat=4)
BLOCKS = 20 * (20 if os.environ.get("AGI_TEST_LONG") else 1)
EACH = 100


def sentence(rules, chance, budget=400):
    """Draw a text of a grammar; the shortest of each rule when it gets long."""
    waiting, text = ["root"], []
    while waiting:
        symbol = waiting.pop()
        if not isinstance(symbol, str):
            low, high = chance.choice(symbol)
            code = chance.choice([low, high, chance.randint(low, high)])
            text.append(chr(code))
        elif len(text) > budget:
            text.append(rules.shortest[symbol])
        else:
            known = [s for s in rules.rules[symbol] if all(_ends(rules, p) for p in s)]
            waiting += reversed(chance.choice(known))
    return "".join(text)


def _ends(rules, symbol):
    return not isinstance(symbol, str) or symbol in rules.shortest


def tried(seed, caps):
    """Try one schema; gives whether a grammar was made of it."""
    chance = random.Random(seed)
    schema = Schemas(chance).document()
    try:
        text = grammar.for_schema(schema, caps)
    except UnsupportedSchemaError:
        return False
    rules = Grammar(text)
    assert "root" in rules.shortest
    validator = jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.FormatChecker(["date", "ipv4", "uuid"])
    )
    for _ in range(8):
        written = sentence(rules, chance)
        errors = list(validator.iter_errors(json.loads(written)))
        assert not errors, (seed, json.dumps(schema), written, errors[0].message)
    return True


@pytest.mark.parametrize("block", range(BLOCKS))
def test_random_schemas_are_kept_or_refused(block):
    caps = SMALL if block % 2 else WIDE
    made = sum(tried(block * EACH + number, caps) for number in range(EACH))
    # A generator whose schemas are all refused would test nothing.
    assert made >= EACH // 8


def test_the_sampler_finds_what_is_not_valid():
    rules = Grammar('root ::= "1" | "x"? [0-9]{2} | more\nmore ::= "[" root* "]"\n')
    chance = random.Random(1)
    texts = [sentence(rules, chance) for _ in range(200)]
    assert any(re.fullmatch("x[0-9]{2}", text) for text in texts)
    assert any(text.startswith("[") for text in texts)
