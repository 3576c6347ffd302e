"""Whether a given value meets a schema: for `enum`, `const`, and what is apart.

Only the keywords that grammars hold; any other is refused as it is everywhere.
"""

from __future__ import annotations

from agi_agent.local.grammar import _combine, _numbers, _strings
from agi_agent.local.grammar._caps import UnsupportedSchemaError
from agi_agent.local.grammar._pattern import Pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from agi_agent.local.grammar._schema import Builder, Schema


def meets(
    builder: Builder, value: Any, schema: Any, place: str, *, perhaps: bool = False
) -> bool:
    """Say whether a value surely meets a schema, or with `perhaps` whether it may."""
    if not isinstance(schema, dict):
        return schema is True
    builder.refuse(schema, place)
    if schema.get("unevaluatedProperties") is False:
        raise UnsupportedSchemaError("`enum` with `unevaluatedProperties`", place)

    def also(inner: Any, other: Any = value) -> bool:
        return meets(builder, other, inner, place, perhaps=perhaps)

    if "$ref" in schema and not also(builder.target(schema, place)):
        return False
    if not all(also(part) for part in schema.get("allOf", [])):
        return False
    if "anyOf" in schema and not any(also(part) for part in schema["anyOf"]):
        return False
    if "oneOf" in schema and not _one_of(
        builder, value, schema["oneOf"], place, perhaps
    ):
        return False
    if "type" in schema:
        types = _combine.types_of(schema, place)
        if not _combine.is_of(value, types):
            return False
    listed = _combine.values_of(schema)
    if listed is not None and not any(_combine.same(value, v) for v in listed):
        return False
    if isinstance(value, str):
        return _text(builder, value, schema, place, perhaps)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value, schema, place)
    if isinstance(value, list):
        prefix = schema.get("prefixItems", [])
        items = schema.get("items", True)
        if isinstance(items, list):
            raise UnsupportedSchemaError("`items` as a list (use `prefixItems`)", place)
        parts = [*prefix, *[items] * (len(value) - len(prefix))]
        if schema.get("uniqueItems") and any(
            _combine.same(v, w) for n, v in enumerate(value) for w in value[:n]
        ):
            return False
        return _counted(len(value), schema, "Items", place) and all(
            also(part, element) for part, element in zip(parts, value, strict=False)
        )
    if isinstance(value, dict):
        known = schema.get("properties", {})
        extra = schema.get("additionalProperties", True)
        return (
            _counted(len(value), schema, "Properties", place)
            and all(name in value for name in schema.get("required", []))
            and all(also(known.get(name, extra), v) for name, v in value.items())
        )
    return True


def _one_of(
    builder: Builder, value: Any, options: list[Any], place: str, perhaps: bool
) -> bool:
    may = sum(meets(builder, value, o, place, perhaps=True) for o in options)
    if perhaps:
        return may > 0
    return may == 1 and any(meets(builder, value, o, place) for o in options)


def _counted(count: int, schema: Schema, what: str, place: str) -> bool:
    least = _strings.length(schema, f"min{what}", place) or 0
    most = _strings.length(schema, f"max{what}", place)
    return least <= count and (most is None or count <= most)


def _text(
    builder: Builder, value: str, schema: Schema, place: str, perhaps: bool
) -> bool:
    if not _counted(len(value), schema, "Length", place):
        return False
    patterns = [schema.get("pattern"), _strings.fixed_format(schema)]
    return perhaps or all(
        Pattern(pattern, builder.caps, place).matches(value)
        for pattern in patterns
        if pattern is not None
    )


def _number(value: float, schema: Schema, place: str) -> bool:
    if _numbers.whole(schema, place) and not _combine.is_of(value, ("integer",)):
        return False
    bounds = _numbers.Bounds(schema, place)
    above = bounds.low is None or value > bounds.low
    below = bounds.high is None or value < bounds.high
    return (above or (value == bounds.low and not bounds.above)) and (
        below or (value == bounds.high and not bounds.below)
    )
