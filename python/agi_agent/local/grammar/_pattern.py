"""`pattern`: read by Python's own parser of regular expressions, turned into rules.

What is written is what all readers of patterns find it in: ECMA-262, whose words and
digits are ASCII, and readers whose are Unicode's. What a grammar cannot express
(look-around, back-references, word boundaries) is refused by name, and so is what only
Python understands. A pattern with one reading only is written as it stands, with counts
for counts; any other goes by way of an automaton.
"""

from __future__ import annotations

import re
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]

from agi_agent.local.grammar import _classes
from agi_agent.local.grammar._automaton import Automaton
from agi_agent.local.grammar._caps import Caps, ImpossibleError, UnsupportedSchemaError
from agi_agent.local.grammar._classes import ALL, one_of, overlap, subtract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from agi_agent.local.grammar._classes import Ranges
    from agi_agent.local.grammar._rules import Rules


class Pattern:
    """One regular expression on its way into rules."""

    def __init__(self, pattern: Any, caps: Caps, place: str) -> None:
        """Read it.

        Raises:
            UnsupportedSchemaError: It is none, or none that Python's parser knows.
        """
        self.caps = caps
        self.place = place
        if not isinstance(pattern, str):
            raise UnsupportedSchemaError("`pattern` that is not a text", place)
        for part in _FOREIGN.finditer(pattern):
            if part[1]:
                what = f"`pattern` `{pattern}` (not all readers take `{part[1]}` alike)"
                raise UnsupportedSchemaError(what, place)
        try:
            parsed = _parser.parse(pattern, re.ASCII)
        except (re.error, RecursionError, OverflowError) as error:
            what = f"`pattern` `{pattern}` ({error})"
            raise UnsupportedSchemaError(what, place) from None
        if parsed.state.flags & ~(re.ASCII | re.UNICODE):
            raise UnsupportedSchemaError("a flag inside `pattern`", place)
        self._tree = list(parsed)

    def matches(self, text: str) -> bool:
        """Say whether it is found in a text, as every reader of patterns has it."""
        return Automaton(self._tree, self._ranges, self.place).matches(text)

    def string(self, rules: Rules, least: int, most: int | None) -> str:
        """Give an expression for the JSON strings that it is found in."""
        text = self._plainly(rules, least, most)
        if text is None:
            automaton = Automaton(self._tree, self._ranges, self.place)
            text = automaton.expression(rules, least, most, self.caps.repeat)
        return rules.add("pattern", f'"\\"" {text} "\\""')

    def _plainly(self, rules: Rules, least: int, most: int | None) -> str | None:
        """The pattern part by part; None where it has several readings or lengths."""
        tree = self._tree
        if len(tree) < 2 or tree[0] not in _STARTS or tree[-1] not in _ENDS:
            return None
        inner = tree[1:-1]
        if not _Readings(self._ranges).one(inner):
            return None
        low, high = self._lengths(inner)
        if low < least or (most is not None and high > most):
            return None
        return self._sequence(rules, inner)

    def _sequence(self, rules: Rules, tree: list[Any]) -> str:
        parts = [self._item(rules, kind, value) for kind, value in tree]
        return " ".join(parts) or '""'

    def _item(self, rules: Rules, kind: Any, value: Any) -> str:
        if kind is op.SUBPATTERN:
            return f"({self._sequence(rules, list(value[3]))})"
        if kind is op.BRANCH:
            choices = [self._sequence(rules, list(branch)) for branch in value[1]]
            return f"({' | '.join(choices)})"
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT):
            low, high, inner = value
            item = rules.add("part", self._sequence(rules, list(inner)))
            return rules.repeat("part", item, low, self._capped(low, high))
        text = one_of(self._ranges(kind, value))
        if not text:
            raise ImpossibleError("a `pattern` of control characters", self.place)
        return text

    def _capped(self, low: int, high: Any) -> int:
        return max(low, self.caps.repeat) if high is op.MAXREPEAT else int(high)

    def _lengths(self, tree: list[Any]) -> tuple[int, int]:
        """The shortest and the longest text that a part gives, in characters."""
        low = high = 0
        for kind, value in tree:
            least, most = 1, 1
            if kind is op.SUBPATTERN:
                least, most = self._lengths(list(value[3]))
            elif kind is op.BRANCH:
                ends = [self._lengths(list(branch)) for branch in value[1]]
                least, most = min(e[0] for e in ends), max(e[1] for e in ends)
            elif kind in (op.MAX_REPEAT, op.MIN_REPEAT):
                inner = self._lengths(list(value[2]))
                least = inner[0] * value[0]
                most = inner[1] * self._capped(value[0], value[1])
            low, high = low + least, high + most
        return low, high

    def _ranges(self, kind: Any, value: Any) -> Ranges:
        return _ranges(kind, value, self.place)


