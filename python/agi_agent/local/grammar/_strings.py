"""JSON strings: by length, by `pattern`, by the few formats that have a fixed shape.

A `pattern` is read by Python's own parser of regular expressions and turned into rules;
what a grammar cannot express (look-around, back-references, word boundaries) is refused
by name.
"""

from __future__ import annotations

import re
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]

from agi_agent.local.grammar._caps import Caps, ImpossibleError, UnsupportedSchemaError
from agi_agent.local.grammar._rules import char_class, literal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from agi_agent.local.grammar._rules import Rules

    Ranges = list[tuple[int, int]]

_LAST = 0x10FFFF
_PLAIN: Ranges = [
    (0x20, 0x21),
    (0x23, 0x5B),
    (0x5D, 0x7E),
    (0xA0, 0xD7FF),
    (0xE000, _LAST),
]
"""What stands in a JSON string as itself: no quote, backslash, control, surrogate."""
_ESCAPES = {
    0x22: '"\\\\\\""', 0x5C: '"\\\\\\\\"', 0x08: '"\\\\b"', 0x09: '"\\\\t"',
    0x0A: '"\\\\n"', 0x0C: '"\\\\f"', 0x0D: '"\\\\r"',
}  # fmt: skip
_HEX = "[0-9a-fA-F]"
_FORMATS = {
    "date": r"[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])",
    "time": r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z",
    "date-time": r"[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z",
    "uuid": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "ipv4": r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
    r"(\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}",
}
"""Formats that are enforced, by a subset that is always right (no 29th of February);
others are annotations, as the standard has it."""


def string(rules: Rules, schema: dict[str, Any], caps: Caps, place: str) -> str:
    """Give an expression for the strings that a schema allows."""
    least = _length(schema, "minLength", place) or 0
    most = _length(schema, "maxLength", place)
    if most is not None and most < least:
        raise ImpossibleError(f"no string of {least} to {most} characters", place)
    pattern = schema.get("pattern")
    fixed = _FORMATS.get(schema.get("format", ""))
    if pattern is not None and fixed is not None:
        raise UnsupportedSchemaError("`pattern` together with `format`", place)
    if fixed is not None:
        pattern = f"^{fixed}$"
    if pattern is None:
        bound = max(caps.string, least) if most is None else most
        inner = rules.repeat("char", _char(rules), least, bound)
        return rules.add("string", f'"\\"" {inner} "\\""')
    return _Pattern(rules, caps, place).string(pattern, least, most)


def key_except(rules: Rules, names: list[str], caps: Caps) -> str:
    """Give an expression for an object's key that is none of `names`.

    The key has 1 to 64 characters of the plain kind, without escapes, so that one
    spelling of each name is all there is to exclude.
    """
    plain = char_class(_PLAIN)
    most = min(64, caps.string)
    body = _not_in(rules, [name for name in names if 0 < len(name) <= most], most, True)
    return (
        rules.add("key", f'"\\"" ({body}) "\\""')
        if names
        else rules.add(
            "any-key", f'"\\"" {rules.repeat("plain", plain, 1, most)} "\\""'
        )
    )


def _not_in(rules: Rules, names: list[str], most: int, first: bool) -> str:
    """What may follow when `names` are the rests of names that are still possible."""
    plain = char_class(_PLAIN)
    choices = [] if first or "" in names else ['""']
    if most <= 0:
        return " | ".join(choices) or '""'
    heads = sorted({name[0] for name in names if name})
    other = _subtract(_PLAIN, [(ord(head), ord(head)) for head in heads])
    if other:
        rest = rules.repeat("plain", plain, 0, most - 1)
        choices.append(f"{char_class(other)} {rest}")
    for head in heads:
        if _overlap([(ord(head), ord(head))], _PLAIN):
            rests = [name[1:] for name in names if name[:1] == head]
            more = _not_in(rules, rests, most - 1, False)
            choices.append(f"{literal(head)} ({more})")
    return " | ".join(choices)


def _char(rules: Rules) -> str:
    # Escapes of half a surrogate pair are left out: most readers refuse them.
    escape = (
        f'"\\\\" (["\\\\/bfnrt] | "u" ([0-9a-cA-CefEF] {_HEX}{{3}} | '
        f"[dD] [0-7] {_HEX}{{2}}))"
    )
    return rules.add("char", f"{char_class(_PLAIN)} | {escape}")


