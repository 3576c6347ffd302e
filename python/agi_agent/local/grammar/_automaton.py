"""Regular expressions as automata, for patterns that can be read in several ways.

A kernel follows every reading of a text at once, so `^(a+b?)+$` would double them
with each letter. Here such a pattern becomes a deterministic automaton and that a
right-linear grammar: one reading, whatever the pattern. Knows regular expressions and
rules, no JSON Schema beyond the lengths of a string.
"""

from __future__ import annotations

from itertools import pairwise
from re import _constants as op  # type: ignore[attr-defined]

from agi_agent.local.grammar._caps import ImpossibleError, UnsupportedSchemaError
from agi_agent.local.grammar._classes import ALL, WRITABLE, one_of, overlap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from agi_agent.local.grammar._classes import Ranges
    from agi_agent.local.grammar._rules import Rules

_PARTS = 4000
"""States of the automaton that may be in several states at once."""
_STATES = 500
"""States of the deterministic one."""
_RULES = 2000
"""Rules of one pattern, where its texts have to be counted."""
_MOST_RULES = 40_000


class Automaton:
    """What a pattern finds in a text, as states that a text leads through."""

    def __init__(
        self, tree: Any, ranges_of: Callable[[Any, Any], Ranges], place: str
    ) -> None:
        """Take a parsed pattern, which may begin and end anywhere in a text.

        Raises:
            UnsupportedSchemaError: The pattern is too large, or no regular language.
        """
        self._ranges_of = ranges_of
        self._place = place
        self._steps: list[list[tuple[Ranges, int]]] = []
        self._free: list[list[tuple[str, int]]] = []
        start = self._state()
        self._steps[start].append((ALL, start))
        first = self._state()
        self._free[start].append(("", first))
        self._final = self._sequence(tree, first)
        self._steps[self._final].append((ALL, self._final))

    def matches(self, text: str) -> bool:
        """Say whether the pattern is found in a text."""
        reached = self._closure({0}, "^")
        for character in text:
            code = ord(character)
            following = {
                target
                for state in reached
                for ranges, target in self._steps[state]
                if any(low <= code <= high for low, high in ranges)
            }
            reached = self._closure(following, "")
        return self._final in self._closure(set(reached), "$" if text else "^$")

    def expression(
        self, rules: Rules, least: int, most: int | None, repeat: int
    ) -> str:
        """Give an expression for the texts of a JSON string that the pattern is in.

        Args:
            rules: Where rules are added.
            least: Characters of a text at least.
            most: And at most; None leaves it to us.
            repeat: Characters beyond the shortest text where `most` is None.
        """
        return _Counted(*self._deterministic(), self._place).expression(
            rules, least, most, repeat
        )

    def _state(self) -> int:
        if len(self._steps) >= _PARTS:
            raise UnsupportedSchemaError("a `pattern` this large", self._place)
        self._steps.append([])
        self._free.append([])
        return len(self._steps) - 1

    def _sequence(self, tree: Any, at: int) -> int:
        for kind, value in tree:
            at = self._item(kind, value, at)
        return at

    def _item(self, kind: Any, value: Any, at: int) -> int:
        if kind is op.SUBPATTERN:
            _, on, off, inner = value
            if on or off:
                what = "a flag inside `pattern`"
                raise UnsupportedSchemaError(what, self._place)
            return self._sequence(inner, at)
        if kind is op.BRANCH:
            end = self._state()
            for branch in value[1]:
                self._free[self._sequence(branch, at)].append(("", end))
            return end
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT):
            low, high, inner = value
            return self._repeated(low, high, inner, at)
        following = self._state()
        if kind is op.AT and value in (op.AT_BEGINNING, op.AT_BEGINNING_STRING):
            self._free[at].append(("^", following))
        elif kind is op.AT and value in (op.AT_END, op.AT_END_STRING):
            self._free[at].append(("$", following))
        elif kind in (op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN):
            self._steps[at].append((self._ranges_of(kind, value), following))
        else:
            what = f"`{str(kind).lower().replace('_', ' ')}` inside `pattern`"
            raise UnsupportedSchemaError(what, self._place)
        return following

    def _repeated(self, low: int, high: Any, inner: Any, at: int) -> int:
        for _ in range(low):
            # A new state each time: what repeats nothing must not repeat for ever.
            self._free[at].append(("", self._state()))
            at = self._sequence(inner, self._free[at][-1][1])
        end = self._state()
        if high is op.MAXREPEAT:
            self._free[at].append(("", end))
            self._free[self._sequence(inner, end)].append(("", end))
            return end
        for _ in range(high - low):
            self._free[at].append(("", end))
            self._free[at].append(("", self._state()))
            at = self._sequence(inner, self._free[at][-1][1])
        self._free[at].append(("", end))
        return end

    def _closure(self, states: set[int] | frozenset[int], marks: str) -> frozenset[int]:
        """What is reached without a character; `^` and `$` where they hold."""
        found = set(states)
        waiting = list(found)
        while waiting:
            for mark, target in self._free[waiting.pop()]:
                if mark in marks and target not in found:
                    found.add(target)
                    waiting.append(target)
        return frozenset(found)

    def _deterministic(self) -> tuple[list[dict[int, Ranges]], set[int]]:
        """Steps by target for each state, the first being where texts begin."""
        start = self._closure({0}, "^")
        # The beginning is no place that a text comes back to: `^` holds there.
        known: dict[tuple[frozenset[int], bool], int] = {(start, True): 0}
        waiting = [(start, True)]
        steps: list[dict[int, Ranges]] = []
        accepting = set()
        for states, begins in waiting:
            if self._final in self._closure(states, "^$" if begins else "$"):
                accepting.add(len(steps))
            outward: dict[int, Ranges] = {}
            for ranges, targets in self._split(states):
                key = (self._closure(targets, ""), False)
                if key not in known:
                    if len(known) >= _STATES:
                        what = f"a `pattern` that takes more than {_STATES} states"
                        raise UnsupportedSchemaError(what, self._place)
                    known[key] = len(known)
                    waiting.append(key)
                outward.setdefault(known[key], []).append(ranges)
            steps.append(outward)
        return steps, accepting

    def _split(
        self, states: frozenset[int]
    ) -> list[tuple[tuple[int, int], frozenset[int]]]:
        """Cut the steps of several states so that each piece has one set of targets."""
        edges = [
            (low, high, target)
            for state in states
            for ranges, target in self._steps[state]
            for low, high in overlap(ranges, WRITABLE)
        ]
        cuts = sorted({e[0] for e in edges} | {e[1] + 1 for e in edges})
        pieces = []
        for low, after in pairwise(cuts):
            targets = frozenset(t for a, b, t in edges if a <= low <= b)
            if targets:
                pieces.append(((low, after - 1), targets))
        return pieces


