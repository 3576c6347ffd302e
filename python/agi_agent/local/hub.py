"""The child that runs models of the person's own torch and transformers.

Started as `agi-agent python -m agi_agent.local.hub` by
`src/bridge/models/transformers`, with the person's wheels on the path. Reads one JSON
line per request from standard input (`op`, `payload`) and writes one per answer
(`answer` or `error`). Models come from the disk: the hub's client is told to stay
offline, and on Linux the process has no network (`python --child`). Code of a model's
repository runs only where the person has named the model
(`model.transformers.trust_remote_code`).
"""

from __future__ import annotations

import os
import sys

from agi_agent import _errors, _json_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO, Any

    from agi_agent.local.own_torch._answer import Answer

_LAST_TOKEN = 0.8
"""Seconds that an answer has to end when it is told to; then the child is ended."""
_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY")


class Hub:
    """The operations of this child, and the answer on its way."""

    def __init__(self) -> None:
        """Load nothing."""
        self._answer: Answer | None = None
        self._number = 0
        self.operations: dict[str, Callable[[Any], Any]] = {
            "hub.open": self._open,
            "hub.feed": self._feed,
            "hub.close": self._close,
        }

    def handle(self, line: str) -> str:
        """Carry out one request; gives the line of the answer."""
        try:
            call = _json_text.loads(line)
            answer = self.operations[call["op"]](call["payload"])
            return _json_text.dumps({"answer": answer})
        except _errors.ModelCallError as error:
            told = {"kind": error.kind, "message": str(error), "hint": error.hint}
        except Exception as error:  # noqa: BLE001 - the child goes on, Rust is told
            message = " ".join(f"{type(error).__name__}: {error}".split())[:500]
            told = {"kind": "interpreter", "message": message, "hint": None}
        return _json_text.dumps({"error": told})

    def _open(self, payload: Any) -> Any:
        from agi_agent.local.own_torch._answer import Answer

        if self._answer is not None:
            self._answer.stop(_LAST_TOKEN)
        self._answer = Answer(payload["model"], payload["request"])
        self._number += 1
        return {"stream": self._number}

    def _feed(self, payload: Any) -> Any:
        if self._answer is None or payload["stream"] != self._number:
            message = f"there is no stream {payload['stream']}"
            raise _errors.PayloadError(message)
        return self._answer.feed()

    def _close(self, _payload: Any) -> Any:
        """End the answer on its way; says whether it has ended."""
        answer, self._answer = self._answer, None
        return {"ended": answer is None or answer.stop(_LAST_TOKEN)}


def serve(requests: IO[str], answers: IO[str]) -> None:
    """Answer requests until there are no more."""
    hub = Hub()
    for line in requests:
        answers.write(hub.handle(line) + "\n")
        answers.flush()


def main() -> None:
    """Serve standard input; whatever libraries print goes to standard error."""
    for name in _OFFLINE:
        os.environ[name] = "1"
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(sys.stdin, answers)
    # A thread of torch may compute for minutes; nobody waits for what it finds.
    os._exit(0)


if __name__ == "__main__":
    main()
