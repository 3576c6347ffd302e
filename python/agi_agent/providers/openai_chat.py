"""OpenAI's Chat Completions, and every server that is compatible with it.

Ollama, vLLM, llama.cpp, LM Studio and OpenRouter differ in small things: names of the
reasoning field, tool calls without index or id, no `[DONE]`, a whole body although a
stream was asked for. All of that is taken here.
"""

from __future__ import annotations

from agi_agent import _json_text
from agi_agent.providers import _base

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from agi_agent import _wire

_STOPS: dict[str, _base.Stop] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "refusal",
}


class ChatCompletions(_base.Adapter):
    """One call of `/chat/completions`."""

    def __init__(
        self, settings: _wire.AdapterSettings, request: _wire.ModelRequest
    ) -> None:
        """Keep what to ask and start with an empty reply."""
        super().__init__(settings, request)
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._details: list[Any] = []
        self._calls: list[_Call] = []
        self._known: dict[int | str, _Call] = {}
        self._stop: str | None = None
        self._refused = False
        self._usage: _wire.Usage = {"input_tokens": 0, "output_tokens": 0}
        self._model = settings["name"]

    def http(self) -> _wire.HttpRequest:
        """Give the HTTP request."""
        own = self.is_own_endpoint()
        limit = self.max_output_tokens()
        return self.post(
            "/chat/completions",
            {
                "model": self.settings["name"],
                "messages": self._messages(),
                "response_format": self._format(),
                "max_completion_tokens": limit if own else None,
                "max_tokens": None if own else limit,
                "temperature": self.temperature(),
                "reasoning_effort": self.settings.get("reasoning_effort"),
                "stream": True,
                "stream_options": {"include_usage": True},
            },
        )

    def tools(self, tools: list[_wire.ToolSpec]) -> list[dict[str, Any]]:
        """Give each as a function."""
        return [{"type": "function", "function": {**tool}} for tool in tools]

    def feed(self, event: str, data: str) -> None:
        """Take one chunk, or the whole body."""
        if data.strip() == "[DONE]":
            # Without a reason to stop, `[DONE]` does not make the reply whole.
            self.finished = self._stop is not None
            return
        if not data.strip():
            return
        chunk = _base.parse(data)
        if chunk.get("error"):
            _base.raise_stream_error(chunk["error"])
        self._model = _base.text_of(chunk.get("model")) or self._model
        if isinstance(chunk.get("usage"), dict):
            self._usage = _usage(chunk["usage"])
        for choice in _base.list_of(chunk.get("choices"))[:1]:
            whole = choice.get("message")
            self._take(_base.dict_of(whole or choice.get("delta")))
            if isinstance(choice.get("finish_reason"), str):
                self._stop = choice["finish_reason"]
        if event == "body":
            self.finished = self._stop is not None

    def reply(self) -> _wire.ModelReply:
        """Give the whole reply."""
        if self._stop is None:
            raise _base.incomplete()
        parts: list[_wire.Part] = []
        if self._reasoning or self._details:
            opaque: dict[str, Any] = {}
            if self._details:
                opaque["reasoning_details"] = self._details
            parts.append(
                {
                    "type": "reasoning",
                    "text": "".join(self._reasoning),
                    "opaque": opaque,
                }
            )
        if self._text:
            parts.append({"type": "text", "text": "".join(self._text)})
        before = len(self.request["messages"])
        parts.extend(
            call.part(f"call_{before}_{at}") for at, call in enumerate(self._calls)
        )
        stop = "refusal" if self._refused else _STOPS.get(self._stop, "end_turn")
        return _base.finish(parts, stop, self._usage, self._model)

    def _take(self, delta: dict[str, Any]) -> None:
        """Add a delta, or a whole message, to the reply."""
        reasoning = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(reasoning, str) and reasoning:
            self._reasoning.append(reasoning)
            self.say("reasoning", reasoning)
        details = _base.list_of(delta.get("reasoning_details"))
        if details:
            self.hold(_json_text.dumps(details))
            self._details.extend(details)
        content = delta.get("content")
        if isinstance(content, list):
            content = "".join(
                _base.text_of(_base.dict_of(c).get("text")) for c in content
            )
        refusal = _base.text_of(delta.get("refusal"))
        self._refused = self._refused or bool(refusal)
        for text in (_base.text_of(content), refusal):
            if text:
                self._text.append(text)
                self.say("text", text)
        for piece in _base.list_of(delta.get("tool_calls")):
            self._take_call(_base.dict_of(piece))

    def _take_call(self, piece: dict[str, Any]) -> None:
        """Add a piece to its call: told by index, else by id, else the last."""
        function = _base.dict_of(piece.get("function"))
        index, name = piece.get("index"), _base.text_of(function.get("name"))
        call_id = _base.text_of(piece.get("id"))
        call = None
        if isinstance(index, int):
            call = self._known.get(index)
        elif call_id:
            call = self._known.get(call_id)
        elif self._calls and not name:
            call = self._calls[-1]
        if call is None:
            call = _Call()
            self._calls.append(call)
            self.hold(_json_text.dumps(piece))
            if isinstance(index, int):
                self._known[index] = call
        call.id = call.id or call_id
        if call.id:
            self._known.setdefault(call.id, call)
        # Some servers repeat the name in each piece, none splits it.
        call.name = call.name or name
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            arguments = _json_text.dumps(arguments)
        call.arguments.append(_base.text_of(arguments))
        self.hold(call.arguments[-1])

    def _format(self) -> dict[str, Any] | None:
        schema = self.schema()
        if schema is None:
            return None
        strict = _base.is_strict(schema)
        named = {"name": "answer", "schema": schema, "strict": strict}
        return {"type": "json_schema", "json_schema": named}

    def _messages(self) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []
        system = self.system()
        if system:
            messages.append({"role": "system", "content": system})
        asked = self.request["messages"]
        turn = max(
            (at for at, message in enumerate(asked) if message["role"] == "user"),
            default=0,
        )
        for at, message in enumerate(asked):
            if message["role"] == "assistant":
                messages.append(_assistant(message["parts"], in_turn=at > turn))
            elif message["role"] == "tool":
                messages.extend(
                    {
                        "role": "tool",
                        "tool_call_id": part["call_id"],
                        "content": _base.result_text(part),
                    }
                    for part in message["parts"]
                    if part["type"] == "tool_result"
                )
            else:
                messages.append({"role": "user", "content": _content(message["parts"])})
        return messages


