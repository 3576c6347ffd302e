"""An answer as the JSON that `--output-schema` asks for, where that is simple.

Fills numbers, texts, lists of texts, and objects of these. Where a schema asks for
more, or the answer is not whole (JSON would not say so), the plain answer is given and
the agent loop says what does not fit.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from agi_agent.builtin._step import Value

_NOTHING = object()


def fill(schema: Mapping[str, Any], value: Value, text: str) -> Any:
    """The answer in the form of a schema.

    Args:
        schema: JSON Schema.
        value: What the last step found out.
        text: The whole answer as text.

    Returns:
        A JSON value, or None if the schema asks for something this answer has not.
    """
    if not value.counts():
        return None
    kind = schema.get("type")
    if kind == "object":
        return _object(schema, value, text)
    filled = _simple(schema, value, text)
    return None if filled is _NOTHING else filled


def _object(schema: Mapping[str, Any], value: Value, text: str) -> Any:
    properties = schema.get("properties")
    if not isinstance(properties, dict) or not properties:
        return None
    required = schema.get("required", [])
    filled: dict[str, Any] = {}
    for name, wanted in properties.items():
        if not isinstance(wanted, dict):
            return None
        known = value.fields.get(name, _NOTHING)
        cut = bool(value.missing) and not isinstance(known, int)
        if known is _NOTHING or cut or not _is_of(known, wanted):
            alone = len(properties) == 1 or [name] == required
            known = (
                _simple(wanted, value, text) if alone or name == "answer" else _NOTHING
            )
        if known is not _NOTHING:
            filled[name] = known
        elif name in required:
            return None
    return filled or None


def _is_of(known: object, wanted: Mapping[str, Any]) -> bool:
    kind = wanted.get("type")
    if isinstance(known, bool):
        return kind == "boolean"
    if isinstance(known, int):
        return kind in ("integer", "number")
    if isinstance(known, str):
        return kind == "string"
    return kind == "array" and isinstance(known, list)


def _simple(wanted: Mapping[str, Any], value: Value, text: str) -> Any:
    kind = wanted.get("type")
    if kind in ("integer", "number"):
        return _number(value.number, whole=kind == "integer")
    if kind == "string":
        return value.number or text
    if kind == "boolean":
        known = value.fields.get("answer")
        return known if isinstance(known, bool) else _NOTHING
    entries = wanted.get("items", {})
    of_texts = isinstance(entries, dict) and entries.get("type", "string") == "string"
    if kind == "array" and of_texts and value.items is not None and not value.missing:
        return list(value.items)
    return _NOTHING


def _number(text: str, *, whole: bool) -> Any:
    if text.removeprefix("-").isdigit():
        return int(text)
    try:
        number = float(text)
    except ValueError:
        return _NOTHING
    return _NOTHING if whole else number
