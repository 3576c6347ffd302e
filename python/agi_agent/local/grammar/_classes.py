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