class _Call:
    """A tool call under construction."""

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []

    def part(self, fallback_id: str) -> _wire.ToolCallPart:
        return {
            "type": "tool_call",
            "id": self.id or fallback_id,
            "name": self.name,
            "arguments": "".join(self.arguments).strip() or "{}",
        }


def _content(parts: list[_wire.Part]) -> str | list[dict[str, Any]]:
    """Give a person's words; as a list only where there are images."""
    if not any(part["type"] == "image" for part in parts):
        return _base.plain_text(parts)
    content: list[dict[str, Any]] = []
    for part in parts:
        if part["type"] == "text":
            content.append({"type": "text", "text": part["text"]})
        elif part["type"] == "image":
            url = {"url": _base.data_url(part)}
            content.append({"type": "image_url", "image_url": url})
    return content


def _assistant(parts: list[_wire.Part], *, in_turn: bool) -> dict[str, Any]:
    """Give an earlier reply.

    Its reasoning goes back only within the tool calls of the current turn: servers that
    want it want it there, and some refuse it elsewhere.
    """
    text = _base.plain_text(parts)
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    calls = [
        {
            "id": part["id"],
            "type": "function",
            "function": {"name": part["name"], "arguments": part["arguments"]},
        }
        for part in parts
        if part["type"] == "tool_call"
    ]
    if calls:
        message["tool_calls"] = calls
    elif not text:
        message["content"] = ""
    for part in parts:
        if part["type"] == "reasoning" and calls and in_turn:
            details = _base.dict_of(part.get("opaque")).get("reasoning_details")
            if details:
                message["reasoning_details"] = details
            elif part["text"] and isinstance(part.get("opaque"), dict):
                message["reasoning_content"] = part["text"]
    return message


def _usage(usage: dict[str, Any]) -> _wire.Usage:
    given = _base.dict_of(usage.get("prompt_tokens_details"))
    made = _base.dict_of(usage.get("completion_tokens_details"))
    cached = given.get("cached_tokens", usage.get("prompt_cache_hit_tokens"))
    return {
        "input_tokens": _base.number(usage.get("prompt_tokens")),
        "cached_input_tokens": _base.number(cached),
        "output_tokens": _base.number(usage.get("completion_tokens")),
        "reasoning_output_tokens": _base.number(made.get("reasoning_tokens")),
    }
