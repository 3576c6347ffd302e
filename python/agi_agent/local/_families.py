"""How families of models write tool calls: their grammar, and where it begins to hold.

A family is told by what its chat template writes. A template that knows no tools, or
writes calls in a way we do not know, gets the tools described in the system prompt and
answers with plain JSON (`json`); so does Gemma, whose makers document that form.
"""

from __future__ import annotations

from dataclasses import dataclass

from agi_agent import _json_text
from agi_agent.local.grammar import (
    Caps,
    Rules,
    UnsupportedSchemaError,
    literal,
    value_rule,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agi_agent._wire import ToolSpec
    from agi_agent.local._template import ChatTemplate

MOST_CALLS = 8
"""Calls in one answer."""
_BLANKS = "[ \\n\\t]{0,4}"


@dataclass(frozen=True)
class Family:
    """One way of writing tool calls.

    Attributes:
        name: As `model list` shows it.
        native: The chat template shows tools and calls itself.
        opens: What begins a call; empty where it is the JSON itself.
        closes: What ends one.
        trigger: Regular expression (ECMAScript) for the text from which on the grammar
            of calls holds, while the model is free to write text instead.
        several: More than one call can be in an answer.
        listed: Calls are elements of one JSON array.
        separate: The name stands before the arguments, not inside of the JSON.
    """

    name: str
    native: bool
    opens: str
    closes: str
    trigger: str
    several: bool = True
    listed: bool = False
    separate: bool = False


HERMES = Family("hermes", True, "<tool_call>", "</tool_call>", "<tool_call>")
LLAMA = Family(
    "llama",
    True,
    "",
    "",
    r'^\s*(?:<\|python_tag\|>)?'
    r'(\{\s*(?:"type"\s*:\s*"function"\s*,\s*)?"name"\s*:\s*")',
    several=False,
)  # fmt: skip
MISTRAL = Family("mistral", True, "[TOOL_CALLS]", "", r"\[TOOL_CALLS\]", listed=True)
MISTRAL_ARGS = Family(
    "mistral-args", True, "[TOOL_CALLS]", "", r"\[TOOL_CALLS\]", separate=True
)
JSON = Family(
    "json",
    False,
    "",
    "",
    r'^\s*(?:```(?:json|tool_code)?\s*)?(\{\s*"name"\s*:\s*")',
    several=False,
)


def family_of(template: ChatTemplate) -> Family:
    """Give the family of a model by its chat template."""
    text = template.text
    if not (template.tools and template.calls and template.results):
        return JSON
    if "[TOOL_CALLS]" in text:
        return MISTRAL_ARGS if "[ARGS]" in text else MISTRAL
    # Qwen3-Coder's calls are XML between these marks.
    if "<tool_call>" in text and "<function=" not in text:
        return HERMES
    if "<|start_header_id|>" in text and "parameters" in text:
        return LLAMA
    return JSON


def calls_rule(rules: Rules, family: Family, tools: list[ToolSpec], caps: Caps) -> str:
    """Add the grammar of one answer that is nothing but calls.

    Raises:
        UnsupportedSchemaError: The schema of a tool's arguments cannot be enforced.
    """
    calls = [_call(rules, family, tool, caps) for tool in tools]
    call = rules.add("call", " | ".join(calls))
    opens = literal(family.opens)
    if family.separate:
        one = rules.add("tagged", f"{opens} {call}")
        return rules.add("calls", f"{one} {rules.repeat('tagged', one, 0, MOST_CALLS)}")
    if family.listed:
        more = rules.add("next-call", f'"," {_BLANKS} {call}')
        rest = rules.repeat("next-call", more, 0, MOST_CALLS - 1)
        return rules.add("calls", f'{opens} {_BLANKS} "[" {call} {rest} "]"')
    if not family.opens:
        return call
    one = rules.add(
        "tagged", f"{opens} {_BLANKS} {call} {_BLANKS} {literal(family.closes)}"
    )
    more = rules.add("next-call", f"{_BLANKS} {one}")
    rest = rules.repeat("next-call", more, 0, MOST_CALLS - 1)
    return rules.add("calls", f"{one} {rest}")


def _call(rules: Rules, family: Family, tool: ToolSpec, caps: Caps) -> str:
    parameters = tool["parameters"] or {"type": "object"}
    name = tool["name"]
    try:
        arguments = value_rule(rules, parameters, caps, spaced=True)
    except UnsupportedSchemaError as error:
        owner = f"the arguments of `{name}`"
        raise UnsupportedSchemaError(error.what, error.place, owner) from None
    if family.separate:
        return rules.add(f"call-{name}", f"{literal(name + '[ARGS]')} {arguments}")
    kind = ""
    if family is LLAMA:
        kind = f'("\\"type\\"" {_BLANKS} ":" {_BLANKS} "\\"function\\"," {_BLANKS})? '
    key = rules.add("key-arguments", '"\\"arguments\\":" | "\\"parameters\\":"')
    number = ""
    if family.listed:
        body = r'"," " "? "\"id\":" " "? "\"" [a-zA-Z0-9]{9} "\""'
        number = rules.add("call-id", body)
        number = f" {number}?"
    return rules.add(
        f"call-{name}",
        f'"{{" {_BLANKS} {kind}"\\"name\\"" {_BLANKS} ":" {_BLANKS} '
        f'{literal(_json_text.dumps(name))} "," {_BLANKS} {key} " "? {arguments}'
        f'{number} {_BLANKS} "}}"',
    )


def described(tools: list[ToolSpec]) -> str:
    """Tell of the tools in words, for templates that do not."""
    lines = [
        _json_text.dumps(
            {
                "name": tool["name"],
                "description": tool["description"],
                "parameters": tool["parameters"],
            }
        )
        for tool in tools
    ]
    return (
        "You have access to functions. To call one, answer with nothing but "
        '{"name": function name, "parameters": dictionary of argument name and its '
        "value}. Its result comes in the next message. Call a function only where it "
        "is needed.\n" + "\n".join(lines)
    )
