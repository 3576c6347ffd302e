"""Reads GBNF and follows a text through it: what may come next, what would end it.

The kernel has its own, which masks tokens. This one serves where the tokens have run
out in the middle of an answer (the shortest ending makes it whole), and the tests, as a
second reading of the same grammar.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    Ranges = tuple[tuple[int, int], ...]
    # A class of code points, or the name of a rule.
    Symbol = Ranges | str
    Sequence = tuple[Symbol, ...]
    # What is still to come: a sequence, and what follows it.
    Stack = tuple[Sequence, "Stack"] | None

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_LAST = 0x10FFFF


class Grammar:
    """A grammar as rules: each a list of alternatives, each a list of symbols."""

    def __init__(self, text: str) -> None:
        """Read GBNF with one rule per line.

        Raises:
            ValueError: It is not GBNF, or names a rule that is not there.
        """
        self.rules: dict[str, list[Sequence]] = {}
        self._made = 0
        for line in text.splitlines():
            if line.strip():
                name, arrow, body = line.partition("::=")
                if not arrow:
                    message = f"not a rule: `{line}`"
                    raise ValueError(message)
                self.rules[name.strip()] = _Reader(body, self).alternatives()
        self._check()
        self.shortest = self._shortest()

    def add(self, alternatives: list[Sequence]) -> str:
        """Add a rule without a name of its own; gives the name it got."""
        self._made += 1
        name = f"({self._made})"
        self.rules[name] = alternatives
        return name

    def _check(self) -> None:
        for name, alternatives in self.rules.items():
            for symbol in (s for sequence in alternatives for s in sequence):
                if isinstance(symbol, str) and symbol not in self.rules:
                    message = f"rule `{name}` names `{symbol}`, which is not there"
                    raise ValueError(message)

    def _shortest(self) -> dict[str, str]:
        """The shortest text of each rule."""
        found: dict[str, str] = {}
        changed = True
        while changed:
            changed = False
            for name, alternatives in self.rules.items():
                for sequence in alternatives:
                    text = shortest_of(sequence, found)
                    if text is not None and len(text) < len(
                        found.get(name, text + "x")
                    ):
                        found[name] = text
                        changed = True
        return found


def shortest_of(sequence: Sequence, known: dict[str, str]) -> str | None:
    """Give the shortest text of a sequence, None where a rule in it has none yet."""
    text = ""
    for symbol in sequence:
        if isinstance(symbol, str):
            if symbol not in known:
                return None
            text += known[symbol]
        else:
            text += _sample(symbol)
    return text


def _sample(ranges: Ranges) -> str:
    """One character of a class; a letter or digit where there is one."""
    for start in (0x61, 0x30, 0x20):
        for low, high in ranges:
            if low <= start <= high:
                return chr(start)
    return chr(ranges[0][0])


class Matcher:
    """A place in a grammar, reached by the text so far."""

    def __init__(self, grammar: Grammar) -> None:
        """Stand at the beginning."""
        self._grammar = grammar
        self._stacks: set[Stack] = set()
        self._expand([(("root",), None)], self._stacks)

    def feed(self, text: str) -> bool:
        """Go on by a text; False, and no step is taken, where it cannot come here."""
        stacks = self._stacks
        for character in text:
            code = ord(character)
            reached: set[Stack] = set()
            follow: list[Stack] = [
                (stack[0][1:], stack[1])
                for stack in stacks
                if stack is not None and _holds(stack[0][0], code)
            ]
            self._expand(follow, reached)
            if not reached:
                return False
            stacks = reached
        self._stacks = stacks
        return True

    @property
    def complete(self) -> bool:
        """Whether the text so far is one of the grammar's."""
        return None in self._stacks

    def copy(self) -> Matcher:
        """Give another one at the same place."""
        other = Matcher.__new__(Matcher)
        other._grammar = self._grammar
        other._stacks = self._stacks
        return other

    def choices(self) -> list[Ranges]:
        """Give the classes of characters that may come next."""
        found = {stack[0][0] for stack in self._stacks if stack is not None}
        return [symbol for symbol in found if not isinstance(symbol, str)]

    def ending(self) -> str:
        """Give the shortest text that makes the text so far one of the grammar's."""
        endings = []
        for stack in self._stacks:
            text = ""
            rest = stack
            while rest is not None:
                text += shortest_of(rest[0], self._grammar.shortest) or ""
                rest = rest[1]
            endings.append(text)
        return min(endings, key=lambda text: (len(text), text))

    def _expand(self, waiting: list[Stack], reached: set[Stack]) -> None:
        """Replace rules at the front by what they stand for."""
        seen = set(waiting)
        while waiting:
            stack = waiting.pop()
            while stack is not None and not stack[0]:
                stack = stack[1]
            if stack is None:
                reached.add(None)
                continue
            symbol = stack[0][0]
            if not isinstance(symbol, str):
                reached.add(stack)
                continue
            rest = stack[0][1:]
            after = (rest, stack[1]) if rest else stack[1]
            for sequence in self._grammar.rules[symbol]:
                following: Stack = (sequence, after) if sequence else after
                if following not in seen:
                    seen.add(following)
                    waiting.append(following)


