"""Which part of an answer a grammar holds, and from where on.

With tools the model is free to write text until it begins a call. A schema, or the duty
to call, holds the whole answer; a thought that the prompt has opened comes before it.
"""

from __future__ import annotations

from dataclasses import dataclass

from agi_agent.local import _families
from agi_agent.local.grammar import Caps, Rules, literal, value_rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agi_agent._wire import LocalSettings, ModelRequest
    from agi_agent.local._families import Family


@dataclass(frozen=True)
class Hold:
    """A grammar and where it begins.

    Attributes:
        grammar: GBNF.
        triggers: Regular expressions for the text from which on it holds; none means
            from the start.
        whole: The answer is nothing but what the grammar allows (behind a thought).
    """

    grammar: str
    triggers: list[str]
    whole: bool


def hold(
    family: Family, settings: LocalSettings, request: ModelRequest, *, opened: bool
) -> Hold | None:
    """Decide what the model may write; None where it is free.

    Args:
        family: How it writes calls.
        settings: Whether it has to call.
        request: Its tools and schema.
        opened: The prompt has opened a thought.

    Raises:
        UnsupportedSchemaError: A schema cannot be enforced.
    """
    tools = request.get("tools") or []
    schema = request.get("output_schema")
    required = bool(tools) and settings.get("tool_choice") == "required"
    if not tools and schema is None:
        return None
    rules, caps, choices = Rules(), Caps(), []
    if tools:
        choices.append(_families.calls_rule(rules, family, tools, caps))
    if schema is not None and not required:
        choices.append(value_rule(rules, schema, caps))
    root = " | ".join(choices)
    if schema is None and not required:
        return Hold(rules.text(root), [family.trigger], whole=False)
    if opened:
        root = f"{literal('</think>')} [\\n]{{0,2}} ({root})"
        return Hold(rules.text(root), ["</think>"], whole=True)
    return Hold(rules.text(root), [], whole=True)
