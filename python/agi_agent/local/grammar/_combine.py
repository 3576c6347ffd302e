"""What belongs together in a schema: `$ref`, `allOf`, and siblings of `anyOf`.

Two schemas that both must hold become one, keyword by keyword; what has no such form is
refused by name. `oneOf` is as good as `anyOf` only where no value meets two of its
alternatives, which `disjoint` has to prove.
"""

from __future__ import annotations

from agi_agent.local.grammar._caps import ImpossibleError, UnsupportedSchemaError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Schema = dict[str, Any]

TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
ANNOTATIONS = frozenset(
    {
        "title", "description", "default", "examples", "example", "deprecated",
        "readOnly", "writeOnly", "contentEncoding", "contentMediaType",
        "contentSchema", "$comment", "$schema", "$id", "$defs", "definitions",
    }
)  # fmt: skip
_OF_OBJECTS = frozenset({"properties", "required", "additionalProperties"})
_OF_OBJECTS |= {"minProperties", "maxProperties"}
_OF_ARRAYS = ("items", "prefixItems", "minItems", "maxItems", "uniqueItems")
_LOWER = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems"})
_LOWER |= {"minProperties"}
_UPPER = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems"})
_UPPER |= {"maxProperties"}


def types_of(schema: Schema, place: str) -> tuple[str, ...]:
    """Give the types that a schema allows.

    Without `type` they follow from the keywords that are there: a subset of what is
    allowed, and what the author meant.
    """
    named = schema.get("type")
    if isinstance(named, str):
        named = [named]
    if isinstance(named, list):
        for name in named:
            if name not in TYPES:
                raise UnsupportedSchemaError(f"the type `{name}`", place)
        return tuple(named)
    if named is not None:
        raise UnsupportedSchemaError("`type` that is not a name", place)
    if any(key in schema for key in _OF_OBJECTS):
        return ("object",)
    if any(key in schema for key in _OF_ARRAYS):
        return ("array",)
    if "pattern" in schema or "minLength" in schema or "maxLength" in schema:
        return ("string",)
    bounds = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
    if any(key in schema for key in (*bounds, "multipleOf")):
        return ("number",)
    return TYPES


def merge(one: Schema, other: Schema, place: str) -> Schema:
    """Give the schema of what meets both.

    Raises:
        UnsupportedSchemaError: There is no such schema, or we know none.
        ImpossibleError: Nothing meets both.
    """
    result = dict(one)
    for key, value in other.items():
        if key in ANNOTATIONS:
            result.setdefault(key, value)
        elif key in _MEMBERS or key in _ELEMENTS:
            continue
        elif key not in result or same(result[key], value):
            result[key] = value
        else:
            result[key] = _both(key, result[key], value, place)
    return result | _members(one, other, place) | _elements(one, other, place)


_MEMBERS = ("properties", "additionalProperties")
_ELEMENTS = ("prefixItems", "items")


def _members(one: Schema, other: Schema, place: str) -> Schema:
    """`properties` of both; what one does not name meets its `additionalProperties`."""
    if not any(key in other for key in _MEMBERS):
        return {}
    ours, theirs = one.get("properties", {}), other.get("properties", {})
    if not isinstance(ours, dict) or not isinstance(theirs, dict):
        raise UnsupportedSchemaError("`properties` of this form", place)
    rest = one.get("additionalProperties", True)
    others = other.get("additionalProperties", True)
    found: Schema = {}
    if "properties" in one or "properties" in other:
        found["properties"] = {
            name: all_of(ours.get(name, rest), theirs.get(name, others))
            for name in [*ours, *(name for name in theirs if name not in ours)]
        }
    if "additionalProperties" in one or "additionalProperties" in other:
        found["additionalProperties"] = all_of(rest, others)
    return found


def _elements(one: Schema, other: Schema, place: str) -> Schema:
    """`prefixItems` of both; beyond those of one its `items` hold."""
    if not any(key in other for key in _ELEMENTS):
        return {}
    ours, theirs = one.get("prefixItems", []), other.get("prefixItems", [])
    rest, others = one.get("items", True), other.get("items", True)
    if any(isinstance(items, list) for items in (rest, others)):
        raise UnsupportedSchemaError("`items` as a list (use `prefixItems`)", place)
    found: Schema = {}
    if ours or theirs:
        count = max(len(ours), len(theirs))
        found["prefixItems"] = [
            all_of(a, b)
            for a, b in zip(
                [*ours, *[rest] * (count - len(ours))],
                [*theirs, *[others] * (count - len(theirs))],
                strict=True,
            )
        ]
    if "items" in one or "items" in other:
        found["items"] = all_of(rest, others)
    return found


