"""Listed texts: what several begin with is written once.

A kernel follows each alternative that the text so far fits, and looks for equal ones
among them: 20,000 values side by side cost it seconds, a tree of them nothing.
"""

from __future__ import annotations

from agi_agent.local.grammar._rules import literal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from agi_agent.local.grammar._rules import Rules


def one_of(rules: Rules, texts: Iterable[str]) -> str:
    """Give an expression for any of some texts, one at least."""
    ordered = sorted(set(texts))
    # Places where texts part: after how many characters, and what may follow there.
    places: list[tuple[int, list[str]]] = [(0, [])]
    for text, following in zip(ordered, [*ordered[1:], ""], strict=True):
        shared = _shared(text, following)
        end, rest = len(text), '""'
        while places[-1][0] > shared:
            begin, parts = places.pop()
            parts.append(_joined(text[begin:end], rest))
            end, rest = begin, _either(rules, parts)
        if places[-1][0] < shared:
            places.append((shared, []))
        places[-1][1].append(_joined(text[shared:end], rest))
    return _either(rules, places[0][1])


def _shared(one: str, other: str) -> int:
    """How many characters two texts begin with together."""
    pairs = enumerate(zip(one, other, strict=False))
    differs = (place for place, (a, b) in pairs if a != b)
    return next(differs, min(len(one), len(other)))


def _joined(text: str, rest: str) -> str:
    if not text:
        return rest
    return literal(text) if rest == '""' else f"{literal(text)} {rest}"


def _either(rules: Rules, parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else rules.add("word", " | ".join(parts))
