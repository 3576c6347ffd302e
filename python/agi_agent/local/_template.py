"""Chat templates of models: Jinja programs that came with the weights, in a sandbox.

A template is a stranger's program. It runs in Jinja's immutable sandbox: no attribute
that begins with an underscore, nothing of ours can be changed, what it makes is bounded
(`_bounded`). What templates of the Hugging Face hub expect is there and no more. What a
template can do is found out by trying, not by its name.
"""

from __future__ import annotations

import datetime
import json

import jinja2
from jinja2.ext import Extension, loopcontrols

from agi_agent import _errors
from agi_agent.local._bounded import BoundedEnvironment, TooLongError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from jinja2 import nodes
    from jinja2.parser import Parser

    # A message as templates know it: role, content, and what goes with some roles.
    ChatMessage = dict[str, Any]

_MARK = "zqxjkv"
"""A word that no template has of its own."""
_PROBE_CALL = {
    "id": "call00001",
    "type": "function",
    "function": {"name": f"{_MARK}call", "arguments": {"a": 1}},
}
_PROBE_TOOL = {
    "type": "function",
    "function": {
        "name": f"{_MARK}tool",
        "description": "d",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
    },
}


class _Generation(Extension):
    """`{% generation %}`: marks what the model said, for training; here nothing."""

    tags = {"generation"}  # noqa: RUF012 - the base class says so

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class TemplateRefusedError(Exception):
    """The template itself refused the messages (`raise_exception`)."""


_FAILURES = (
    TemplateRefusedError,
    jinja2.TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What a template that runs can end with."""


def bundled(name: str) -> str:
    """Give a template of ours, for files that bring none.

    Args:
        name: `chatml`, where the vocabulary has ChatML's marks, else `plain`.
    """
    from importlib import resources

    templates = resources.files("agi_agent.local").joinpath("templates")
    return templates.joinpath(f"{name}.jinja").read_text("utf-8")


class ChatTemplate:
    """A chat template, and what it can do.

    Attributes:
        text: The Jinja source.
        system: It shows a system message.
        tools: It shows the tools on offer.
        calls: It shows calls the assistant made.
        results: It shows messages of the role `tool`.
    """

    def __init__(
        self, text: str, bos: str = "", eos: str = "", *, owner: str = "the model"
    ) -> None:
        """Compile a template.

        Args:
            text: The Jinja source.
            bos: Text of the token that begins a conversation, for `bos_token`.
            eos: Text of the token that ends a turn, for `eos_token`.
            owner: Whose template it is, for errors.

        Raises:
            ConfigurationError: It is no Jinja, or comes to no end.
        """
        self.text = text
        self._owner = owner
        self._marks = {"bos_token": bos, "eos_token": eos}
        try:
            self._environment = _environment()
            self._program = self._environment.from_string(text)
        except (*_FAILURES, SyntaxError) as error:
            raise self._broken(error) from None
        self.system = self._shows(
            [
                {"role": "system", "content": f"{_MARK}system"},
                {"role": "user", "content": "u"},
            ],
            "system",
        )
        asked: list[ChatMessage] = [{"role": "user", "content": "u"}]
        self.tools = self._shows(asked, "tool", [_PROBE_TOOL])
        # Some templates want a text beside the calls, others want none.
        calling = {"role": "assistant", "content": "", "tool_calls": [_PROBE_CALL]}
        self.calls = self._shows([*asked, calling], "call", [_PROBE_TOOL])
        result = {
            "role": "tool",
            "name": f"{_MARK}call",
            "tool_call_id": "call00001",
            "content": f"{_MARK}result",
        }
        turns = [*asked, calling, result]
        self.results = self._shows(turns, "result", [_PROBE_TOOL])

    def render(
        self,
        messages: list[ChatMessage],
        tools: list[dict[str, Any]] | None = None,
        *,
        thinking: bool = True,
    ) -> str:
        """Give the prompt, ready for the assistant to go on.

        Raises:
            InvalidRequestError: The template refuses this conversation or fails.
        """
        try:
            return self._run(messages, tools, thinking=thinking)
        except _FAILURES as error:
            what = f"the chat template of {self._owner} refuses the conversation"
            raise _errors.InvalidRequestError(f"{what}: {error}") from None

    def _run(
        self,
        messages: list[ChatMessage],
        tools: list[dict[str, Any]] | None,
        *,
        thinking: bool,
    ) -> str:
        self._environment.begin()
        return self._program.render(
            messages=messages,
            tools=tools or None,
            documents=None,
            add_generation_prompt=True,
            enable_thinking=thinking,
            **self._marks,
        )

    def _shows(
        self,
        messages: list[ChatMessage],
        word: str,
        tools: list[dict[str, Any]] | None = None,
    ) -> bool:
        try:
            text = self._run(messages, tools, thinking=True)
        except TooLongError as error:
            raise self._broken(error) from None
        except Exception:  # noqa: BLE001 - whatever a stranger's program does: it cannot
            return False
        return f"{_MARK}{word}" in text

    def _broken(self, error: Exception) -> _errors.ConfigurationError:
        message = f"the chat template of {self._owner} is broken: {error}"
        return _errors.ConfigurationError(message)


def _environment() -> BoundedEnvironment:
    environment = BoundedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.bound("tojson", _tojson)
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _strftime_now
    return environment


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Write JSON as the hub's templates expect it: Jinja's own escapes for HTML."""
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _raise_exception(message: str) -> None:
    raise TemplateRefusedError(message)


def _strftime_now(pattern: str) -> str:
    return datetime.datetime.now().astimezone().strftime(pattern)
