"""Remote models without I/O: requests out, events in.

An adapter turns a provider-neutral request into an HTTP request and is fed the events
of the response. Rust sends, receives, retries and adds the key. The four last functions
here are the operations `adapter.*` of `agi_agent._entry`; each provider's dialect is
imported at its first use only.
"""

from __future__ import annotations

from agi_agent import _errors, _json_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agi_agent import _wire
    from agi_agent._entry import Buffer
    from agi_agent.providers import _base

_STREAMS: dict[int, _base.Adapter] = {}
"""Replies on their way, by the number that Rust was given."""

_last_stream = 0

_last_tools: tuple[bytes, list[_wire.ToolSpec]] = (b"", [])
"""What came last as tools, and what it says: a conversation offers them each time."""


def open_adapter(
    provider: str, settings: _wire.AdapterSettings, request: _wire.ModelRequest
) -> _base.Adapter:
    """Make the adapter for one request.

    Args:
        provider: `openai` or `anthropic`.
        settings: What the person configured, without any key.
        request: The conversation so far.

    Returns:
        An adapter whose `http` is what to send.

    Raises:
        ConfigurationError: There is no such provider.
    """
    if provider == "anthropic":
        from agi_agent.providers import anthropic

        return anthropic.Messages(settings, request)
    if provider == "openai" and settings.get("api") == "responses":
        from agi_agent.providers import openai_responses

        return openai_responses.Responses(settings, request)
    if provider == "openai":
        from agi_agent.providers import openai_chat

        return openai_chat.ChatCompletions(settings, request)
    message = f"there is no model provider `{provider}`"
    raise _errors.ConfigurationError(message)


def open_stream(
    payload: _wire.OpenPayload, buffers: list[memoryview]
) -> tuple[_wire.OpenAnswer, list[Buffer]]:
    """Begin a reply: what to send, and the number under which events are fed.

    Args:
        payload: The request; its `tools` come apart, as they rarely change.
        buffers: Nothing, or JSON text of the tools.

    Returns:
        The answer, and the body: written into the answer it would be JSON text in JSON
        text, which costs as much as all else here.
    """
    global _last_stream
    request = payload["request"]
    if buffers:
        request["tools"] = _tools(bytes(buffers[0]))
    adapter = open_adapter(payload["provider"], payload["settings"], request)
    http = adapter.http()
    _last_stream += 1
    _STREAMS[_last_stream] = adapter
    head: _wire.HttpHead = {
        "method": http["method"],
        "path": http["path"],
        "headers": http["headers"],
    }
    answer: _wire.OpenAnswer = {
        "stream": _last_stream,
        "http": head,
        "auth": adapter.auth,
    }
    return answer, [http["body"].encode()]


def feed(payload: _wire.FeedPayload) -> _wire.FeedAnswer:
    """Take events of a response, in order; a reply that is whole is given and closed.

    Raises:
        MalformedError: An event is broken, or what is finished is no reply.
    """
    adapter = _stream(payload["stream"])
    adapter.deltas = []
    for event in payload["events"]:
        if adapter.finished:
            break
        adapter.feed(event["event"], event["data"])
    answer: _wire.FeedAnswer = {
        "deltas": adapter.deltas,
        "finished": adapter.finished,
        "held": adapter.held,
    }
    if adapter.finished:
        del _STREAMS[payload["stream"]]
        answer["reply"] = adapter.reply()
    return answer


def close(payload: _wire.ClosePayload) -> _wire.CloseAnswer:
    """End a reply; what was not complete is dropped.

    Raises:
        MalformedError: It should be complete and is not.
    """
    if not payload["complete"]:
        # It may have been closed by its last event.
        _STREAMS.pop(payload["stream"], None)
        return {}
    adapter = _stream(payload["stream"])
    del _STREAMS[payload["stream"]]
    return {"reply": adapter.reply()}


def error(payload: _wire.ErrorPayload) -> _wire.ErrorAnswer:
    """Say in one line what an HTTP error means."""
    from agi_agent.providers import _http_error

    return _http_error.describe(payload["status"], payload["body"])


def _tools(text: bytes) -> list[_wire.ToolSpec]:
    """Read tools; the same text gives the same list, so that adapters know it again."""
    global _last_tools
    if text != _last_tools[0]:
        _last_tools = (text, _json_text.loads(str(text, "utf-8")))
    return _last_tools[1]


def _stream(number: int) -> _base.Adapter:
    try:
        return _STREAMS[number]
    except KeyError:
        message = f"there is no stream {number}"
        raise _errors.PayloadError(message) from None
