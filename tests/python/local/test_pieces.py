"""Tokens as bytes, and a grammar kept token by token, without torch."""

from __future__ import annotations

import itertools
import random

import pytest

from agi_agent.local._hold import Hold
from agi_agent.local.grammar._matcher import Grammar, Matcher
from agi_agent.local.own_torch._keeper import Keeper
from agi_agent.local.own_torch._pieces import Pieces, span, split

ENDS = frozenset({0})


class Tokenizer:
    """A vocabulary, and the name of the decoder that reads it."""

    def __init__(self, names, decoder):
        mark = type("Added", (), {"content": "<tool_call>"})
        self.added_tokens_decoder = {1: mark}
        self._names = ["<end>", "<tool_call>", *names]
        self.backend_tokenizer = type("Backend", (), {"decoder": decoder})

    def __len__(self):
        return len(self._names)

    def convert_ids_to_tokens(self, tokens):
        return [self._names[token] for token in tokens]

    def decode(self, tokens):
        return "".join(f"[{self._names[token]}]" for token in tokens)


@pytest.mark.parametrize(
    ("decoder", "names", "expected"),
    [
        ("ByteLevel(a=True)", ["Ġhi", "Ã¼", "Ã"], [b" hi", "ü".encode(), b"\xc3"]),
        ("ByteFallback()", ["▁hi", "<0xC3>", "ü"], [b" hi", b"\xc3", "ü".encode()]),
        ("WordPiece()", ["hi", "##x"], [b"[hi]", b"[##x]"]),
    ],
)
def test_vocabularies_are_read_as_bytes(decoder, names, expected):
    pieces = Pieces(Tokenizer(names, decoder))
    assert pieces.of(1) == b"<tool_call>"
    assert [pieces.of(2 + n) for n in range(len(expected))] == expected
    assert pieces.of(1000) == b""
    assert 2 in pieces.beginning(expected[0][0])


def test_bytes_are_parted_where_a_character_begins():
    assert split("aü".encode()) == ("aü", b"")
    assert split("a日".encode()[:-1]) == ("a", "日".encode()[:-1])
    assert split(b"a\xff") is None
    assert split(b"\xc3a") is None


@pytest.mark.parametrize("character", ["ü", "߿", "日", "\uffff", "😀", "\U0010ffff"])
def test_what_has_begun_may_become_the_character(character):
    whole = character.encode()
    for length in range(1, len(whole)):
        low, high = span(whole[:length])
        assert low <= ord(character) <= high
    assert span(whole[:-1])[1] - span(whole[:-1])[0] <= 63


class Row:
    """Scores of one row, as much of a tensor as the keeper asks for."""

    def __init__(self, values):
        self.values = values
        self.shape = (len(values),)
        self.indices = self

    def topk(self, count):
        order = sorted(range(len(self.values)), key=lambda n: -self.values[n])
        return Row(order[:count])

    def tolist(self):
        return self.values


def written(keeper, row):
    """Which tokens the keeper leaves in the race."""
    return keeper._allowed(keeper._matcher, row)


def answer(grammar, names, decoder, seed):
    """Write a random answer under a grammar; gives its text."""
    pieces = Pieces(Tokenizer(names, decoder))
    keeper = Keeper(Hold(grammar, [], whole=True), pieces, ENDS, 0)
    chance = random.Random(seed)
    data = b""
    for _ in range(400):
        scores = Row([chance.random() for _ in range(len(names) + 2)])
        allowed = written(keeper, scores)
        assert allowed, data
        token = chance.choice(allowed)
        if token in ENDS:
            return data.decode()
        keeper._take(token)
        data += pieces.of(token)
    return (data + b"").decode("utf-8", "ignore") + keeper.ending()


@pytest.mark.parametrize("seed", range(30))
def test_what_is_left_in_the_race_keeps_the_grammar(seed):
    grammar = r'root ::= "{\"k\":" ("\"über\"" | "\"日本\"" | [0-9]{1,4}) "}"'
    names = [f"<0x{byte:02X}>" for byte in range(256)] + ['{"', '":"', "日", "12"]
    text = answer(grammar, names, "ByteFallback", seed)
    matcher = Matcher(Grammar(grammar))
    assert matcher.feed(text)
    assert matcher.complete


def test_a_rare_word_is_found_among_many_tokens():
    # None of the likeliest tokens fits: those that begin with the byte are looked up.
    letters = "abcdefghij"
    names = ["".join(three) for three in itertools.product(letters, repeat=3)]
    pieces = Pieces(Tokenizer([*names, "zebra"], "ByteFallback"))
    keeper = Keeper(Hold('root ::= "zebra"', [], whole=True), pieces, ENDS, 0)
    scores = Row([1.0] * (len(names) + 2) + [0.0])
    assert written(keeper, scores) == [len(names) + 2]


def test_the_grammar_holds_from_its_trigger_on():
    names = [f"<0x{byte:02X}>" for byte in range(256)]
    pieces = Pieces(Tokenizer(names, "ByteFallback"))
    held = Hold('root ::= "<a>" [0-9]', ["<a>"], whole=False)
    keeper = Keeper(held, pieces, ENDS, 0)
    for letter in b"free text <a":
        keeper._take(2 + letter)
        assert keeper._matcher is None
    keeper._take(2 + ord(">"))
    assert {t - 2 for t in written(keeper, Row([1.0] * 258))} == set(b"0123456789")
    keeper._take(2 + ord("7"))
    assert written(keeper, Row([1.0] * 258)) == [0]