def _holds(symbol: Symbol, code: int) -> bool:
    if isinstance(symbol, str):
        return False
    return any(low <= code <= high for low, high in symbol)


class _Reader:
    """The right side of one rule."""

    def __init__(self, text: str, grammar: Grammar) -> None:
        self._text = text
        self._at = 0
        self._grammar = grammar

    def alternatives(self) -> list[Sequence]:
        found = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            found.append(self._sequence())
        if self._peek() not in ("", ")"):
            raise self._wrong()
        return found

    def _peek(self) -> str:
        while self._at < len(self._text) and self._text[self._at] in " \t":
            self._at += 1
        return self._text[self._at : self._at + 1]

    def _sequence(self) -> Sequence:
        symbols: list[Symbol] = []
        while self._peek() not in ("", "|", ")"):
            symbols += self._repeated(self._item())
        return tuple(symbols)

    def _item(self) -> list[Symbol]:
        start = self._peek()
        self._at += 1
        if start == '"':
            symbols: list[Symbol] = []
            while self._text[self._at : self._at + 1] != '"':
                code = self._character()
                symbols.append(((code, code),))
            self._at += 1
            return symbols
        if start == "[":
            return [self._class()]
        if start == "(":
            name = self._grammar.add(self.alternatives())
            if self._peek() != ")":
                raise self._wrong()
            self._at += 1
            return [name]
        end = self._at
        while self._text[end : end + 1].isalnum() or self._text[end : end + 1] == "-":
            end += 1
        name = self._text[self._at - 1 : end]
        if not name[:1].isalnum():
            raise self._wrong()
        self._at = end
        return [name]

    def _class(self) -> Ranges:
        negated = self._text[self._at : self._at + 1] == "^"
        self._at += negated
        found = []
        while self._text[self._at : self._at + 1] != "]":
            low = high = self._character()
            if self._text[self._at : self._at + 1] == "-":
                self._at += 1
                high = self._character()
            found.append((low, high))
        self._at += 1
        if not negated:
            return tuple(found)
        left, start = [], 0
        for low, high in sorted(found):
            if start < low:
                left.append((start, low - 1))
            start = max(start, high + 1)
        return (*left, (start, _LAST))

    def _character(self) -> int:
        text = self._text[self._at : self._at + 1]
        self._at += 1
        if text != "\\":
            if not text:
                raise self._wrong()
            return ord(text)
        kind = self._text[self._at : self._at + 1]
        self._at += 1
        digits = {"x": 2, "u": 4, "U": 8}.get(kind)
        if digits is None:
            return ord(_ESCAPES.get(kind, kind))
        self._at += digits
        return int(self._text[self._at - digits : self._at], 16)

    def _repeated(self, item: list[Symbol]) -> list[Symbol]:
        """What `*`, `+`, `?` or `{m,n}` behind an item makes of it."""
        mark = self._text[self._at : self._at + 1]
        if mark not in ("*", "+", "?", "{"):
            return item
        self._at += 1
        least, most = {"*": (0, -1), "+": (1, -1), "?": (0, 1)}.get(mark, (0, 0))
        if mark == "{":
            end = self._text.index("}", self._at)
            low, comma, high = self._text[self._at : end].partition(",")
            self._at = end + 1
            least = int(low)
            most = (int(high) if high.strip() else -1) if comma else least
        body = tuple(item)
        if most < 0:
            name = self._grammar.add([])
            self._grammar.rules[name] = [(*body, name), ()]
            return [*(body * least), name]
        rest: Sequence = ()
        for _ in range(most - least):
            rest = (self._grammar.add([(*body, *rest), ()]),)
        return [*(body * least), *rest]

    def _wrong(self) -> ValueError:
        return ValueError(f"not GBNF at character {self._at}: `{self._text}`")
