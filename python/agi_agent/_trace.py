"""Spans of the Python side, collected here and fetched by Rust after each call.

Rust turns them into `tracing` events (`src/bridge/python/attached.rs`); nothing is
written from here. Collecting is off unless Rust's tracing is on, and then bounded.
"""

from __future__ import annotations

from time import perf_counter_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

_BOUND = 1000

enabled = False
"""Set by Rust before a call, following the level of its own subscriber."""

finished: list[tuple[str, int, int]] = []
"""Name, start (ns of the monotonic clock), duration (ns); in order of end."""


class span:  # noqa: N801 - reads as a statement: `with span("render"):`
    """Measures the block under it: `with span("adapter.open"): ...`."""

    __slots__ = ("_name", "_start")

    def __init__(self, name: str) -> None:
        """Name the span; words with dots, no values."""
        self._name = name
        self._start = 0

    def __enter__(self) -> None:
        """Start the clock."""
        if enabled:
            self._start = perf_counter_ns()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """Record the span; an exception passes through."""
        if self._start and len(finished) < _BOUND:
            now = perf_counter_ns()
            finished.append((self._name, self._start, now - self._start))
