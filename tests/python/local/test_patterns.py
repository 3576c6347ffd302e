"""Classes of characters in `pattern`: what is written is found by every reader.

Readers differ in what a word, a digit and a space are: ECMA-262 (which JSON Schema
names) has the words and digits of ASCII and the spaces of Unicode, Python has Unicode
for all three, or with a flag ASCII. Random patterns are tried against all of them.
"""

from __future__ import annotations

import json
import random
import re
import sys
import unicodedata

import pytest
from test_grammar import SMALL, allows, random_text

from agi_agent.local import grammar
from agi_agent.local.grammar import UnsupportedSchemaError, _classes
from agi_agent.local.grammar._matcher import Grammar

ATOMS = (
    r"\w", r"\W", r"\d", r"\D", r"\s", r"\S", ".", "\u00e9", r"[^\w]",
    "[\u00e0-\u00fc]",
    r"[^\W]", r"[^\d]", r"[^\D]", r"[^\s]", r"[^\S]", r"[^\w\s]", r"[\W\d]", r"[\S\n]",
    r"[^\W_]", "[^\u00e9]", "\U0001f600", "[\u4e00-\u9fff]", r"\u00e9", "[^a-z]",
    r"[^\S\d]",
)  # fmt: skip
SPACES = "\\t-\\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"


def as_ecma(pattern):
    """The pattern with the spaces of ECMA-262 written out, for `re.ASCII`."""
    inside = re.sub(r"\[[^]]*\]", lambda m: m[0].replace("\\s", SPACES), pattern)
    plain = re.sub(r"\\s(?![^[]*\])", f"[{SPACES}]", inside)
    return re.sub(r"\\S(?![^[]*\])", f"[^{SPACES}]", plain)


def random_pattern(chance):
    parts = []
    for _ in range(chance.randint(1, 4)):
        atom = chance.choice(ATOMS)
        parts.append(atom + chance.choice(["", "", "?", "+", "{1,3}"]))
    pattern = "".join(parts)
    return chance.choice([f"^{pattern}$", f"^{pattern}$", pattern, f"^({pattern})+$"])


@pytest.mark.parametrize("block", range(40))
def test_what_is_written_is_found_by_every_reader(block):
    made = 0
    for number in range(10):
        chance = random.Random(block * 10 + number)
        pattern = random_pattern(chance)
        try:
            text = grammar.for_schema({"type": "string", "pattern": pattern}, SMALL)
        except UnsupportedSchemaError:
            continue
        made += 1
        rules = Grammar(text)
        for _ in range(8):
            written = json.loads(random_text(rules, chance, 60))
            where = (pattern, written)
            assert re.search(pattern, written), where
            assert re.search(pattern, written, re.ASCII), where
            # A class with `\S` in it cannot be written out.
            if not re.search(r"\[[^]]*\\S", pattern):
                assert re.search(as_ecma(pattern), written, re.ASCII), where
    assert made >= 5


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        (r"^\W+$", "-\u2014\u20ac\u2192\U0001f600 \n"),
        (r"^[^\w]+$", "\u00ab\u2026\u00bb"),
        (r"^\D+$", "Z\u00fcrich, \u041c\u043e\u0441\u043a\u0432\u0430, \u6771\u4eac"),
        (r"^\S+$", "Z\u00fcrich\u6771\u4eac\u0663"),
        ("^[\u00e0-\u00fc]+$", "\u00e9\u00fc"),
        ("^[^a-z]+$", "\u00e9\u0663\U0001f600A"),
    ],
)
def test_letters_beyond_ascii_can_be_written(pattern, found):
    schema = {"type": "string", "pattern": pattern}
    assert allows(schema, json.dumps(found, ensure_ascii=False).replace("\\n", "\\n"))


@pytest.mark.parametrize(
    ("pattern", "missed"),
    [
        (r"^\W$", "\u00e9\u0663_a\u203f\u00b2"),
        (r"^[^\w]$", "\u00e9\u0301"),
        (r"^\D$", "1\u0663\uff11"),
        (r"^\w$", "\u00e9-"),
        (r"^\d$", "\u0663a"),
        (r"^\S$", " \u00a0\u180e\ufeff"),
        (r"^\s$", "\u00a0\ufeffa"),
    ],
)
def test_what_readers_differ_about_is_not_written(pattern, missed):
    for character in missed:
        text = json.dumps(character, ensure_ascii=False)
        assert not allows({"type": "string", "pattern": pattern}, text), character


def every(ranges):
    return [chr(code) for low, high in ranges for code in range(low, high + 1)]


def test_the_tables_are_those_of_unicode():
    for character in every(_classes.NOT_WORDS):
        assert not re.match(r"\w", character), hex(ord(character))
        if ord(character) > 0x7F:
            kind = unicodedata.category(character)
            assert kind[0] in "PS", (hex(ord(character)), kind)
            assert kind != "Pc", hex(ord(character))
    for character in every(_classes.NOT_DIGITS):
        assert not re.match(r"\d", character), hex(ord(character))
        assert unicodedata.category(character) != "Cn", hex(ord(character))
    spaces = [c for c in map(chr, range(sys.maxunicode + 1)) if c.isspace()]
    for character in spaces:
        low = [r for r in _classes.NOT_SPACES if r[0] <= ord(character) <= r[1]]
        assert not low, hex(ord(character))
