"""Answers on their way: the operations `local.*` of `agi_agent._entry`.

Imported only when a local model is used: a run with a remote model pays nothing.
"""

from __future__ import annotations

from agi_agent import _errors
from agi_agent.local._stream import Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agi_agent import _wire

_STREAMS: dict[int, Stream] = {}
"""Answers on their way, by the number that Rust was given."""

_last_stream = 0


def open_stream(payload: _wire.LocalOpenPayload) -> _wire.LocalOpenAnswer:
    """Begin an answer; gives its number, and the job that is waited for."""
    global _last_stream
    stream = Stream(payload["model"], payload["request"])
    _last_stream += 1
    _STREAMS[_last_stream] = stream
    return {"stream": _last_stream, "wait": stream.wait}


def feed(payload: _wire.LocalStreamPayload) -> _wire.LocalFeedAnswer:
    """Go on after news of the job; gives what was said, and what is waited for next."""
    number = payload["stream"]
    stream = _STREAMS.get(number)
    if stream is None:
        message = f"there is no stream {number}"
        raise _errors.PayloadError(message)
    answer = stream.feed()
    if "reply" in answer:
        close(payload)
    return answer


def close(payload: _wire.LocalStreamPayload) -> None:
    """Forget an answer, whole or not; one that is gone already is no error."""
    stream = _STREAMS.pop(payload["stream"], None)
    if stream is not None:
        stream.close()
