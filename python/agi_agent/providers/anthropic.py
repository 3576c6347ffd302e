"""Anthropic's Messages.

The prompt is marked for the provider's cache at three places: after the tools, which
stay the same for all runs, after the system prompt, which stays for this one, and at
the end of the conversation, which the next turn begins with. The schema of an answer
goes into `output_config.format`; where it breaks that mode's rules it is asked for in
words and checked by Rust.
"""

from __future__ import annotations

from agi_agent import _json_text
from agi_agent.providers import _base

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from agi_agent import _wire

_VERSION = "2023-06-01"
_MAX_TOKENS = 16_000
"""The API wants a bound; this one fits all current models."""

_CACHED = {"type": "ephemeral"}
_PIECES = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}
"""Kinds of deltas, and the field of each that goes on with its block."""
_COUNTS = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)
_STOPS: dict[str, _base.Stop] = {
    "end_turn": "end_turn",
    "stop_sequence": "end_turn",
    "pause_turn": "end_turn",
    "tool_use": "tool_calls",
    "max_tokens": "max_tokens",
    "model_context_window_exceeded": "max_tokens",
    "refusal": "refusal",
}


class Messages(_base.Adapter):
    """One call of `/v1/messages`."""

    auth = "x-api-key"

    def __init__(
        self, settings: _wire.AdapterSettings, request: _wire.ModelRequest
    ) -> None:
        """Keep what to ask and start with an empty reply."""
        super().__init__(settings, request)
        self._blocks: dict[int, _Block] = {}
        self._stop: str | None = None
        self._usage: dict[str, Any] = {}
        self._model = settings["name"]

    def http(self) -> _wire.HttpRequest:
        """Give the HTTP request."""
        effort = self.settings.get("reasoning_effort")
        output: dict[str, Any] = {"effort": effort} if effort else {}
        schema = self.schema()
        if schema is not None:
            output["format"] = {"type": "json_schema", "schema": schema}
        system: list[dict[str, Any]] = []
        if self.system():
            system = [{"type": "text", "text": self.system(), "cache_control": _CACHED}]
        return self.post(
            "/v1/messages",
            {
                "model": self.settings["name"],
                "max_tokens": self.max_output_tokens() or _MAX_TOKENS,
                "system": system or None,
                "messages": _messages(self.request["messages"]),
                # Models that think take no other temperature than their own.
                "temperature": None if effort else self.temperature(),
                "thinking": {"type": "adaptive"} if effort else None,
                "output_config": output or None,
                "stream": True,
            },
            {"anthropic-version": _VERSION},
        )

    def tools(self, tools: list[_wire.ToolSpec]) -> list[dict[str, Any]]:
        """Give them, marked at the end: they stay when the system prompt changes."""
        written: list[dict[str, Any]] = [
            {
                "name": tool["name"],
                "description": tool["description"],
                "input_schema": tool["parameters"],
            }
            for tool in tools
        ]
        written[-1]["cache_control"] = _CACHED
        return written

    def schema(self) -> dict[str, Any] | None:
        """Give the schema where the provider's mode can enforce it."""
        schema = super().schema()
        return schema if schema is not None and _base.is_strict(schema) else None

    def feed(self, event: str, data: str) -> None:
        """Take one event, or the whole body."""
        if not data.strip():
            return
        value = _base.parse(data)
        kind = value.get("type") or event
        if kind == "content_block_delta":
            self._delta(_index(value), _base.dict_of(value.get("delta")))
        elif kind == "content_block_start":
            block = _Block(_base.dict_of(value.get("content_block")))
            self._blocks[_index(value)] = block
            self.hold(data)
            self.say("text", block.text("text"))
        elif kind == "message_start":
            message = _base.dict_of(value.get("message"))
            self._model = _base.text_of(message.get("model")) or self._model
            self._count(message)
        elif kind == "message_delta":
            delta = _base.dict_of(value.get("delta"))
            self._stop = _base.text_of(delta.get("stop_reason")) or self._stop
            self._count(value)
        elif kind == "message_stop":
            self.finished = self._stop is not None
        elif kind == "error":
            _base.raise_stream_error(value.get("error"))
        elif event == "body" and kind == "message":
            self._whole(value)

    def reply(self) -> _wire.ModelReply:
        """Give the whole reply."""
        if not self.finished or self._stop is None:
            raise _base.incomplete()
        blocks = (self._blocks[at] for at in sorted(self._blocks))
        parts = [part for part in map(_part, blocks) if part is not None]
        stop = _STOPS.get(self._stop, "end_turn")
        return _base.finish(parts, stop, _usage(self._usage), self._model)

    def _delta(self, index: int, delta: dict[str, Any]) -> None:
        block = self._blocks.get(index)
        if block is None:
            raise _base.incomplete()
        kind = _base.text_of(delta.get("type"))
        field = _PIECES.get(kind)
        if field is None:
            return
        text = _base.text_of(delta.get(field))
        block.add(field, text)
        if field == "text":
            self.say("text", text)
        elif field == "thinking":
            self.say("reasoning", text)
        else:
            self.hold(text)

    def _count(self, value: dict[str, Any]) -> None:
        """Take counts: they are cumulative, and what is null was told before."""
        usage = _base.dict_of(value.get("usage"))
        for name in _COUNTS:
            if usage.get(name) is not None:
                self._usage[name] = usage[name]

    def _whole(self, message: dict[str, Any]) -> None:
        self._model = _base.text_of(message.get("model")) or self._model
        self._count(message)
        blocks = map(_base.dict_of, _base.list_of(message.get("content")))
        self._blocks = dict(enumerate(map(_Block, blocks)))
        self._stop = _base.text_of(message.get("stop_reason")) or None
        self.finished = self._stop is not None
        for block in self._blocks.values():
            self.say("text", block.text("text"))


