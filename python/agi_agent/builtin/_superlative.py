"""The words for the largest, smallest, newest and oldest."""

from __future__ import annotations

from agi_agent.builtin._vocabulary import phrases

NEWEST = phrases(
    """
    most recently modified | most recently changed | most recently edited |
    most recently updated | last modified | last changed | last edited | last updated
    """
)
# What each word sorts by, and whether the first one has the most.
SUPERLATIVES = {
    **dict.fromkeys(("largest", "biggest", "heaviest"), ("size", True)),
    "smallest": ("size", False),
    **dict.fromkeys(("newest", "latest", "most recent", *NEWEST), ("modified", True)),
    "oldest": ("modified", False),
    "least recently modified": ("modified", False),
    "least recently changed": ("modified", False),
    "longest": ("lines", True),
    "shortest": ("lines", False),
}
SUPERLATIVE_WORDS = tuple(sorted(SUPERLATIVES, key=len, reverse=True))
PREDICATES = {
    **dict.fromkeys(NEWEST, "newest"),
    "modified most recently": "newest",
    "changed most recently": "newest",
    "edited most recently": "newest",
    "modified last": "newest",
    "changed last": "newest",
    "edited last": "newest",
    "updated last": "newest",
    "has the most lines": "longest",
    "have the most lines": "longest",
    "has the fewest lines": "shortest",
    "has the least lines": "shortest",
}
