"""The conversation so far, as chat templates want it.

Ours is neutral; a template may know no system prompt, no tools, no results, or insist
that user and assistant take turns. What it does not know is said in plain text.
"""

from __future__ import annotations

from agi_agent import _errors, _json_text
from agi_agent.local._families import described

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from agi_agent._wire import Message, ModelRequest, ToolCallPart, ToolResultPart
    from agi_agent.local._families import Family
    from agi_agent.local._template import ChatMessage, ChatTemplate


def call_id(number: int) -> str:
    """Name the call with this number, from 1: nine letters and digits, as Mistral's."""
    return f"call{number:05}"


def calls_made(request: ModelRequest) -> int:
    """Count the calls in a conversation."""
    return sum(
        part["type"] == "tool_call"
        for message in request["messages"]
        for part in message["parts"]
    )


def prompt(
    template: ChatTemplate, family: Family, request: ModelRequest, *, thinking: bool
) -> str:
    """Write a conversation as the model has to read it.

    Raises:
        InvalidRequestError: It holds an image, or the template refuses it.
    """
    tools = request.get("tools") or []
    system = request.get("system") or ""
    if tools and not family.native:
        system = f"{system}\n\n{described(tools)}" if system else described(tools)
    writer = _Writer(template, family.native)
    for message in request["messages"]:
        writer.add(message)
    messages = _with_system(writer.messages, system, template.system)
    shown = [{"type": "function", "function": tool} for tool in tools]
    return template.render(
        _in_turns(messages), shown if family.native else None, thinking=thinking
    )


class _Writer:
    """Messages in the template's form, with calls numbered anew."""

    def __init__(self, template: ChatTemplate, native: bool) -> None:
        self.messages: list[ChatMessage] = []
        self._native_calls = native and template.calls
        self._native_results = native and template.results
        self._ids: dict[str, str] = {}

    def add(self, message: Message) -> None:
        texts: list[str] = []
        thoughts: list[str] = []
        calls: list[dict[str, Any]] = []
        for part in message["parts"]:
            if part["type"] == "text":
                texts.append(part["text"])
            elif part["type"] == "reasoning":
                thoughts.append(part["text"])
            elif part["type"] == "tool_call":
                if self._native_calls:
                    calls.append(self._call(part))
                else:
                    texts.append(_call_text(part))
            elif part["type"] == "tool_result":
                self._result(part)
            else:
                text = "a local model takes no images"
                raise _errors.InvalidRequestError(text)
        if not (texts or calls):
            return
        written: ChatMessage = {"role": message["role"], "content": "\n".join(texts)}
        if calls:
            written["tool_calls"] = calls
        if thoughts:
            written["reasoning_content"] = "\n".join(thoughts)
        self.messages.append(written)

    def _call(self, part: ToolCallPart) -> dict[str, Any]:
        number = call_id(len(self._ids) + 1)
        self._ids[part["id"]] = number
        try:
            arguments = _json_text.loads(part["arguments"])
        except ValueError:
            arguments = {}
        function = {"name": part["name"], "arguments": arguments}
        return {"id": number, "type": "function", "function": function}

    def _result(self, part: ToolResultPart) -> None:
        text = part["text"]
        if part.get("is_error") and not text.lower().startswith("error"):
            text = f"error: {text}"
        if self._native_results:
            self.messages.append(
                {
                    "role": "tool",
                    "name": part["name"],
                    "tool_call_id": self._ids.get(part["call_id"], part["call_id"]),
                    "content": text,
                }
            )
        else:
            told = f"Result of {part['name']}:\n{text}"
            self.messages.append({"role": "user", "content": told})


def _call_text(part: ToolCallPart) -> str:
    name = _json_text.dumps(part["name"])
    return f'{{"name": {name}, "parameters": {part["arguments"]}}}'


def _with_system(
    messages: list[ChatMessage], system: str, known: bool
) -> list[ChatMessage]:
    if not system:
        return messages
    if known:
        return [{"role": "system", "content": system}, *messages]
    for number, message in enumerate(messages):
        if message["role"] == "user":
            first = {**message, "content": f"{system}\n\n{message['content']}"}
            return [*messages[:number], first, *messages[number + 1 :]]
    return [{"role": "user", "content": system}, *messages]


def _in_turns(messages: list[ChatMessage]) -> list[ChatMessage]:
    """Join neighbours of one role, which many templates refuse."""
    joined: list[ChatMessage] = []
    for message in messages:
        last = joined[-1] if joined else None
        plain = message.keys() <= {"role", "content"}
        if (
            last is not None
            and plain
            and last.keys() <= {"role", "content"}
            and last["role"] == message["role"]
        ):
            text = f"{last['content']}\n\n{message['content']}"
            joined[-1] = {"role": last["role"], "content": text}
        else:
            joined.append(message)
    return joined
