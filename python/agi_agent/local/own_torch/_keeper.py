"""Keeps an answer to its grammar: of the tokens in the race only those stay that fit.

The kernel has this in C++. Here our own matcher is asked: first about the likeliest
tokens, which is enough inside of strings, then about all that begin with a byte that
the grammar allows, which is little where it wants a certain word.
"""

from __future__ import annotations

import re

from agi_agent.local.grammar._matcher import Grammar, Matcher
from agi_agent.local.own_torch._pieces import span, split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from agi_agent.local._hold import Hold
    from agi_agent.local.own_torch._pieces import Pieces

_LIKELIEST = 256
"""Tokens that are asked about first."""
_ENOUGH = 64
"""Tokens that stay in the race; sampling looks at fewer."""


class Keeper:
    """A place in an answer and what may come next; a `LogitsProcessor`."""

    def __init__(
        self, held: Hold, pieces: Pieces, ends: frozenset[int], start: int
    ) -> None:
        """Stand before the first token of the answer.

        Args:
            held: The grammar, and where it begins.
            pieces: What tokens write.
            ends: Tokens that end an answer.
            start: Tokens of the prompt.
        """
        self._grammar = Grammar(held.grammar)
        self._triggers = [re.compile(text) for text in held.triggers]
        self._pieces, self._ends = pieces, ends
        self._seen = start
        self._matcher = None if held.triggers else Matcher(self._grammar)
        self._free = ""
        self._begun = b""
        self._lost = False

    def __call__(self, tokens: Any, scores: Any) -> Any:
        """Set what is not allowed to minus infinity."""
        for token in tokens[0, self._seen :].tolist():
            self._take(token)
        self._seen = tokens.shape[1]
        if self._matcher is None:
            return scores
        allowed = self._allowed(self._matcher, scores[0])
        if not allowed:
            # The vocabulary has no way on: the answer ends, and is mended or refused.
            allowed = sorted(self._ends)
        masked = scores.new_full(scores.shape, float("-inf"))
        # An end is never impossible, even if the model thinks so.
        masked[0, allowed] = scores[0, allowed].clamp(min=-1e9)
        return masked

    def ending(self) -> str:
        """Give the shortest text that completes the answer so far."""
        return "" if self._matcher is None else self._matcher.ending()

    def _take(self, token: int) -> None:
        """Go on by a token that was chosen."""
        if token in self._ends or self._lost:
            return
        parts = split(self._begun + self._pieces.of(token))
        text, self._begun = parts if parts is not None else ("\ufffd", b"")
        if self._matcher is None:
            self._free += text
            self._begin()
        elif not self._matcher.feed(text):
            self._matcher, self._lost = None, True

    def _begin(self) -> None:
        """Let the grammar hold where what was written says so."""
        for trigger in self._triggers:
            match = trigger.search(self._free)
            if match is None:
                continue
            matcher = Matcher(self._grammar)
            if matcher.feed(self._free[match.start(match.lastindex or 0) :]):
                self._matcher = matcher
            else:
                # What began a call was none: it is read as text.
                self._lost = True
            return

    def _allowed(self, matcher: Matcher, scores: Any) -> list[int]:
        count = min(_LIKELIEST, scores.shape[0])
        allowed = self._fitting(matcher, scores.topk(count).indices.tolist())
        if allowed:
            return allowed
        candidates = [t for first in self._firsts(matcher) for t in first]
        candidates.sort(key=scores.tolist().__getitem__, reverse=True)
        return self._fitting(matcher, candidates)

    def _firsts(self, matcher: Matcher) -> Iterable[list[int]]:
        """All tokens whose first byte may come next."""
        bytes_: set[int] = set()
        if self._begun:
            bytes_.update(range(0x80, 0xC0))
        else:
            for ranges in matcher.choices():
                for low, high in ranges:
                    first, last = (_utf8(code)[0] for code in (low, high))
                    bytes_.update(range(first, last + 1))
        return [self._pieces.beginning(byte) for byte in sorted(bytes_)]

    def _fitting(self, matcher: Matcher, tokens: list[int]) -> list[int]:
        found = []
        for token in tokens:
            if self._fits(matcher, token):
                found.append(token)
                if len(found) >= _ENOUGH:
                    break
        if matcher.complete and not self._begun:
            found += self._ends.difference(found)
        return found

    def _fits(self, matcher: Matcher, token: int) -> bool:
        if token in self._ends:
            return False
        piece = self._pieces.of(token)
        parts = split(self._begun + piece)
        if not piece or parts is None:
            return False
        text, begun = parts
        after = matcher.copy()
        if not after.feed(text):
            return False
        if not begun:
            return True
        low, high = span(begun)
        return any(
            first <= high and low <= last
            for ranges in after.choices()
            for first, last in ranges
        )


def _utf8(code: int) -> bytes:
    return chr(code).encode("utf-8", "surrogatepass")
