"""JSON strings: by length, by `pattern`, by the few formats that have a fixed shape.

And the keys of objects whose names are free.
"""

from __future__ import annotations

from agi_agent.local.grammar._caps import Caps, ImpossibleError, UnsupportedSchemaError
from agi_agent.local.grammar._classes import PLAIN, overlap, subtract
from agi_agent.local.grammar._pattern import Pattern
from agi_agent.local.grammar._rules import char_class, literal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from agi_agent.local.grammar._rules import Rules

_HUGE = 2**53
_HEX = "[0-9a-fA-F]"
_FORMATS = {
    "date": r"[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])",
    "time": r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z",
    "date-time": r"[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z",
    "uuid": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "ipv4": r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
    r"(\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}",
}
"""Formats that are enforced, by a subset that is always right (no 29th of February);
others are annotations, as the standard has it."""


def string(rules: Rules, schema: dict[str, Any], caps: Caps, place: str) -> str:
    """Give an expression for the strings that a schema allows."""
    least = length(schema, "minLength", place) or 0
    most = length(schema, "maxLength", place)
    if most is not None and most < least:
        raise ImpossibleError(f"no string of {least} to {most} characters", place)
    pattern = schema.get("pattern")
    fixed = fixed_format(schema)
    if pattern is not None and fixed is not None:
        raise UnsupportedSchemaError("`pattern` together with `format`", place)
    pattern = pattern if fixed is None else fixed
    if pattern is None:
        bound = max(caps.string, least) if most is None else most
        inner = rules.repeat("char", _char(rules), least, bound)
        return rules.add("string", f'"\\"" {inner} "\\""')
    return Pattern(pattern, caps, place).string(rules, least, most)


def fixed_format(schema: dict[str, Any]) -> str | None:
    """Give the pattern of a `format` that is enforced, None where none is."""
    name = schema.get("format")
    fixed = _FORMATS.get(name) if isinstance(name, str) else None
    return None if fixed is None else f"^{fixed}$"


def key_except(rules: Rules, names: list[str], caps: Caps) -> str:
    """Give an expression for an object's key that is none of `names`.

    The key has 1 to 64 characters of the plain kind, without escapes, so that one
    spelling of each name is all there is to exclude.
    """
    plain = char_class(PLAIN)
    most = min(64, caps.string)
    body = _not_in(rules, [name for name in names if 0 < len(name) <= most], most, True)
    return (
        rules.add("key", f'"\\"" ({body}) "\\""')
        if names
        else rules.add(
            "any-key", f'"\\"" {rules.repeat("plain", plain, 1, most)} "\\""'
        )
    )


def _not_in(rules: Rules, names: list[str], most: int, first: bool) -> str:
    """What may follow when `names` are the rests of names that are still possible."""
    plain = char_class(PLAIN)
    choices = [] if first or "" in names else ['""']
    if most <= 0:
        return " | ".join(choices) or '""'
    heads = sorted({name[0] for name in names if name})
    other = subtract(PLAIN, [(ord(head), ord(head)) for head in heads])
    if other:
        rest = rules.repeat("plain", plain, 0, most - 1)
        choices.append(f"{char_class(other)} {rest}")
    for head in heads:
        if overlap([(ord(head), ord(head))], PLAIN):
            rests = [name[1:] for name in names if name[:1] == head]
            more = _not_in(rules, rests, most - 1, False)
            choices.append(f"{literal(head)} ({more})")
    return " | ".join(choices)


def _char(rules: Rules) -> str:
    # Escapes of half a surrogate pair are left out: most readers refuse them.
    escape = (
        f'"\\\\" (["\\\\/bfnrt] | "u" ([0-9a-cA-CefEF] {_HEX}{{3}} | '
        f"[dD] [0-7] {_HEX}{{2}}))"
    )
    return rules.add("char", f"{char_class(PLAIN)} | {escape}")


def length(schema: dict[str, Any], key: str, place: str) -> int | None:
    """Read a keyword that counts something, None where it is not there."""
    value = schema.get(key)
    if value is None:
        return None
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not (0 <= value < _HUGE)
    ):
        raise UnsupportedSchemaError(f"`{key}` that is not a count", place)
    return int(value)
