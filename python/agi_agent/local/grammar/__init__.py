"""JSON Schema to GBNF: what a model may write, so that its answer is valid.

Every text that a grammar from here allows is compact JSON that meets the schema, and
every such text ends (`Caps`). What a schema says and a grammar cannot hold is refused
by name, never ignored. Pure: no model, no I/O.
"""

from __future__ import annotations

from agi_agent.local.grammar._caps import Caps, ImpossibleError, UnsupportedSchemaError
from agi_agent.local.grammar._rules import Rules, TooLargeError, literal
from agi_agent.local.grammar._schema import Builder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "Caps",
    "Rules",
    "UnsupportedSchemaError",
    "for_schema",
    "literal",
    "value_rule",
]


def for_schema(schema: Any, caps: Caps | None = None) -> str:
    """Give the grammar of the JSON texts that meet a schema.

    Raises:
        UnsupportedSchemaError: The schema says something that cannot be enforced, or
            allows nothing.
    """
    rules = Rules()
    return rules.text(value_rule(rules, schema, caps))


def value_rule(
    rules: Rules, schema: Any, caps: Caps | None = None, *, spaced: bool = False
) -> str:
    """Add what `schema` allows to a grammar; gives an expression for it.

    With `spaced` one blank may follow a colon or a comma.
    """
    builder = Builder(schema, rules, caps or Caps(), spaced=spaced)
    try:
        builder.require_ends()
        return builder.value(schema)
    except ImpossibleError as error:
        what = f"what nothing can meet: {error.why}"
        raise UnsupportedSchemaError(what, error.place) from None
    except TooLargeError:
        what = "a schema whose grammar is this large"
        raise UnsupportedSchemaError(what, builder.place) from None
    except RecursionError:
        what = "a schema as deep as this"
        raise UnsupportedSchemaError(what, builder.place) from None