class _Block:
    """A block under construction: how it began, and what came in pieces since."""

    def __init__(self, start: dict[str, Any]) -> None:
        self.start = start
        self._pieces: dict[str, list[str]] = {}

    def add(self, field: str, text: str) -> None:
        self._pieces.setdefault(field, []).append(text)

    def text(self, field: str) -> str:
        """Give the text of a field so far."""
        start = _base.text_of(self.start.get(field))
        return start + "".join(self._pieces.get(field, ()))


def _index(value: dict[str, Any]) -> int:
    index = value.get("index")
    return index if isinstance(index, int) else 0


def _part(block: _Block) -> _wire.Part | None:
    """Turn a finished block into a part; kinds we did not ask for are dropped."""
    start = block.start
    kind = start.get("type")
    if kind == "text":
        return {"type": "text", "text": block.text("text")}
    if kind == "tool_use":
        # A streamed input comes as text in pieces; the object is empty then.
        written = block.text("partial_json")
        arguments = written or _json_text.dumps(start.get("input") or {})
        return {
            "type": "tool_call",
            "id": _base.text_of(start.get("id")),
            "name": _base.text_of(start.get("name")),
            "arguments": arguments,
        }
    if kind == "thinking":
        opaque = {"signature": block.text("signature")}
        return {"type": "reasoning", "text": block.text("thinking"), "opaque": opaque}
    if kind == "redacted_thinking":
        data = _base.text_of(start.get("data"))
        return {"type": "reasoning", "text": "", "opaque": {"redacted": data}}
    return None


def _messages(messages: list[_wire.Message]) -> list[dict[str, Any]]:
    """Give the conversation: two speakers in turn, tool results first in the user's."""
    said: list[dict[str, Any]] = []
    for message in messages:
        role = "assistant" if message["role"] == "assistant" else "user"
        blocks = [block for block in map(_block, message["parts"]) if block is not None]
        if said and said[-1]["role"] == role:
            said[-1]["content"].extend(blocks)
        elif blocks:
            said.append({"role": role, "content": blocks})
    if said:
        last = said[-1]["content"][-1]
        if last["type"] not in ("thinking", "redacted_thinking"):
            last["cache_control"] = _CACHED
    return said


def _block(part: _wire.Part) -> dict[str, Any] | None:
    if part["type"] == "text":
        # The API refuses empty blocks.
        return {"type": "text", "text": part["text"]} if part["text"].strip() else None
    if part["type"] == "image":
        source = {
            "type": "base64",
            "media_type": part["media_type"],
            "data": part["data"],
        }
        return {"type": "image", "source": source}
    if part["type"] == "tool_call":
        return {
            "type": "tool_use",
            "id": _id(part["id"]),
            "name": part["name"],
            "input": _arguments(part["arguments"]),
        }
    if part["type"] == "tool_result":
        block: dict[str, Any] = {
            "type": "tool_result",
            "tool_use_id": _id(part["call_id"]),
            "content": part["text"] or "(no output)",
        }
        if part.get("is_error"):
            block["is_error"] = True
        return block
    opaque = _base.dict_of(part.get("opaque"))
    if opaque.get("redacted"):
        return {"type": "redacted_thinking", "data": opaque["redacted"]}
    if opaque.get("signature"):
        thinking = {"type": "thinking", "thinking": part["text"]}
        return {**thinking, "signature": opaque["signature"]}
    # Somebody else's reasoning: nothing this provider could check.
    return None


def _id(call_id: str) -> str:
    """Keep to the characters that the API allows; same in, same out."""
    kept = (c if (c.isascii() and c.isalnum()) or c in "_-" else "_" for c in call_id)
    return "".join(kept) or "call"


def _arguments(text: str) -> dict[str, Any]:
    """Give arguments as an object; broken ones are shown to the model as they were."""
    try:
        value = _json_text.loads(text)
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {"invalid_json": text}


def _usage(usage: dict[str, Any]) -> _wire.Usage:
    cached = _base.number(usage.get("cache_read_input_tokens"))
    written = _base.number(usage.get("cache_creation_input_tokens"))
    return {
        "input_tokens": _base.number(usage.get("input_tokens")) + cached + written,
        "cached_input_tokens": cached,
        "output_tokens": _base.number(usage.get("output_tokens")),
    }
