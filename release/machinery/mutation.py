"""A defence that `release/mutate` switches off, as edits of a copy of the sources.

An edit replaces a text that stands exactly once in its file. `OFF` in the new text is true while
the mutation of that name is chosen, so that one build holds all of them; `ANY` while any of them
is. No edit is ever made in a checkout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """One replacement: `old` stands once in `path`."""

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutation:
    """A defence that is switched off, and the tests of `tests/cli` that have to see it.

    `judges` are tests of `tests/rust` that have to see it as well: they hold the library in
    themselves, and judge what the fuzzer has kept.
    """

    name: str
    defence: str
    tests: Sequence[str]
    edits: Sequence[Edit] = ()
    #: What it holds, it holds against an ordinary user: the tests run as root and as one.
    every_user: bool = False
    judges: Sequence[str] = ()
