"""How much a grammar lets a model write, and the error for what it cannot hold.

A grammar without bounds lets a small model write a string that never ends; one with
bounds ends every answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from agi_agent import _errors


@dataclass(frozen=True)
class Caps:
    """Upper bounds that hold where the schema names none of its own.

    Attributes:
        string: Characters of a string.
        array: Elements of an array.
        members: Members of an object whose names are free.
        digits: Digits before the point of a number.
        fraction: Digits behind it.
        depth: Levels of a value whose schema says nothing.
        recursion: How often a `$ref` may be inside of itself.
        repeat: `*` and `+` in a `pattern`.
    """

    string: int = 16_384
    array: int = 128
    members: int = 32
    digits: int = 15
    fraction: int = 10
    depth: int = 4
    recursion: int = 4
    repeat: int = 256


class UnsupportedSchemaError(_errors.InvalidRequestError):
    """The schema asks for something that no grammar of ours enforces."""

    def __init__(self, what: str, place: str, owner: str = "the schema") -> None:
        """Name what, and where in whose schema (a JSON pointer)."""
        where = f"`{place}`" if place else "the top"
        super().__init__(
            f"a local model cannot be held to {what} (at {where} of {owner})",
            "leave it out of the schema, or use a remote model",
        )
        self.what = what
        self.place = place


class ImpossibleError(Exception):
    """No value meets this part of a schema; optional parts are left out then."""

    def __init__(self, why: str, place: str) -> None:
        """Say why, and where in the schema."""
        super().__init__(why)
        self.why = why
        self.place = place
