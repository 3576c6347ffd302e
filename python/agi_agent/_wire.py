"""The values that cross the border, as types.

They mirror the serde forms of `src/protocol`; contracts/wire/*.json holds samples that
the tests of both languages read. Only type checkers import this module (it needs
`typing`, which is slow to load): put the import under `TYPE_CHECKING`.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class ToolCall(TypedDict):
    """A call as the model wrote it; `arguments` is JSON text, not parsed."""

    id: str
    name: str
    arguments: str


class ToolResult(TypedDict):
    """What came of a call, as the model is told."""

    call_id: str
    name: str
    text: str
    data: NotRequired[Any]
    origin: NotRequired[str]
    is_error: NotRequired[bool]


class TextPart(TypedDict):
    """Plain text."""

    type: Literal["text"]
    text: str


class ImagePart(TypedDict):
    """An image as input; `data` is standard base64."""

    type: Literal["image"]
    media_type: str
    data: str


class ReasoningPart(TypedDict):
    """What the model thought aloud; `opaque` goes back to the provider unchanged."""

    type: Literal["reasoning"]
    text: str
    opaque: NotRequired[Any]


class ToolCallPart(ToolCall):
    """A tool call inside a message."""

    type: Literal["tool_call"]


class ToolResultPart(ToolResult):
    """A tool result inside a message."""

    type: Literal["tool_result"]


Part = TextPart | ImagePart | ReasoningPart | ToolCallPart | ToolResultPart


class Message(TypedDict):
    """One turn of one speaker."""

    role: Literal["user", "assistant", "tool"]
    parts: list[Part]


class ToolSpec(TypedDict):
    """A tool as it is offered to a model; `parameters` is a JSON Schema."""

    name: str
    description: str
    parameters: dict[str, Any]


class ModelRequest(TypedDict):
    """The whole conversation so far."""

    system: NotRequired[str]
    messages: list[Message]
    tools: NotRequired[list[ToolSpec]]
    output_schema: NotRequired[dict[str, Any]]
    max_output_tokens: NotRequired[int]
    temperature: NotRequired[float]


class Usage(TypedDict):
    """Token counts as the provider reported them."""

    input_tokens: int
    output_tokens: int
    cached_input_tokens: NotRequired[int]
    reasoning_output_tokens: NotRequired[int]


class ModelReply(TypedDict):
    """The whole reply, after the stream has ended well."""

    message: Message
    stop: Literal["end_turn", "tool_calls", "max_tokens", "refusal", "failed"]
    usage: Usage
    model: str


class TextDelta(TypedDict):
    """A piece of the answer; deltas of other kinds are made by Rust."""

    type: Literal["text", "reasoning"]
    text: str


class ToolCallDelta(TypedDict):
    """A piece of the arguments of a call; the first of each call has none."""

    type: Literal["tool_call"]
    index: int
    name: str
    arguments: str


ModelErrorKind = Literal[
    "authentication",
    "rate_limited",
    "server",
    "invalid_request",
    "context_too_long",
    "unreachable",
    "network_forbidden",
    "timeout",
    "malformed",
    "outside_builtin",
    "replay_diverged",
    "interpreter",
    "configuration",
    "cancelled",
]


class ChatPayload(TypedDict):
    """Payload of `chat`."""

    provider: Literal["builtin"]
    request: ModelRequest


class ChatAnswer(TypedDict):
    """Answer of `chat`."""

    deltas: list[TextDelta]
    reply: ModelReply


class AdapterSettings(TypedDict):
    """What an adapter needs to know of the settings; never a key."""

    name: str
    api: Literal["chat", "responses"]
    max_output_tokens: NotRequired[int | None]
    temperature: NotRequired[float | None]
    reasoning_effort: NotRequired[str | None]
    base_url: NotRequired[str | None]
    native_schema: NotRequired[bool]


class OpenPayload(TypedDict):
    """Payload of `adapter.open`; the tools come as a buffer of JSON text."""

    provider: Literal["openai", "anthropic"]
    settings: AdapterSettings
    request: ModelRequest


class HttpHead(TypedDict):
    """What Rust sends before the body; it adds the key in the way `auth` names."""

    method: Literal["POST"]
    path: str
    headers: dict[str, str]


class HttpRequest(HttpHead):
    """A whole request."""

    body: str


class OpenAnswer(TypedDict):
    """Answer of `adapter.open`; the body comes as a buffer."""

    stream: int
    http: HttpHead
    auth: Literal["bearer", "x-api-key"]


class StreamEvent(TypedDict):
    """One server-sent event; a whole JSON body comes as the event `body`."""

    event: str
    data: str


class FeedPayload(TypedDict):
    """Payload of `adapter.feed`."""

    stream: int
    events: list[StreamEvent]
    done: bool


class FeedAnswer(TypedDict):
    """Answer of `adapter.feed`; `reply` closes the stream."""

    deltas: list[TextDelta]
    finished: bool
    held: int
    """Bytes of the reply so far."""
    reply: NotRequired[ModelReply]


class ClosePayload(TypedDict):
    """Payload of `adapter.close`."""

    stream: int
    complete: bool


class CloseAnswer(TypedDict):
    """Answer of `adapter.close`; `reply` is missing when nothing was complete."""

    reply: NotRequired[ModelReply]


class SamplingSettings(TypedDict):
    """How tokens are chosen; what is missing is the model's or the kernel's."""

    temperature: NotRequired[float | None]
    top_p: NotRequired[float | None]
    top_k: NotRequired[int | None]
    min_p: NotRequired[float | None]
    seed: NotRequired[int | None]
    repeat_penalty: NotRequired[float | None]


class LocalSettings(TypedDict):
    """What the person configured of a local model."""

    source: str
    name: str
    context_window: NotRequired[int | None]
    max_output_tokens: NotRequired[int | None]
    temperature: NotRequired[float | None]
    threads: NotRequired[int | None]
    sampling: NotRequired[SamplingSettings]
    thinking: NotRequired[bool]
    tool_choice: NotRequired[Literal["auto", "required"]]
    context_shift: NotRequired[bool]
    draft_tokens: NotRequired[int]


class LocalOpenPayload(TypedDict):
    """Payload of `local.open`."""

    model: LocalSettings
    request: ModelRequest


class LocalOpenAnswer(TypedDict):
    """Answer of `local.open`: `wait` is the number of a job."""

    stream: int
    wait: int


class LocalStreamPayload(TypedDict):
    """Payload of `local.feed` and `local.close`."""

    stream: int


class LocalFeedAnswer(TypedDict):
    """Answer of `local.feed`: either what is waited for next, or the reply."""

    deltas: list[TextDelta | ToolCallDelta]
    wait: NotRequired[int]
    stage: NotRequired[Literal["load", "read", "write"]]
    reply: NotRequired[ModelReply]


class ErrorPayload(TypedDict):
    """Payload of `adapter.error`: an HTTP error as it came."""

    provider: Literal["openai", "anthropic"]
    status: int
    headers: dict[str, str]
    body: str


class ErrorAnswer(TypedDict):
    """Answer of `adapter.error`."""

    kind: ModelErrorKind
    message: str
    retry_after_s: NotRequired[float | None]
    retry: NotRequired[bool]
    hint: NotRequired[str]
