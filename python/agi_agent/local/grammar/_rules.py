"""Rules of a GBNF grammar while it is put together: names, repetition, literals.

Everything is written in llama.cpp's GBNF. Equal bodies share one rule, so that a schema
that says the same thing in ten places costs it once. Knows no JSON Schema.
"""

from __future__ import annotations

_CHUNK = 64
"""Repetitions longer than this are built of chunks: llama.cpp expands `{m,n}` to one
rule per step, and refuses more than 2,000."""

_MOST = 2 << 20
"""Characters of a grammar: what a kernel reads in well below a second."""


class TooLargeError(Exception):
    """A grammar has grown beyond what kernels read."""


class Rules:
    """The rules of one grammar, in the order they were made."""

    def __init__(self) -> None:
        """Start without any rule."""
        self._bodies: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._numbers: dict[str, int] = {}
        self._size = 0

    def add(self, hint: str, body: str) -> str:
        """Give the name of a rule with this body, a new one where there is none.

        Raises:
            TooLargeError: The grammar has grown too large.
        """
        known = self._names.get(body)
        if known is not None:
            return known
        stem = "".join(c if c.isascii() and c.isalnum() else "-" for c in hint)
        stem = stem.strip("-") or "rule"
        number = self._numbers.get(stem, 0) + 1
        name = stem if number == 1 else f"{stem}-{number}"
        while name in self._bodies or name == "root":
            number += 1
            name = f"{stem}-{number}"
        self._numbers[stem] = number
        self._size += len(name) + len(body) + 6
        if self._size > _MOST:
            raise TooLargeError
        self._bodies[name] = body
        self._names[body] = name
        return name

    def text(self, root: str) -> str:
        """Give the whole grammar, with `root` as the body of the rule `root`."""
        lines = [f"root ::= {root}"]
        lines += [f"{name} ::= {body}" for name, body in self._bodies.items()]
        return "\n".join(lines) + "\n"

    def repeat(self, hint: str, item: str, least: int, most: int) -> str:
        """Give an expression for `item`, at least and at most so many times.

        Args:
            hint: For the names of helping rules.
            item: A rule's name, a literal or a class: one symbol.
            least: 0 or more.
            most: Not below `least`.
        """
        if most <= 0:
            return '""'
        if most <= _CHUNK:
            if (least, most) == (1, 1):
                return item
            if (least, most) == (0, 1):
                return f"{item}?"
            return f"{item}{{{least},{most}}}" if least < most else f"{item}{{{most}}}"
        if least > 0:
            fixed = self._exactly(hint, item, least)
            rest = most - least
            return f"{fixed} {self.repeat(hint, item, 0, rest)}" if rest else fixed
        chunk = self.add(f"{hint}-64", f"{item}{{{_CHUNK}}}")
        full, rest = divmod(most, _CHUNK)
        head = self.repeat(f"{hint}-some", chunk, 0, full - 1)
        tail = f"{item}{{0,{_CHUNK - 1}}}"
        last = f"{self._exactly(hint, chunk, full)} {self.repeat(hint, item, 0, rest)}"
        body = f"{head} {tail} | {last}"
        return self.add(f"{hint}-upto-{most}", body)

    def _exactly(self, hint: str, item: str, count: int) -> str:
        if count <= _CHUNK:
            return item if count == 1 else f"{item}{{{count}}}"
        chunk = self.add(f"{hint}-64", f"{item}{{{_CHUNK}}}")
        full, rest = divmod(count, _CHUNK)
        text = self._exactly(f"{hint}-many", chunk, full)
        return f"{text} {self._exactly(hint, item, rest)}" if rest else text


def literal(text: str) -> str:
    """Write a text as a GBNF literal."""
    return '"' + "".join(_escaped(c, '"\\') for c in text) + '"'


def char_class(ranges: list[tuple[int, int]]) -> str:
    """Write ranges of code points (both ends included) as a GBNF class."""
    parts = []
    for low, high in ranges:
        start, stop = (_escaped(chr(end), "]\\^-[") for end in (low, high))
        parts.append(start if low == high else f"{start}-{stop}")
    return "[" + "".join(parts) + "]"


def _escaped(character: str, special: str) -> str:
    code = ord(character)
    if 0x20 <= code < 0x7F:
        # GBNF knows no `\-` and no `\^`: these two go by number.
        if character in "-^" and "^" in special:
            return f"\\x{code:02X}"
        return f"\\{character}" if character in special else character
    if code <= 0xFF:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"