class _Pattern:
    """One regular expression on its way into rules."""

    def __init__(self, rules: Rules, caps: Caps, place: str) -> None:
        self.rules = rules
        self.caps = caps
        self.place = place

    def string(self, pattern: Any, least: int, most: int | None) -> str:
        if not isinstance(pattern, str):
            raise UnsupportedSchemaError("`pattern` that is not a text", self.place)
        try:
            tree = list(_parser.parse(pattern, re.ASCII))
        except (re.error, RecursionError, OverflowError) as error:
            what = f"`pattern` `{pattern}` ({error})"
            raise UnsupportedSchemaError(what, self.place) from None
        any_char = [(op.MAX_REPEAT, (0, op.MAXREPEAT, [(op.NOT_LITERAL, -1)]))]
        branches = [tree]
        if len(tree) == 1 and tree[0][0] is op.BRANCH:
            branches = [list(branch) for branch in tree[0][1][1]]
        whole = []
        for branch in branches:
            starts = bool(branch) and branch[0] in _STARTS
            ends = bool(branch) and branch[-1] in _ENDS
            inner = branch[starts : len(branch) - ends]
            anchored = ([] if starts else any_char) + inner + ([] if ends else any_char)
            low, high = self._lengths(anchored)
            if low < least or (most is not None and high > most):
                raise UnsupportedSchemaError(
                    f"`pattern` of {low} to {high} characters together with "
                    "`minLength` or `maxLength`",
                    self.place,
                )
            whole.append(self._sequence(anchored))
        return self.rules.add("pattern", f'"\\"" ({" | ".join(whole)}) "\\""')

    def _sequence(self, tree: list[Any]) -> str:
        parts = [self._item(kind, value) for kind, value in tree]
        return " ".join(parts) or '""'

    def _item(self, kind: Any, value: Any) -> str:
        if kind in (op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN):
            return self._one_of(_ranges(kind, value, self._refused))
        if kind is op.SUBPATTERN:
            _, on, off, inner = value
            if on or off:
                raise self._refused("a flag inside `pattern`")
            return f"({self._sequence(list(inner))})"
        if kind is op.BRANCH:
            choices = [self._sequence(list(branch)) for branch in value[1]]
            return f"({' | '.join(choices)})"
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            low, high, inner = value
            high = self._capped(low, high)
            item = self.rules.add("part", self._sequence(list(inner)))
            return self.rules.repeat("part", item, low, high)
        raise self._refused(f"`{str(kind).lower().replace('_', ' ')}` inside `pattern`")

    def _one_of(self, ranges: Ranges) -> str:
        choices = []
        plain = _overlap(ranges, _PLAIN)
        if plain:
            choices.append(char_class(plain))
        for code, escape in _ESCAPES.items():
            if _overlap([(code, code)], ranges):
                choices.append(escape)
        if not choices:
            raise ImpossibleError("a `pattern` of control characters", self.place)
        return choices[0] if len(choices) == 1 else f"({' | '.join(choices)})"

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
            elif kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
                inner = self._lengths(list(value[2]))
                least = inner[0] * value[0]
                most = inner[1] * self._capped(value[0], value[1])
            low, high = low + least, high + most
        return low, high

    def _refused(self, what: str) -> UnsupportedSchemaError:
        return UnsupportedSchemaError(what, self.place)


_STARTS = [(op.AT, op.AT_BEGINNING), (op.AT, op.AT_BEGINNING_STRING)]
_ENDS = [(op.AT, op.AT_END), (op.AT, op.AT_END_STRING)]
_CATEGORIES: dict[Any, Ranges] = {
    op.CATEGORY_DIGIT: [(0x30, 0x39)],
    op.CATEGORY_WORD: [(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)],
    # What all readers of patterns agree on.
    op.CATEGORY_SPACE: [(0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20)],
}


def _ranges(kind: Any, value: Any, refused: Callable[[str], Exception]) -> Ranges:
    """The code points that one symbol of a pattern stands for."""
    if kind is op.LITERAL:
        return [(value, value)]
    if kind is op.NOT_LITERAL:
        return _subtract([(0, _LAST)], [(value, value)])
    if kind is op.ANY:
        return _subtract([(0, _LAST)], [(0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029)])
    found: Ranges = []
    negated = False
    for part, what in value:
        if part is op.NEGATE:
            negated = True
        elif part is op.LITERAL:
            found.append((what, what))
        elif part is op.RANGE:
            found.append(what)
        elif part is op.CATEGORY and what in _CATEGORIES:
            found += _CATEGORIES[what]
        elif part is op.CATEGORY:
            positive = getattr(op, str(what).replace("NOT_", ""), None)
            if positive not in _CATEGORIES:
                raise refused(f"`{what}` inside `pattern`")
            # Unicode's spaces count as spaces in some readers and not in others.
            odd = [(0x0B, 0x0B), (0x1C, 0x1F), (0x85, 0x85), (0xA0, 0xA0)]
            odd += [(0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029)]
            odd += [(0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000)]
            taken = _CATEGORIES[positive] + [*odd, (0xFEFF, 0xFEFF)]
            found += _subtract([(0, _LAST)], taken)
        else:
            raise refused(f"`{part}` inside `pattern`")
    return _subtract([(0, _LAST)], found) if negated else found


def _subtract(ranges: Ranges, taken: Ranges) -> Ranges:
    for low, high in taken:
        left: Ranges = []
        for start, stop in ranges:
            if start < low:
                left.append((start, min(stop, low - 1)))
            if stop > high:
                left.append((max(start, high + 1), stop))
        ranges = [part for part in left if part[0] <= part[1]]
    return ranges


def _overlap(ranges: Ranges, others: Ranges) -> Ranges:
    found = {
        (max(a, c), min(b, d))
        for a, b in ranges
        for c, d in others
        if max(a, c) <= min(b, d)
    }
    return sorted(found)


def _length(schema: dict[str, Any], key: str, place: str) -> int | None:
    value = schema.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise UnsupportedSchemaError(f"`{key}` that is not a count", place)
    return int(value)
