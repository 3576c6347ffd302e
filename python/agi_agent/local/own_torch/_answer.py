"""One answer, written on a thread of its own: loading, prompt, tokens, end.

`feed` gives what was written since, and waits only a moment: the child stays able to
answer, and to be told to stop.
"""

from __future__ import annotations

import codecs
import queue
import threading

from agi_agent import _errors
from agi_agent.local import _conversation, _model
from agi_agent.local._hold import hold
from agi_agent.local._reader import Reader
from agi_agent.local._sampling import sampling
from agi_agent.local.own_torch import _loading
from agi_agent.local.own_torch._keeper import Keeper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    from agi_agent.local.own_torch._loading import TorchModel

_PATIENCE = 0.1
"""Seconds that `feed` waits for text."""


class Answer:
    """A request and the answer to it; what `generate` calls a streamer."""

    def __init__(self, settings: Any, request: Any) -> None:
        """Begin."""
        self._settings, self._request = settings, request
        self._pieces: queue.Queue[str | None] = queue.Queue()
        self._failure: _errors.ModelCallError | None = None
        self._stopped = threading.Event()
        self._stage: Literal["load", "read", "write"] = "load"
        self._reader: Reader | None = None
        self._keeper: Keeper | None = None
        self._held_whole = False
        self._writer: _Writer | None = None
        self._prompt_seen = False
        self._tokens: list[int] = []
        self._written = 0
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self, patience: float) -> bool:
        """End it with the next token; says whether it has ended by then."""
        self._stopped.set()
        self._thread.join(patience)
        return not self._thread.is_alive()

    def feed(self) -> Any:
        """Give what was written since, waiting a moment for it.

        Raises:
            ModelCallError: It has failed.
        """
        deltas: list[Any] = []
        try:
            piece = self._pieces.get(timeout=_PATIENCE)
            while piece is not None:
                if self._reader is not None:
                    deltas += self._reader.feed(piece)
                piece = self._pieces.get_nowait()
        except queue.Empty:
            return {"deltas": deltas, "stage": self._stage}
        if self._failure is not None:
            raise self._failure
        reader = self._reader
        if self._stopped.is_set() or reader is None:
            message = "cancelled"
            raise _errors.CancelledError(message)
        cut = not self._ended
        if cut and self._held_whole and self._keeper is not None and not reader.in_call:
            deltas += reader.feed(self._keeper.ending())
            cut = False
        cut = cut or reader.in_call
        deltas += reader.finish()
        return {"deltas": deltas, "reply": self._reply(reader, cut)}

    def _run(self) -> None:
        try:
            model = _loading.loaded(self._settings)
            self._stage = "read"
            if not self._stopped.is_set():
                room = self._prepare(model)
                self._generate(model, room)
        except _errors.ModelCallError as error:
            self._failure = error
        except Exception as error:  # noqa: BLE001 - told by the next `feed`
            self._failure = _loading.failure(error)
        finally:
            self._pieces.put(None)

    def _prepare(self, model: TorchModel) -> int:
        """Write the prompt; gives how many tokens the answer may have."""
        request, settings = self._request, self._settings
        plain, hidden = _model.hide(model, request)
        thinking = settings.get("thinking", True)
        text = _conversation.prompt(
            model.template,
            model.family,
            plain,
            thinking=thinking and request.get("output_schema") is None,
        )
        self._tokens = model.tokens(text, hidden)
        opened = text.rstrip().endswith("<think>")
        self._reader = Reader(
            model.family,
            [tool["name"] for tool in request.get("tools") or []],
            thinking=opened,
            calls_before=_conversation.calls_made(request),
        )
        held = hold(model.family, settings, request, opened=opened)
        self._held_whole = held is not None and held.whole
        if held is not None:
            start = len(self._tokens)
            self._keeper = Keeper(held, model.pieces, model.ends, start)
        return self._room(model)

    def _room(self, model: TorchModel) -> int:
        """How many tokens the answer may have.

        Raises:
            ContextTooLongError: The conversation leaves none.
        """
        window = self._settings.get("context_window") or _model.USUAL_WINDOW
        window = min(window, model.vocabulary.context_length or window)
        left: int = window - len(self._tokens)
        if left < 1:
            message = (
                f"the conversation has {len(self._tokens)} tokens and the model's "
                f"window {window}"
            )
            raise _errors.ContextTooLongError(message)
        asked = self._request.get("max_output_tokens")
        if asked is None:
            asked = self._settings.get("max_output_tokens")
        return min(asked or left, left)

    def _generate(self, model: TorchModel, room: int) -> None:
        import torch
        import transformers

        writer = self._writer = _Writer(model, self._pieces)
        weights = model.weights
        options = self._options(model)
        if self._keeper is not None:
            kept = transformers.LogitsProcessorList([self._keeper])
            options["logits_processor"] = kept
        prompt = torch.tensor([self._tokens], device=weights.device)
        with torch.inference_mode():
            weights.generate(
                prompt,
                attention_mask=torch.ones_like(prompt),
                max_new_tokens=room,
                streamer=self,
                stopping_criteria=transformers.StoppingCriteriaList([self._is_over]),
                **options,
            )
        writer.finish()
        self._ended = writer.ended

    def _options(self, model: TorchModel) -> dict[str, Any]:
        """Sampling in the words of `generate`."""
        chosen: Any = sampling(self._settings, self._request, model.advice)
        options: dict[str, Any] = {"do_sample": chosen.get("temperature", 0) > 0}
        if options["do_sample"]:
            names = ("temperature", "top_p", "top_k", "min_p")
            options |= {name: chosen[name] for name in names if name in chosen}
        if "repeat_penalty" in chosen:
            options["repetition_penalty"] = chosen["repeat_penalty"]
        if "seed" in chosen:
            import torch

            torch.manual_seed(chosen["seed"])
        return options

    def _is_over(self, tokens: Any, *_: Any, **__: Any) -> Any:
        ended = self._writer is not None and self._writer.ended
        over = self._stopped.is_set() or ended
        return tokens.new_full((tokens.shape[0],), over).bool()

    def put(self, tokens: Any) -> None:
        """Take tokens from `generate`: the prompt first, then each as it comes."""
        if not self._prompt_seen:
            self._prompt_seen = True
            return
        self._stage = "write"
        for token in tokens.flatten().tolist():
            self._written += 1
            if self._writer is not None:
                self._writer.take(token)

    def end(self) -> None:
        """Take the end from `generate`; `_run` tells it."""

    def _reply(self, reader: Reader, cut: bool) -> Any:
        calls = any(part["type"] == "tool_call" for part in reader.parts)
        return {
            "message": {"role": "assistant", "parts": reader.parts},
            "stop": "max_tokens" if cut else "tool_calls" if calls else "end_turn",
            "usage": {
                "input_tokens": len(self._tokens),
                "output_tokens": self._written,
            },
            "model": self._settings["name"],
        }


class _Writer:
    """Turns tokens into text, up to a token or a text that ends the answer."""

    def __init__(self, model: TorchModel, pieces: queue.Queue[str | None]) -> None:
        self.ended = False
        self._model, self._out = model, pieces
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def take(self, token: int) -> None:
        if self.ended or token in self._model.ends:
            self.ended = True
            return
        self._say(self._decoder.decode(self._model.pieces.of(token)))

    def finish(self) -> None:
        self._say(self._decoder.decode(b"", final=True))
        if self._held and not self.ended:
            self._out.put(self._held)

    def _say(self, text: str) -> None:
        """Pass on what can no longer become a text that ends the answer."""
        self._held += text
        stops = self._model.stops
        places = [self._held.find(stop) for stop in stops]
        found = [place for place in places if place >= 0]
        if found:
            self._held, self.ended = self._held[: min(found)], True
        kept = 0
        if not self.ended:
            for stop in stops:
                for length in range(min(len(stop) - 1, len(self._held)), kept, -1):
                    if stop.startswith(self._held[-length:]):
                        kept = length
                        break
        ready = self._held[: len(self._held) - kept]
        self._held = self._held[len(ready) :]
        if ready:
            self._out.put(ready)
