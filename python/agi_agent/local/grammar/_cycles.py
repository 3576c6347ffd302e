"""Which `$ref` of a document can lead back to themselves, and in whose company.

Types that contain each other form a group: how deep values of a group are inside of
each other is counted for the group as a whole, so that many types of one syntax tree
cost rules by their number and not by its power.
"""

from __future__ import annotations

from urllib.parse import unquote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


class MissingError(Exception):
    """A pointer leads nowhere."""


def target(document: Any, pointer: str) -> Any:
    """Give what a JSON pointer in a URI fragment (`#/…`) leads to.

    Raises:
        MissingError: It leads nowhere.
    """
    if pointer[:2] not in ("#", "#/"):
        raise MissingError
    found = document
    for step in unquote(pointer).split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and step in found:
            found = found[step]
        elif isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            raise MissingError
    return found


def groups(document: Any, *, here: bool = False) -> dict[str, tuple[int, int]]:
    """Give each pointer that can lead back to itself: its group, and that one's size.

    With `here` only those that do so without going into a value: nothing ends there.
    """
    edges = _edges(document, here)
    order: list[str] = []
    seen: set[str] = set()
    for pointer in edges:
        _walk(pointer, edges, seen, order)
    backward: dict[str, list[str]] = {pointer: [] for pointer in edges}
    for pointer, others in edges.items():
        for other in others:
            backward[other].append(pointer)
    seen = set()
    found: dict[str, tuple[int, int]] = {}
    for number, pointer in enumerate(reversed(order)):
        members: list[str] = []
        _walk(pointer, backward, seen, members)
        if len(members) > 1 or pointer in edges[pointer]:
            found.update(dict.fromkeys(members, (number, len(members))))
    return found


def nested_ids(document: Any) -> bool:
    """Say whether a part of a document has an `$id` that moves what `$ref` means."""
    for part in parts(document):
        name = part.get("$id", "#")
        if part is not document and isinstance(name, str) and name[:1] != "#":
            return True
    return False


def parts(document: Any) -> Iterator[dict[str, Any]]:
    """Give every object within a document, itself included."""
    below = [document]
    while below:
        part = below.pop()
        if isinstance(part, dict):
            yield part
            below += part.values()
        elif isinstance(part, list):
            below += part


def pointers(schema: Any, here: bool = False) -> list[str]:
    """Give the pointers within a schema, with `here` those of the value itself."""
    found: dict[str, None] = {}
    below = [schema]
    while below:
        part = below.pop()
        if isinstance(part, dict):
            pointer = part.get("$ref")
            if isinstance(pointer, str):
                found[pointer] = None
            beside = ("allOf", "anyOf", "oneOf")
            below += [part.get(key) for key in beside] if here else part.values()
        elif isinstance(part, list):
            below += part
    return list(found)


def _edges(document: Any, here: bool) -> dict[str, list[str]]:
    """Which pointers stand in what each pointer leads to."""
    found: dict[str, list[str]] = {}
    waiting = pointers(document)
    while waiting:
        pointer = waiting.pop()
        if pointer not in found:
            try:
                found[pointer] = pointers(target(document, pointer), here)
            except MissingError:
                found[pointer] = []
            waiting += found[pointer]
    return found


def _walk(
    start: str, edges: dict[str, list[str]], seen: set[str], order: list[str]
) -> None:
    """Append what is reached and not yet seen, the last one left first."""
    if start in seen:
        return
    seen.add(start)
    stack = [(start, iter(edges[start]))]
    while stack:
        pointer, others = stack[-1]
        for other in others:
            if other not in seen:
                seen.add(other)
                stack.append((other, iter(edges[other])))
                break
        else:
            order.append(pointer)
            stack.pop()