class _Counted:
    """A deterministic automaton on its way into rules that end."""

    def __init__(
        self, steps: list[dict[int, Ranges]], accepting: set[int], place: str
    ) -> None:
        self._place = place
        self._accepting = accepting
        useful = self._useful(steps)
        self._steps = [
            {target: ranges for target, ranges in outward.items() if target in useful}
            for outward in steps
        ]
        self._count = max(1, len(useful))

    def _useful(self, steps: list[dict[int, Ranges]]) -> set[int]:
        """The states from which a text can still end well."""
        before: list[list[int]] = [[] for _ in steps]
        for state, outward in enumerate(steps):
            for target in outward:
                before[target].append(state)
        found = set(self._accepting)
        waiting = list(found)
        while waiting:
            for state in before[waiting.pop()]:
                if state not in found:
                    found.add(state)
                    waiting.append(state)
        return found

    def expression(
        self, rules: Rules, least: int, most: int | None, repeat: int
    ) -> str:
        """Give an expression for its texts of so many characters."""
        layers = self._layers(least, most, repeat)
        texts: dict[int, str] = {}
        for length in range(len(layers) - 1, -1, -1):
            here: dict[int, str] = {}
            for state in sorted(layers[length]):
                choices = [
                    one_of(ranges)
                    + ("" if texts[target] == '""' else f" {texts[target]}")
                    for target, ranges in self._steps[state].items()
                    if target in texts
                ]
                if state in self._accepting and length >= least:
                    choices.append('""')
                if choices:
                    body = " | ".join(choices)
                    here[state] = body if body == '""' else rules.add("text", body)
            texts = here
        return texts[0]

    def _layers(self, least: int, most: int | None, repeat: int) -> list[set[int]]:
        """The states that texts of 0, 1, 2, … characters lead to, as far as we go."""
        layers = [{0}]
        end: int | None = None
        shortest: int | None = None
        while layers[-1] and (end is None or len(layers) <= end):
            length = len(layers) - 1
            if most is not None and length > most:
                break
            if shortest is None and length >= least and layers[-1] & self._accepting:
                shortest = length
                room = max(repeat, 1) if most is None else most - shortest
                end = shortest + min(room, max(_RULES // self._count - shortest, 0))
                if len(layers) > end:
                    break
            if sum(map(len, layers)) > _MOST_RULES:
                what = "a `pattern` whose texts are this long"
                raise UnsupportedSchemaError(what, self._place)
            layers.append({t for state in layers[-1] for t in self._steps[state]})
        if shortest is None:
            why = "no text has this `pattern`, or none of this length"
            raise ImpossibleError(why, self._place)
        return [layer for layer in layers if layer]
