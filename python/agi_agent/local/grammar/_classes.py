"""Classes of characters: ranges of code points, and how JSON strings spell them."""

from __future__ import annotations

from agi_agent.local.grammar._rules import char_class

TYPE_CHECKING = False
if TYPE_CHECKING:
    Ranges = list[tuple[int, int]]

LAST = 0x10FFFF
ALL: Ranges = [(0, LAST)]
PLAIN: Ranges = [
    (0x20, 0x21),
    (0x23, 0x5B),
    (0x5D, 0x7E),
    (0xA0, 0xD7FF),
    (0xE000, LAST),
]
"""What stands in a JSON string as itself: no quote, backslash, control, surrogate."""
_ESCAPES = {
    0x22: '"\\\\\\""', 0x5C: '"\\\\\\\\"', 0x08: '"\\\\b"', 0x09: '"\\\\t"',
    0x0A: '"\\\\n"', 0x0C: '"\\\\f"', 0x0D: '"\\\\r"',
}  # fmt: skip
WRITABLE: Ranges = sorted([*PLAIN, *((code, code) for code in _ESCAPES)])
"""What patterns write, as itself or by its short escape."""
DIGITS: Ranges = [(0x30, 0x39)]
WORDS: Ranges = [(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)]
SPACES: Ranges = [(0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20)]
_SYMBOLS: Ranges = [
    (0xA1, 0xA9), (0xAB, 0xAC), (0xAE, 0xB1), (0xB4, 0xB4), (0xB6, 0xB8), (0xBB, 0xBB),
    (0xBF, 0xBF), (0xD7, 0xD7), (0xF7, 0xF7), (0x2010, 0x2027), (0x2030, 0x203E),
    (0x2041, 0x2053),
    (0x2055, 0x205E), (0x20A0, 0x20BD), (0x2190, 0x23FA), (0x2500, 0x2775),
    (0x2794, 0x2B73), (0x3001, 0x3003), (0x3008, 0x3020), (0x1F300, 0x1F64F),
]  # fmt: skip
"""Beyond ASCII, and neither letter, mark, number nor space to anybody."""
_LETTERS: Ranges = [
    (0xA1, 0x2FF), (0x370, 0x377), (0x37A, 0x37F), (0x384, 0x38A), (0x391, 0x3A1),
    (0x3A3, 0x52F), (0x5D0, 0x5EA), (0x620, 0x64A), (0x1E00, 0x1F15), (0x3041, 0x3096),
    (0x30A1, 0x30FA), (0x4E00, 0x9FD5), (0xAC00, 0xD7A3),
]  # fmt: skip
"""Beyond ASCII, and no digit to anybody, though some are numbers: what is written."""
_DISPUTED: Ranges = [
    (0x0B, 0x0B), (0x1C, 0x1F), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680),
    (0x180E, 0x180E), (0x2000, 0x200B), (0x2028, 0x2029), (0x202F, 0x202F),
    (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF),
]  # fmt: skip
"""Spaces in some readers and not in others."""


def one_of(ranges: Ranges) -> str:
    """Give an expression for one character of a class, "" where none can be written."""
    choices = []
    plain = joined(overlap(ranges, PLAIN))
    if plain:
        choices.append(char_class(plain))
    for code, escape in _ESCAPES.items():
        if overlap([(code, code)], ranges):
            choices.append(escape)
    return " | ".join(choices) if len(choices) < 2 else f"({' | '.join(choices)})"


def joined(ranges: Ranges) -> Ranges:
    """Join ranges that touch."""
    found: Ranges = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return found


def subtract(ranges: Ranges, taken: Ranges) -> Ranges:
    """Give what is in `ranges` and not in `taken`."""
    for low, high in taken:
        left: Ranges = []
        for start, stop in ranges:
            if start < low:
                left.append((start, min(stop, low - 1)))
            if stop > high:
                left.append((max(start, high + 1), stop))
        ranges = [part for part in left if part[0] <= part[1]]
    return ranges


def overlap(ranges: Ranges, others: Ranges) -> Ranges:
    """Give what is in both."""
    found = {
        (max(a, c), min(b, d))
        for a, b in ranges
        for c, d in others
        if max(a, c) <= min(b, d)
    }
    return sorted(found)


_ASCII: Ranges = [(0, 0x7F)]
NOT_DIGITS = joined([*subtract(_ASCII, DIGITS), *_LETTERS, *_SYMBOLS])
NOT_WORDS = joined([*subtract(_ASCII, WORDS), *_SYMBOLS])
NOT_SPACES = subtract(ALL, [*SPACES, *_DISPUTED])
"""What no reader takes for a digit, part of a word, a space: those of Unicode are out,
and places where a later Unicode may have one."""
