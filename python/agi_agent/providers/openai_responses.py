"""OpenAI's Responses.

Nothing is stored at the provider (`store: false`): the whole conversation is sent each
time, and the reasoning of earlier turns goes back in its encrypted form.
"""

from __future__ import annotations

from agi_agent.providers import _base

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from agi_agent import _wire

_REASONING_DELTAS = (
    "response.reasoning_text.delta",
    "response.reasoning_summary_text.delta",
)
_LAST = ("response.completed", "response.incomplete", "response.failed")


class Responses(_base.Adapter):
    """One call of `/responses`."""

    def __init__(
        self, settings: _wire.AdapterSettings, request: _wire.ModelRequest
    ) -> None:
        """Keep what to ask and start with an empty reply."""
        super().__init__(settings, request)
        self._items: dict[int, dict[str, Any]] = {}
        self._response: dict[str, Any] | None = None

    def http(self) -> _wire.HttpRequest:
        """Give the HTTP request."""
        effort = self.settings.get("reasoning_effort")
        schema = self.schema()
        text = None
        if schema is not None:
            strict = _base.is_strict(schema)
            form = {"type": "json_schema", "name": "answer", "schema": schema}
            text = {"format": {**form, "strict": strict}}
        include = ["reasoning.encrypted_content"] if self._reasons() else None
        return self.post(
            "/responses",
            {
                "model": self.settings["name"],
                "instructions": self.system() or None,
                "input": _input(self.request["messages"]),
                "text": text,
                "max_output_tokens": self.max_output_tokens(),
                "temperature": self.temperature(),
                "reasoning": {"effort": effort} if effort else None,
                "include": include,
                "store": False,
                "stream": True,
            },
        )

    def tools(self, tools: list[_wire.ToolSpec]) -> list[dict[str, Any]]:
        """Give each as a function that is not held to a strict schema."""
        return [{"type": "function", "strict": False, **tool} for tool in tools]

    def feed(self, event: str, data: str) -> None:
        """Take one event, or the whole body."""
        if not data.strip() or data.strip() == "[DONE]":
            return
        value = _base.parse(data)
        kind = "body" if event == "body" else value.get("type") or event
        if kind in ("response.output_text.delta", "response.refusal.delta"):
            self.say("text", _base.text_of(value.get("delta")))
        elif kind in _REASONING_DELTAS:
            self.say("reasoning", _base.text_of(value.get("delta")))
        elif kind == "response.output_item.done":
            index = value.get("output_index")
            at = index if isinstance(index, int) else len(self._items)
            self.hold(data)
            self._items[at] = _base.dict_of(value.get("item"))
        elif kind in _LAST:
            self._end(_base.dict_of(value.get("response")))
        elif kind == "error" or (kind == "body" and value.get("error")):
            _base.raise_stream_error(value.get("error") or value)
        elif kind == "body":
            self._end(value)

    def reply(self) -> _wire.ModelReply:
        """Give the whole reply."""
        response = self._response
        if response is None:
            raise _base.incomplete()
        items = _base.list_of(response.get("output"))
        if not items:
            items = [self._items[at] for at in sorted(self._items)]
        parts: list[_wire.Part] = []
        refused = False
        for item in items:
            refused = _add(parts, _base.dict_of(item)) or refused
        stop: _base.Stop = "refusal" if refused else "end_turn"
        why = _base.dict_of(response.get("incomplete_details")).get("reason")
        if response.get("status") == "incomplete":
            stop = "refusal" if why == "content_filter" else "max_tokens"
        model = _base.text_of(response.get("model")) or self.settings["name"]
        usage = _usage(_base.dict_of(response.get("usage")))
        return _base.finish(parts, stop, usage, model)

    def _end(self, response: dict[str, Any]) -> None:
        if response.get("status") == "failed" or response.get("error"):
            _base.raise_stream_error(response.get("error"))
        if response.get("status") in ("completed", "incomplete"):
            self._response = response
            self.finished = True

    def _reasons(self) -> bool:
        """Guess whether the model reasons; others refuse to be asked for it."""
        name = self.settings["name"].rpartition("/")[2]
        if self.settings.get("reasoning_effort"):
            return True
        if name.startswith("gpt-"):
            return name[4:5].isdigit() and int(name[4]) >= 5 and "chat" not in name
        return name[:1] == "o" and name[1:2].isdigit()


def _input(messages: list[_wire.Message]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for message in messages:
        if message["role"] == "user":
            items.append({"role": "user", "content": _content(message["parts"])})
            continue
        for part in message["parts"]:
            if part["type"] == "tool_result":
                text = _base.result_text(part)
                items.append(
                    {
                        "type": "function_call_output",
                        "call_id": part["call_id"],
                        "output": text,
                    }
                )
            elif part["type"] == "tool_call":
                items.append(
                    {
                        "type": "function_call",
                        "call_id": part["id"],
                        "name": part["name"],
                        "arguments": part["arguments"],
                    }
                )
            elif part["type"] == "reasoning":
                item = _base.dict_of(part.get("opaque")).get("item")
                if isinstance(item, dict):
                    items.append(item)
            elif part["type"] == "text" and part["text"]:
                said = [
                    {"type": "output_text", "text": part["text"], "annotations": []}
                ]
                items.append({"type": "message", "role": "assistant", "content": said})
    return items


def _content(parts: list[_wire.Part]) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    for part in parts:
        if part["type"] == "text":
            content.append({"type": "input_text", "text": part["text"]})
        elif part["type"] == "image":
            url = _base.data_url(part)
            content.append({"type": "input_image", "image_url": url})
    return content


def _add(parts: list[_wire.Part], item: dict[str, Any]) -> bool:
    """Add an output item; say whether it is a refusal."""
    kind = item.get("type")
    if kind == "function_call":
        parts.append(
            {
                "type": "tool_call",
                "id": _base.text_of(item.get("call_id") or item.get("id")),
                "name": _base.text_of(item.get("name")),
                "arguments": _base.text_of(item.get("arguments")).strip() or "{}",
            }
        )
    elif kind == "reasoning":
        pieces = _base.list_of(item.get("summary")) + _base.list_of(item.get("content"))
        text = "\n\n".join(_base.text_of(_base.dict_of(p).get("text")) for p in pieces)
        part: _wire.ReasoningPart = {"type": "reasoning", "text": text}
        if item.get("encrypted_content"):
            kept = ("type", "id", "summary", "encrypted_content")
            part["opaque"] = {"item": {key: item[key] for key in kept if key in item}}
        parts.append(part)
    elif kind == "message":
        refused = False
        for piece in map(_base.dict_of, _base.list_of(item.get("content"))):
            refused = refused or piece.get("type") == "refusal"
            text = _base.text_of(piece.get("text") or piece.get("refusal"))
            if text:
                parts.append({"type": "text", "text": text})
        return refused
    return False


def _usage(usage: dict[str, Any]) -> _wire.Usage:
    given = _base.dict_of(usage.get("input_tokens_details"))
    made = _base.dict_of(usage.get("output_tokens_details"))
    return {
        "input_tokens": _base.number(usage.get("input_tokens")),
        "cached_input_tokens": _base.number(given.get("cached_tokens")),
        "output_tokens": _base.number(usage.get("output_tokens")),
        "reasoning_output_tokens": _base.number(made.get("reasoning_tokens")),
    }
