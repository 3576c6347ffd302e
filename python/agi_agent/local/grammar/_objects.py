"""Objects and arrays: members in a fixed order, elements with commas."""

from __future__ import annotations

from agi_agent import _json_text
from agi_agent.local.grammar import _strings
from agi_agent.local.grammar._caps import ImpossibleError, UnsupportedSchemaError
from agi_agent.local.grammar._rules import literal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from agi_agent.local.grammar._schema import Builder, Schema


def object_(builder: Builder, schema: Schema, place: str) -> str:
    """Give an expression for the objects that a schema allows."""
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    if not isinstance(properties, dict) or not isinstance(required, list):
        raise UnsupportedSchemaError("`properties` or `required` of this form", place)
    extra = schema.get("additionalProperties")
    if extra is None and not properties and not required:
        # Nothing is said of the members: any are meant.
        extra = True
    if schema.get("additionalProperties") is None:
        # Names that nothing else speaks of: with `false` there are none.
        extra = False if schema.get("unevaluatedProperties") is False else extra
    known = dict(properties)
    for name in required:
        if name not in known:
            if extra is False:
                raise ImpossibleError(f"`{name}` is required and not allowed", place)
            known[name] = True if extra is None else extra
    known = builder.apart.ordered(known, set(required))
    members = _members(builder, known, set(required), place)
    least, most = _free_range(builder, schema, members, extra, place)
    free = None
    if most > 0:
        try:
            at = f"{place}/additionalProperties"
            value = builder.value(extra, at, ("{", None))
            key = _strings.key_except(builder.rules, list(known), builder.caps)
            free = builder.rules.add("member", f"{key} {builder.colon} {value}")
        except ImpossibleError:
            if least > 0:
                raise
    return _assembled(builder, members, free, least, most if free else 0)


def free(builder: Builder, value: str) -> str:
    """Give an expression for objects of any names whose values are `value`."""
    key = _strings.key_except(builder.rules, [], builder.caps)
    member = builder.rules.add("member", f"{key} {builder.colon} {value}")
    return _assembled(builder, [], member, 0, builder.caps.members)


def listing(builder: Builder, item: str, least: int, most: int) -> str:
    """Give an expression for arrays of one kind of element."""
    return builder.rules.add("array", f'"[" {_joined(builder, item, least, most)} "]"')


def array(builder: Builder, schema: Schema, place: str) -> str:
    """Give an expression for the arrays that a schema allows."""
    least = _strings.length(schema, "minItems", place) or 0
    most = _strings.length(schema, "maxItems", place)
    if most is None:
        most = max(builder.caps.array, least)
    if schema.get("uniqueItems") and most > 1:
        raise UnsupportedSchemaError("`uniqueItems`", place)
    first = schema.get("prefixItems", [])
    items = schema.get("items", True)
    if isinstance(items, list):
        raise UnsupportedSchemaError("`items` as a list (use `prefixItems`)", place)
    if least > most:
        raise ImpossibleError(f"no array of {least} to {most} elements", place)
    if first:
        return _with_prefix(builder, first, items, least, most, place)
    if most == 0:
        return '"[]"'
    try:
        value = builder.value(items, f"{place}/items", ("[", None))
        item = builder.rules.add("item", value)
    except ImpossibleError:
        if least > 0:
            raise
        return '"[]"'
    return listing(builder, item, least, most)


def _members(
    builder: Builder, known: dict[str, Any], required: set[str], place: str
) -> list[tuple[str, bool]]:
    """Each property as a rule, and whether it must be there."""
    members = []
    for name, schema in known.items():
        try:
            value = builder.value(schema, f"{place}/properties/{name}", ("{", name))
        except ImpossibleError:
            if name in required:
                raise
            continue
        key = literal(_json_text.dumps(name))
        body = f"{key} {builder.colon} {value}"
        rule = builder.rules.add(f"member-{name}", body)
        members.append((rule, name in required))
    return members


def _free_range(
    builder: Builder,
    schema: Schema,
    members: list[tuple[str, bool]],
    extra: Any,
    place: str,
) -> tuple[int, int]:
    """How many members of free names there may be."""
    least = _strings.length(schema, "minProperties", place) or 0
    most = _strings.length(schema, "maxProperties", place)
    if most is not None and most < least:
        raise ImpossibleError(f"no object of {least} to {most} members", place)
    sure = sum(must for _, must in members)
    wanted = max(0, least - sure)
    if most is not None and most < len(members):
        raise UnsupportedSchemaError("`maxProperties` below the properties", place)
    # Free names may be equal, so that only one of them counts for sure.
    if wanted > 1 or (wanted == 1 and len(members) > sure):
        raise UnsupportedSchemaError(f"`minProperties` {least}", place)
    if extra is None or extra is False:
        if wanted:
            raise UnsupportedSchemaError(f"`minProperties` {least}", place)
        return 0, 0
    room = builder.caps.members if most is None else most - len(members)
    return wanted, min(room, max(builder.caps.members, wanted))


def _assembled(
    builder: Builder,
    members: list[tuple[str, bool]],
    free: str | None,
    least: int,
    most: int,
) -> str:
    """Put members between braces, with commas between those that are there."""
    rules = builder.rules
    alone = after = '""'
    if free is not None:
        more = rules.add("more", f"{builder.comma} {free}")
        after = rules.repeat("more", more, least, most)
        alone = f"{free} {rules.repeat('more', more, max(least - 1, 0), most - 1)}"
        if least == 0:
            alone = f"({alone})?"
    for member, must in reversed(members):
        here = f"{member} {after}" if after != '""' else member
        # `alone`: nothing stands before it; `after`: something does.
        next_text = f"{builder.comma} {here}"
        after_text = next_text if must else f"{next_text} | {after}"
        alone_text = here if must else f"{here} | {alone}"
        after = rules.add("rest", after_text)
        alone = rules.add("first", alone_text)
    return rules.add("object", f'"{{" {alone} "}}"' if alone != '""' else '"{}"')


def _with_prefix(
    builder: Builder, first: Any, items: Any, least: int, most: int, place: str
) -> str:
    """`prefixItems`: all of them are written, then what `items` allows."""
    if not isinstance(first, list) or len(first) > most:
        raise UnsupportedSchemaError("`prefixItems` beyond `maxItems`", place)
    parts = [
        builder.value(schema, f"{place}/prefixItems/{number}", ("[", number))
        for number, schema in enumerate(first)
    ]
    text = f" {builder.comma} ".join(parts)
    wanted = max(0, least - len(first))
    if items is not False and (wanted or items is not True):
        item = builder.value(items, f"{place}/items", ("[", None))
        more = builder.rules.add("more", f"{builder.comma} {item}")
        room = min(most - len(first), max(builder.caps.array, wanted))
        if room > 0:
            text += " " + builder.rules.repeat("more", more, wanted, room)
    elif wanted:
        raise ImpossibleError("`minItems` beyond `prefixItems`", place)
    return builder.rules.add("tuple", f'"[" {text} "]"')


def _joined(builder: Builder, item: str, least: int, most: int) -> str:
    rules = builder.rules
    more = rules.add("more", f"{builder.comma} {item}")
    rest = rules.repeat("more", more, max(least - 1, 0), most - 1)
    text = item if most == 1 else f"{item} {rest}"
    return text if least else f"({text})?"
