"""How the tables of words in this package are written: as running text.

A leaf module: knows no word itself.
"""

from __future__ import annotations


def words(text: str) -> tuple[str, ...]:
    """The words of a text."""
    return tuple(text.split())


def phrases(text: str) -> tuple[str, ...]:
    """The phrases of a text, which `|` separates."""
    return tuple(" ".join(phrase.split()) for phrase in text.split("|"))