class _SeveralError(Exception):
    """A part has more than one reading."""


class _Readings:
    """Whether the next character always says which part of a pattern it belongs to."""

    def __init__(self, ranges_of: Any) -> None:
        self._ranges_of = ranges_of
        self._after: list[Ranges] = []

    def one(self, tree: list[Any]) -> bool:
        """Say so for a whole pattern."""
        try:
            self._sequence(tree)
        except _SeveralError:
            return False
        return True

    def _sequence(self, tree: Any) -> tuple[bool, Ranges, list[int]]:
        """Whether a part can be empty, what it begins with, and where it ends."""
        empty = True
        first: Ranges = []
        ends: list[int] = []
        for kind, value in tree:
            vanishes, begins, stops = self._item(kind, value)
            self._follow(ends, begins)
            if empty:
                first = _apart(first, begins)
            ends = [*ends, *stops] if vanishes else stops
            empty = empty and vanishes
        return empty, first, ends

    def _item(self, kind: Any, value: Any) -> tuple[bool, Ranges, list[int]]:
        if kind in (op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN):
            self._after.append([])
            return False, self._ranges_of(kind, value), [len(self._after) - 1]
        if kind is op.SUBPATTERN and not (value[1] or value[2]):
            return self._sequence(value[3])
        if kind is op.BRANCH:
            return self._branches(value[1])
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT):
            low, high, inner = value
            empty, first, ends = self._sequence(inner)
            if empty or high == 0:
                raise _SeveralError
            if high > 1:
                self._follow(ends, first)
            return low == 0, first, ends
        raise _SeveralError

    def _branches(self, branches: Any) -> tuple[bool, Ranges, list[int]]:
        empty = False
        first: Ranges = []
        ends: list[int] = []
        for branch in branches:
            vanishes, begins, stops = self._sequence(branch)
            if empty and vanishes:
                raise _SeveralError
            empty, first = empty or vanishes, _apart(first, begins)
            ends += stops
        return empty, first, ends

    def _follow(self, ends: list[int], begins: Ranges) -> None:
        for end in ends:
            self._after[end] = _apart(self._after[end], begins)


def _apart(ranges: Ranges, others: Ranges) -> Ranges:
    if overlap(ranges, others):
        raise _SeveralError
    return [*ranges, *others]


_FOREIGN = re.compile(
    r"(\\[AZaNU]|\(\?[P#>]|\{,\d*\}|\[\^?\])|\\.", re.ASCII | re.DOTALL
)
"""What Python reads otherwise than ECMA-262, which has no such thing; and escapes."""
_STARTS = [(op.AT, op.AT_BEGINNING), (op.AT, op.AT_BEGINNING_STRING)]
_ENDS = [(op.AT, op.AT_END), (op.AT, op.AT_END_STRING)]


def _ranges(kind: Any, value: Any, place: str) -> Ranges:
    """The code points that one symbol of a pattern stands for."""
    if kind is op.LITERAL:
        return [(value, value)]
    if kind is op.NOT_LITERAL:
        return subtract(ALL, [(value, value)])
    if kind is op.ANY:
        return subtract(ALL, [(0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029)])
    found: Ranges = []
    negated = (op.NEGATE, None) in value
    for part, what in value:
        if part is op.NEGATE:
            continue
        if part is op.LITERAL:
            found.append((what, what))
        elif part is op.RANGE:
            found.append(what)
        elif part is op.CATEGORY:
            found += _category(what, negated, place)
        else:
            raise UnsupportedSchemaError(f"`{part}` inside `pattern`", place)
    return subtract(ALL, found) if negated else found


def _category(what: Any, negated: bool, place: str) -> Ranges:
    """What all readers take for a category, or with `negated` what any of them does."""
    if what not in _CATEGORIES:
        raise UnsupportedSchemaError(f"`{what}` inside `pattern`", place)
    ours, other = _CATEGORIES[what]
    return subtract(ALL, other) if negated else ours


_CATEGORIES: dict[Any, tuple[Ranges, Ranges]] = {
    op.CATEGORY_DIGIT: (_classes.DIGITS, _classes.NOT_DIGITS),
    op.CATEGORY_NOT_DIGIT: (_classes.NOT_DIGITS, _classes.DIGITS),
    op.CATEGORY_WORD: (_classes.WORDS, _classes.NOT_WORDS),
    op.CATEGORY_NOT_WORD: (_classes.NOT_WORDS, _classes.WORDS),
    op.CATEGORY_SPACE: (_classes.SPACES, _classes.NOT_SPACES),
    op.CATEGORY_NOT_SPACE: (_classes.NOT_SPACES, _classes.SPACES),
}
"""What surely is of a category, and what surely is not."""
