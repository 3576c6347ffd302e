"""Vectors of texts from a local model: the operations `embed.*` of `agi_agent._entry`.

The kernel does all of it (tokens, cutting, pooling, length 1); what is decided here is
which encoder serves whom. Encoders stay, so that the next texts find the model loaded.
"""

from __future__ import annotations

from agi_agent import _errors
from agi_agent.local import _kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import _agi_llama

    from agi_agent._entry import Buffer

_ENCODERS: dict[tuple[str, int, str, int], _agi_llama.Encoder] = {}
"""By source, threads, pooling and longest text."""

_STREAMS: dict[int, _Stream] = {}

_last_stream = 0


class _Stream:
    """Texts on their way: first the model is loaded, then they are computed."""

    def __init__(self, payload: Any) -> None:
        self._key = (
            payload["source"],
            payload["threads"],
            payload["pooling"],
            payload["max_tokens"],
        )
        self._texts: list[str] = payload["texts"]
        self._load: _agi_llama.Load | None = None
        self._vectors: _agi_llama.Vectors | None = None
        self._encoder = _ENCODERS.get(self._key)
        with _kernel.Errors():
            if self._encoder is None:
                self._load = _kernel.module().load(self._key[0])
            else:
                self._vectors = self._encoder.encode(self._texts)

    @property
    def wait(self) -> int:
        """The job that is waited for."""
        job = self._vectors or self._load
        return job.id if job is not None else 0

    def feed(self) -> tuple[Any, list[Buffer]]:
        """Do what can be done now."""
        with _kernel.Errors():
            if self._vectors is not None and self._encoder is not None:
                if not self._vectors.done:
                    return {"wait": self.wait}, []
                vectors = self._vectors.result()
                return {"dimension": self._encoder.dimension}, [vectors]
            if self._load is None or not self._load.done:
                return {"wait": self.wait}, []
            _, threads, pooling, max_tokens = self._key
            encoder: _agi_llama.Encoder = _kernel.module().Encoder(
                self._load.result(),
                pooling=pooling,
                n_threads=threads,
                max_tokens=max_tokens,
            )
            self._encoder = _ENCODERS[self._key] = encoder
            self._vectors = encoder.encode(self._texts)
        return {"wait": self.wait}, []


def open_stream(payload: Any) -> Any:
    """Begin; gives the stream's number, and the job that is waited for."""
    global _last_stream
    stream = _Stream(payload)
    _last_stream += 1
    _STREAMS[_last_stream] = stream
    return {"stream": _last_stream, "wait": stream.wait}


def feed(payload: Any, buffers: list[memoryview]) -> tuple[Any, list[Buffer]]:
    """Go on after news of the job; at the end the vectors are a buffer."""
    stream = _STREAMS.get(payload["stream"])
    if stream is None:
        message = f"there is no stream {payload['stream']}"
        raise _errors.PayloadError(message)
    try:
        answer, results = stream.feed()
    except BaseException:
        close(payload)
        raise
    if results:
        close(payload)
    return answer, results


def close(payload: Any) -> None:
    """Forget texts on their way; those that are gone already are no error."""
    _STREAMS.pop(payload["stream"], None)
