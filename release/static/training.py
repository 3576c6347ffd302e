"""What the static CPython is trained with: gcc lays it out and inlines by what runs here.

Run once by CPython's Makefile, by an interpreter that counts. It has to be self-contained
(its text is part of the build's key, that of `python/` must not be) and to give the same
counts each time: no clock, no random number. What does not run here is compiled as without
training (`-fprofile-partial-training`), so this is a list of what should be fast: starting,
and what adapters, templates, grammars and people's scripts do.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import hashlib
import itertools
import json
import re
import string
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

#: Starts of a process: half of a short run's work.
STARTS = 40
ROUNDS = 300

#: Like a request with its tools: strings of a sentence, some with what has to be escaped.
CONVERSATION: list[dict[str, Any]] = [
    {
        "role": ("user", "assistant", "tool")[at % 3],
        "parts": [
            {"type": "text", "text": f'line {at}\n\t"quoted" \\ and ä, 漢, 😀 ' + "word " * at},
            {"type": "tool_call", "id": f"call_{at}", "arguments": '{"command":"ls -l"}'},
        ],
        "usage": {"input_tokens": at, "cost": at / 7, "cached": None, "whole": at % 2 == 0},
    }
    for at in range(30)
]


def starts() -> None:
    """Start with and without `site`, with and without the modules that scripts begin with."""
    imports = "import argparse, ast, asyncio, csv, datetime, decimal, logging, pathlib, random"
    for at in range(STARTS):
        code = imports if at % 8 == 0 else "import json, re" if at % 4 == 0 else "pass"
        # Not isolated: the order of sets is told by the environment.
        flags = ["-s", "-P", "-B"] if at % 2 else ["-s", "-P", "-S", "-B"]
        subprocess.run([sys.executable, *flags, "-c", code], check=True)


def messages() -> None:
    """Read and write JSON, as adapters do."""
    for _ in range(ROUNDS):
        text = json.dumps(CONVERSATION, ensure_ascii=False, separators=(",", ":"))
        kept = []
        for message in json.loads(text):
            if message.get("role") == "assistant":
                kept.append("".join(p["text"] for p in message["parts"] if p["type"] == "text"))
            elif isinstance(message.get("usage"), dict):
                kept.append(str(message["usage"].get("input_tokens", 0)))
        "\n".join(kept).encode("utf-8").decode("utf-8")


def texts() -> None:
    """Take text apart and put it together."""
    word = re.compile(r"(?P<name>[A-Za-z_]\w*)\s*=\s*(?P<value>\d+|\"[^\"]*\")")
    text = "\n".join(f'name_{at} = {at} and other_{at} = "value {at}"' for at in range(200))
    for _ in range(ROUNDS // 6):
        found = {match["name"]: match["value"].strip('"') for match in word.finditer(text)}
        lines = [line.split() for line in text.splitlines() if line.startswith("name")]
        counted = collections.Counter(itertools.chain.from_iterable(lines))
        ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
        filled = string.Template("$first of $all").substitute(first=ranked[0][0], all=len(found))
        filled.replace("a", "b").upper().casefold().partition(" ")
        f"{len(filled):>8,} {found['name_7']!r:<10} {3.25:.3f}".encode()
        hashlib.sha256(text.encode()).hexdigest()


@dataclasses.dataclass
class Rule:
    """A node, as grammars and plans are made of."""

    name: str
    parts: list[Rule | str] = dataclasses.field(default_factory=list)

    def words(self) -> Iterator[str]:
        """Yield the leaves."""
        for part in self.parts:
            if isinstance(part, Rule):
                yield from part.words()
            else:
                yield part

    @property
    def size(self) -> int:
        """Count them."""
        return sum(1 for _ in self.words())


def objects() -> None:
    """Call, yield, raise, compare: what programs consist of."""

    @functools.cache
    def ways(total: int, least: int = 1) -> int:
        return 1 if total == 0 else sum(ways(total - n, n) for n in range(least, total + 1))

    def checked(value: str) -> int:
        try:
            return int(value)
        except ValueError as error:
            return len(str(error))

    for at in range(ROUNDS):
        tree = Rule("top", [Rule(f"r{n}", [str(n), *map(str, range(n))]) for n in range(12)])
        seen = {name: set(name) & set("0123456789") for name in tree.words()}
        total = tree.size + sum(map(checked, ["1", "x", str(at), *seen]))
        low, high = divmod(total * 2**70 + at, 10**9)
        grid = [[row * column % 7 for column in range(20)] for row in range(20)]
        flat = [value for row in grid for value in row if value and not value & 1]
        {"low": low, "high": high, **{str(n): n for n in flat[:9]}}
        list(zip(flat, reversed(flat), strict=True))[at % 5 :: 3]
        total = 0
        while total < 500:
            total += flat[total % len(flat)] or 1
    ways.cache_clear()
    ways(24)


def main() -> None:
    """Do all of it."""
    tasks: list[Callable[[], None]] = [starts, messages, texts, objects]
    for task in tasks:
        task()


if __name__ == "__main__":
    main()