def _both(key: str, one: Any, other: Any, place: str) -> Any:
    if key in _LOWER:
        return max(one, other)
    if key in _UPPER:
        return min(one, other)
    if key == "type":
        return _both_types(one, other, place)
    if key == "required":
        return [*one, *(name for name in other if name not in one)]
    if key == "enum":
        left = [value for value in one if any(same(value, v) for v in other)]
        if not left:
            raise ImpossibleError("no value is in both lists of `enum`", place)
        return left
    if key == "allOf":
        return [*one, *other]
    if key in ("anyOf", "oneOf", "$ref"):
        raise UnsupportedSchemaError(f"two `{key}` at once", place)
    if key == "const":
        raise ImpossibleError("two values of `const`", place)
    raise UnsupportedSchemaError(f"two values of `{key}`", place)


def all_of(one: Any, other: Any) -> Any:
    """Give what meets both of two schemas, which may be true or false."""
    if one is True or other is False:
        return other
    if other is True or one is False:
        return one
    return one if same(one, other) else {"allOf": [one, other]}


def _both_types(one: Any, other: Any, place: str) -> list[str]:
    ones = [one] if isinstance(one, str) else one
    others = [other] if isinstance(other, str) else other
    left = [name for name in ones if name in others]
    if "number" in ones and "integer" in others and "integer" not in left:
        left.append("integer")
    if "integer" in ones and "number" in others and "integer" not in left:
        left.append("integer")
    if not left:
        raise ImpossibleError(f"nothing is both `{one}` and `{other}`", place)
    return left


def same(one: Any, other: Any) -> bool:
    """Say whether two JSON values are equal; 1 is not true, but it is 1.0."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        if one.keys() != other.keys():
            return False
        return all(same(one[key], other[key]) for key in one)
    return bool(one == other)


def is_of(value: Any, types: tuple[str, ...]) -> bool:
    """Say whether a JSON value is of one of the types."""
    if isinstance(value, bool):
        return "boolean" in types
    if value is None:
        return "null" in types
    if isinstance(value, str):
        return "string" in types
    if isinstance(value, dict):
        return "object" in types
    if isinstance(value, list):
        return "array" in types
    whole = isinstance(value, int) or float(value).is_integer()
    return "number" in types or ("integer" in types and whole)


def disjoint(
    one: Any, other: Any, place: str, may_meet: Callable[[Any, Any], bool]
) -> bool:
    """Say whether surely no value meets both schemas.

    `may_meet` says whether a value may meet a schema.
    """
    if one is False or other is False:
        return True
    if not isinstance(one, dict) or not isinstance(other, dict):
        return False
    for values in values_of(one), values_of(other):
        if values is not None:
            return not any(may_meet(v, one) and may_meet(v, other) for v in values)
    types = {*_known_types(one)} & {*_known_types(other)}
    for pair in (one, other), (other, one):
        if "number" in _known_types(pair[0]) and "integer" in _known_types(pair[1]):
            types.add("integer")
    return not types or (
        types == {"object"} and _disjoint_objects(one, other, place, may_meet)
    )


def _known_types(schema: Schema) -> tuple[str, ...]:
    """The types a schema allows, without guessing what was meant."""
    named = schema.get("type")
    if named is None:
        return TYPES
    return (named,) if isinstance(named, str) else tuple(named)


def _disjoint_objects(
    one: Schema, other: Schema, place: str, may_meet: Callable[[Any, Any], bool]
) -> bool:
    ours, theirs = one.get("properties", {}), other.get("properties", {})
    needed, wanted = one.get("required", []), other.get("required", [])
    if other.get("additionalProperties") is False and set(needed) - set(theirs):
        return True
    if one.get("additionalProperties") is False and set(wanted) - set(ours):
        return True
    # A member that only one of them asks for is there in whatever meets both.
    return any(
        disjoint(ours.get(name, True), theirs.get(name, True), place, may_meet)
        for name in dict.fromkeys([*needed, *wanted])
    )


def values_of(schema: Schema) -> list[Any] | None:
    """Give the values that `const` and `enum` leave, None where there is neither."""
    values = schema.get("enum")
    listed = values if isinstance(values, list) else None
    if "const" not in schema:
        return listed
    only = schema["const"]
    return [only] if listed is None else [v for v in listed if same(v, only)]
