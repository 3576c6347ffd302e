"""The one function that Rust calls, and the table of what it can be asked.

An operation takes the parsed payload and gives a value that JSON can hold. Its module
is imported at its first call, so that a run pays only for the provider it uses.
Nothing here waits, opens connections or files, or prints: Rust does all of that.
"""

from __future__ import annotations

import gc
import sys

import agi_agent
from agi_agent import _errors, _json_text, _trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Buffer = bytes | memoryview
    Operation = Callable[[Any], Any]
    BufferOperation = Callable[[Any, list[memoryview]], tuple[Any, list[Buffer]]]

# What a call makes is gone after it without the collector, which would look for cycles
# after every 2,000 objects, in each start several times.
gc.set_threshold(20_000)
# Rust starts the interpreter without it.
gc.enable()

MODULES: dict[str, tuple[str, str]] = {
    "adapter.feed": ("agi_agent.providers", "feed"),
    "adapter.close": ("agi_agent.providers", "close"),
    "adapter.error": ("agi_agent.providers", "error"),
    "chat": ("agi_agent.builtin", "chat"),
    "local.open": ("agi_agent.local._streams", "open_stream"),
    "local.feed": ("agi_agent.local._streams", "feed"),
    "local.close": ("agi_agent.local._streams", "close"),
    "embed.open": ("agi_agent.local.embedding", "open_stream"),
    "embed.close": ("agi_agent.local.embedding", "close"),
    "embed.request": ("agi_agent.providers.embeddings", "request"),
}
"""Operation to module and function; the function takes the payload."""

BUFFER_MODULES: dict[str, tuple[str, str]] = {
    "adapter.open": ("agi_agent.providers", "open_stream"),
    "embed.feed": ("agi_agent.local.embedding", "feed"),
    "embed.response": ("agi_agent.providers.embeddings", "response"),
}
"""The same for functions that take and give byte buffers as well."""


def _health(payload: Any) -> Any:
    """Say which interpreter this is; `payload` is ignored."""
    return {
        "python": ".".join(map(str, sys.version_info[:3])),
        "version": agi_agent.__version__,
        "modules": len(sys.modules),
    }


def _echo(payload: Any, buffers: list[memoryview]) -> tuple[Any, list[Buffer]]:
    """Give everything back: payload, and the very same memory as buffers."""
    return payload, [*buffers]


OPERATIONS: dict[str, Operation] = {"health": _health}
"""Operations that are loaded."""

BUFFER_OPERATIONS: dict[str, BufferOperation] = {"echo": _echo}
"""Operations that take and give byte buffers as well."""


def _load(op: str) -> None:
    """Import the operation's module at its first use."""
    place = MODULES.get(op) or BUFFER_MODULES.get(op)
    if place is None:
        message = f"there is no operation `{op}`"
        raise _errors.PayloadError(message)
    module, name = place
    with _trace.span(f"import {module}"):
        __import__(module)
    function = getattr(sys.modules[module], name)
    if op in BUFFER_MODULES:
        BUFFER_OPERATIONS[op] = function
    else:
        OPERATIONS[op] = function


def handle(
    op: str, payload: str, buffers: list[memoryview]
) -> tuple[str, list[Buffer]]:
    """Carry out one operation.

    Args:
        op: A key of the tables above.
        payload: JSON text.
        buffers: Memory that Rust lends, read-only, valid as long as it is referenced.

    Returns:
        The answer as JSON text, and read-only contiguous buffers of bytes. Rust reads
        their memory without a copy, so nobody may change it afterwards.
    """
    with _trace.span(op):
        try:
            value = _json_text.loads(payload)
        except ValueError as error:
            message = f"payload of `{op}`: {error}"
            raise _errors.PayloadError(message) from None
        if op not in OPERATIONS and op not in BUFFER_OPERATIONS:
            _load(op)
        results: list[Buffer] = []
        operation = OPERATIONS.get(op)
        if operation is not None:
            answer = operation(value)
        else:
            answer, results = BUFFER_OPERATIONS[op](value, buffers)
        return _json_text.dumps(answer), results
