"""What all adapters share: the reply under construction and small readings of JSON.

Providers' JSON is read leniently (what is missing counts as empty) except where that
would invent an answer.
"""

from __future__ import annotations

from agi_agent import _errors, _json_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    from agi_agent import _wire

    Stop = Literal["end_turn", "tool_calls", "max_tokens", "refusal"]


class Adapter:
    """One request to a model and the reply to it.

    Attributes:
        auth: How Rust adds the key.
        deltas: What the events fed last have added to the reply.
        finished: The reply is whole; further events do not matter.
        held: Bytes of the reply so far, all of which is in memory. Rust bounds it.
    """

    auth: Literal["bearer", "x-api-key"] = "bearer"
    _written_tools: tuple[list[_wire.ToolSpec], str] | None = None
    """Of each dialect: the tools written last, and their text."""

    def __init__(
        self, settings: _wire.AdapterSettings, request: _wire.ModelRequest
    ) -> None:
        """Keep what to ask; nothing is computed yet."""
        self.settings = settings
        self.request = request
        self.deltas: list[_wire.TextDelta] = []
        self.finished = False
        self.held = 0

    def http(self) -> _wire.HttpRequest:
        """Give the HTTP request, without the key."""
        raise NotImplementedError

    def feed(self, event: str, data: str) -> None:
        """Take one event; `body` is a whole answer that was not streamed."""
        raise NotImplementedError

    def reply(self) -> _wire.ModelReply:
        """Give the whole reply.

        Raises:
            MalformedError: The stream ended before the reply did.
        """
        raise NotImplementedError

    def tools(self, tools: list[_wire.ToolSpec]) -> list[dict[str, Any]]:
        """Say in this dialect what the model can call; depends on nothing else."""
        raise NotImplementedError

    def post(
        self, path: str, body: dict[str, Any], headers: dict[str, str] | None = None
    ) -> _wire.HttpRequest:
        """Put a body into a request; entries that are None are left out.

        The tools are added at its end: as text, since they are the larger part of most
        requests and the same in all of a conversation.
        """
        body = {key: value for key, value in body.items() if value is not None}
        text = _json_text.dumps(body)
        tools = self.request.get("tools")
        if tools:
            text = f'{text[:-1]},"tools":{self._write_tools(tools)}}}'
        return {
            "method": "POST",
            "path": path,
            "headers": {"content-type": "application/json", **(headers or {})},
            "body": text,
        }

    def _write_tools(self, tools: list[_wire.ToolSpec]) -> str:
        written = self._written_tools
        if written is None or written[0] is not tools:
            written = (tools, _json_text.dumps(self.tools(tools)))
            type(self)._written_tools = written
        return written[1]

    def say(self, kind: Literal["text", "reasoning"], text: str) -> None:
        """Pass on a piece of text as it arrives."""
        if text:
            self.hold(text)
            self.deltas.append({"type": kind, "text": text})

    def hold(self, text: str) -> None:
        """Count what is kept, whoever keeps it."""
        ascii_only = text.isascii()
        self.held += len(text if ascii_only else text.encode("utf-8", "surrogatepass"))

    def max_output_tokens(self) -> int | None:
        """Give the bound of this request, else that of the settings."""
        asked = self.request.get("max_output_tokens")
        return asked if asked is not None else self.settings.get("max_output_tokens")

    def temperature(self) -> float | None:
        """Give the temperature of this request, else that of the settings."""
        asked = self.request.get("temperature")
        return asked if asked is not None else self.settings.get("temperature")

    def is_own_endpoint(self) -> bool:
        """Say whether the provider's own servers are asked, not compatible ones."""
        return not self.settings.get("base_url")

    def schema(self) -> dict[str, Any] | None:
        """Give the schema of the answer where the server is to enforce it."""
        if self.settings.get("native_schema") is False:
            return None
        return self.request.get("output_schema")

    def system(self) -> str:
        """Give the system prompt, with the schema in words where no server takes it."""
        system = self.request.get("system") or ""
        schema = self.request.get("output_schema")
        if schema is None or self.schema() is not None:
            return system
        text = _json_text.dumps(schema)
        ask = f"Your final answer must be only JSON that meets this schema: {text}"
        return f"{system}\n\n{ask}" if system else ask


def parse(data: str) -> dict[str, Any]:
    """Read the JSON object of an event.

    Raises:
        MalformedError: It is not one.
    """
    try:
        value = _json_text.loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        shown = data if len(data) <= 60 else data[:60] + "…"
        message = f"the answer holds broken JSON: `{one_line(shown)}`"
        raise _errors.MalformedError(message)
    return value


def incomplete() -> _errors.MalformedError:
    """Make the error for a stream that ended too early."""
    return _errors.MalformedError("the answer ended before it was complete")


def finish(
    parts: list[_wire.Part], stop: Stop, usage: _wire.Usage, model: str
) -> _wire.ModelReply:
    """Put a reply together.

    Raises:
        MalformedError: There is nothing in it and no reason given.
    """
    calls = any(part["type"] == "tool_call" for part in parts)
    if calls and stop == "end_turn":
        stop = "tool_calls"
    if stop == "tool_calls" and not calls:
        stop = "end_turn"
    said = calls or any(part["type"] == "text" and part["text"] for part in parts)
    if stop == "end_turn" and not said:
        message = "the answer is empty: neither text nor a tool call"
        raise _errors.MalformedError(message)
    return {
        "message": {"role": "assistant", "parts": parts},
        "stop": stop,
        "usage": usage,
        "model": model,
    }


def number(value: Any) -> int:
    """Read a token count; nothing, nonsense and what no counter holds count as 0."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value) if 0 < value < 2**53 else 0
    return 0


def text_of(value: Any) -> str:
    """Read a text; anything else counts as empty."""
    return value if isinstance(value, str) else ""


def dict_of(value: Any) -> dict[str, Any]:
    """Read an object; anything else counts as empty."""
    return value if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    """Read an array; anything else counts as empty."""
    return value if isinstance(value, list) else []


def one_line(text: str) -> str:
    """Put a text on one line of at most 300 characters."""
    line = " ".join(text.split())
    return line if len(line) <= 300 else line[:299] + "…"


def plain_text(parts: list[_wire.Part]) -> str:
    """Join the text parts."""
    return "".join(part["text"] for part in parts if part["type"] == "text")


def result_text(part: _wire.ToolResultPart) -> str:
    """Give a tool result for dialects that cannot mark errors."""
    text = part["text"]
    if part.get("is_error") and not text.lower().startswith("error"):
        return f"error: {text}"
    return text


def data_url(part: _wire.ImagePart) -> str:
    """Give an image as a URL that carries it."""
    return f"data:{part['media_type']};base64,{part['data']}"


def is_strict(schema: Any) -> bool:
    """Say whether a schema keeps the rules of the providers' strict modes.

    Each object must list all its properties as required and allow no others.
    """
    if isinstance(schema, list):
        return all(is_strict(item) for item in schema)
    if not isinstance(schema, dict):
        return True
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, dict):
        required = list_of(schema.get("required"))
        if schema.get("additionalProperties") is not False:
            return False
        if any(name not in required for name in dict_of(properties)):
            return False
    return all(is_strict(value) for value in schema.values())


def raise_stream_error(error: Any) -> None:
    """Turn an error that came inside a stream into an exception.

    Raises:
        ModelCallError: Always; which one depends on what the provider calls it.
    """
    from agi_agent.providers import _http_error

    raise _http_error.in_stream(error)
