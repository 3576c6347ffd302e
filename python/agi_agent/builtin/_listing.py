"""Calls of `file_find` for a selection, and what came back."""

from __future__ import annotations

from agi_agent.builtin._step import Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from agi_agent.builtin._selection import Selection
    from agi_agent.builtin._step import Result

# More than a person reads; what is beyond is counted and said.
MAX_LISTED = 1000


class Entry:
    """One file or folder that was found.

    Attributes:
        path: As the tool reports it.
        size: Bytes.
        modified: RFC 3339; empty where unknown.
    """

    __slots__ = ("modified", "path", "size")

    def __init__(self, path: str, size: int, modified: str) -> None:
        """See the attributes."""
        self.path = path
        self.size = size
        self.modified = modified


def find_calls(
    selection: Selection, *, limit: int, sort: str = "name", descending: bool = False
) -> list[Call]:
    """One call of `file_find` per place.

    Args:
        selection: What to find.
        limit: Entries wanted per place.
        sort: `name`, `size` or `modified`.
        descending: Largest or newest first.
    """
    return [
        Call(
            "file_find",
            path=root,
            name=selection.name,
            type="dir" if selection.folders else "file",
            min_size=selection.min_size,
            max_size=selection.max_size,
            newer_than=selection.newer,
            older_than=selection.older,
            sort=sort,
            descending=descending or None,
            limit=limit,
        )
        for root in selection.roots
    ]


def found(results: Sequence[Result]) -> list[Entry]:
    """The entries of all places, in the tool's order."""
    entries: list[Entry] = []
    for result in results:
        for row in result.rows("entries"):
            path, size = row.get("path"), row.get("size")
            if isinstance(path, str):
                known = size if isinstance(size, int) else 0
                entries.append(Entry(path, known, str(row.get("modified") or "")))
    return entries


def found_total(results: Sequence[Result]) -> int:
    """How many entries there are, listed or not."""
    return sum(result.count("total") for result in results)
