"""One answer of a local model, from loading the weights to the last token.

Long work is a job of the kernel; in between, each `feed` does what can be done now and
says which job is waited for next. Nothing here blocks.
"""

from __future__ import annotations

from agi_agent import _errors
from agi_agent.local import _conversation, _kernel, _model
from agi_agent.local._hold import hold
from agi_agent.local._reader import Reader
from agi_agent.local._sampling import sampling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import _agi_llama

    from agi_agent._wire import (
        LocalFeedAnswer,
        LocalSettings,
        ModelReply,
        ModelRequest,
    )

_LEAST_ANSWER = 256
"""Tokens that must be left for the answer, where the window is large enough."""
_OPEN_THOUGHT = "<think>"


class Stream:
    """One request and the answer to it."""

    def __init__(self, settings: LocalSettings, request: ModelRequest) -> None:
        """Start to load the model; where it is loaded this takes no time."""
        self.settings = settings
        self.request = request
        with _kernel.Errors():
            self._load: _agi_llama.Load = _kernel.module().load(settings["source"])
        self._model: _model.LocalModel | None = None
        self._context: _agi_llama.Context | None = None
        self._generation: _agi_llama.Generation | None = None
        self._reader: Reader | None = None
        self._grammar: str | None = None
        self._held_from_start = False
        self._written = ""

    @property
    def wait(self) -> int:
        """The job that is waited for."""
        job = self._generation or self._load
        return job.id

    def feed(self) -> LocalFeedAnswer:
        """Do what can be done now."""
        if self._generation is None:
            if not self._load.done:
                return {"deltas": [], "wait": self.wait, "stage": "load"}
            self._start()
            return {"deltas": [], "wait": self.wait, "stage": "read"}
        return self._take()

    def close(self) -> None:
        """End it, wherever it is."""
        if self._generation is not None:
            self._generation.cancel()
        if self._model is not None and self._context is not None:
            self._model.give_back(self._context)
        self._context = None

    def _start(self) -> None:
        """Write the prompt and let the kernel begin."""
        model = _model.loaded(self._load, self.settings["source"])
        self._model = model
        thinking = self.settings.get("thinking", True)
        answer = self.request.get("output_schema")
        request, hidden = _model.hide(model, self.request)
        text = _conversation.prompt(
            model.template,
            model.family,
            request,
            # A thought would have to come before the answer that the grammar holds.
            thinking=thinking and answer is None,
        )
        opened = text.rstrip().endswith(_OPEN_THOUGHT)
        tokens = model.tokens(text, hidden)
        most = self._room(len(tokens), model.window(self.settings))
        triggers = self._hold(opened)
        tools = [tool["name"] for tool in self.request.get("tools") or []]
        self._reader = Reader(
            model.family,
            tools,
            thinking=opened,
            calls_before=_conversation.calls_made(self.request),
        )
        with _kernel.Errors():
            self._context = model.take_context(self.settings, tokens)
            self._generation = self._context.generate(
                tokens,
                max_tokens=most,
                sampling=sampling(self.settings, self.request, model.kernel.metadata),
                grammar=self._grammar,
                grammar_triggers=triggers,
                stop=model.stops,
                markup=True,
                keep=self._front(tokens),
                shift=self.settings.get("context_shift", False),
                draft_tokens=self.settings.get("draft_tokens", 0),
            )

    def _room(self, prompt: int, window: int) -> int:
        """How many tokens the answer may have.

        Raises:
            ContextTooLongError: The conversation leaves too little.
        """
        asked = self.request.get("max_output_tokens")
        if asked is None:
            asked = self.settings.get("max_output_tokens")
        least = min(asked or _LEAST_ANSWER, _LEAST_ANSWER, window // 4)
        if prompt + least > window:
            message = (
                f"the conversation has {prompt} tokens and the model's window "
                f"{window}, of which {least} are kept for the answer"
            )
            hint = "raise `model.context_window`, or start a new conversation"
            raise _errors.ContextTooLongError(message, hint)
        if self.settings.get("context_shift"):
            return asked or 0
        return min(asked or window, window - prompt)

    def _front(self, tokens: list[int]) -> int:
        """How many tokens at the front a shift of the window must not drop."""
        model = self._model
        if model is None or not self.settings.get("context_shift"):
            return 0
        bare: ModelRequest = {**self.request, "messages": []}
        request, hidden = _model.hide(model, bare)
        try:
            text = _conversation.prompt(
                model.template, model.family, request, thinking=False
            )
        except _errors.InvalidRequestError:
            return 0
        front = model.tokens(text, hidden)
        pairs = zip(front, tokens, strict=False)
        return next((n for n, (a, b) in enumerate(pairs) if a != b), len(front))

    def _hold(self, opened: bool) -> list[str]:
        """Decide what the model may write; gives what makes the grammar begin."""
        if self._model is None:
            return []
        held = hold(self._model.family, self.settings, self.request, opened=opened)
        if held is None:
            return []
        self._grammar, self._held_from_start = held.grammar, held.whole
        return held.triggers

    def _take(self) -> LocalFeedAnswer:
        """Pass on what was written since."""
        generation, reader = self._generation, self._reader
        if generation is None or reader is None:
            message = "the stream has not begun"
            raise _errors.PayloadError(message)
        try:
            finish = generation.finish
        except _kernel.module().KernelError as error:
            # The tokens that began a call may not be those that its grammar has.
            message = f"the local model's answer broke off: {error}"
            raise _errors.MalformedError(message) from None
        text = generation.take()
        self._written += text
        deltas = reader.feed(text)
        if finish is None:
            return {"deltas": deltas, "wait": self.wait, "stage": "write"}
        if finish == "cancelled":
            message = "cancelled"
            raise _errors.CancelledError(message)
        cut = finish in ("length", "context")
        if cut and self._held_from_start and not reader.in_call:
            deltas += reader.feed(self._ending())
            cut = False
        cut = cut or reader.in_call
        deltas += reader.finish()
        return {"deltas": deltas, "reply": self._reply(generation, reader, cut)}

    def _ending(self) -> str:
        """The shortest text that makes a cut answer one that meets the schema."""
        from agi_agent.local.grammar._matcher import Grammar, Matcher

        matcher = Matcher(Grammar(self._grammar or 'root ::= ""'))
        _, mark, after = self._written.partition("</think>")
        written = mark + after if "</think>" in (self._grammar or "") else self._written
        return matcher.ending() if matcher.feed(written) else ""

    def _reply(
        self, generation: _agi_llama.Generation, reader: Reader, cut: bool
    ) -> ModelReply:
        stats = generation.stats
        calls = any(part["type"] == "tool_call" for part in reader.parts)
        thought = "".join(
            part["text"] for part in reader.parts if part["type"] == "reasoning"
        )
        model = self._model
        reasoning = 0
        if thought and model is not None:
            reasoning = len(model.kernel.tokenize(thought, special=False))
        stop: Any = "tool_calls" if calls else "end_turn"
        return {
            "message": {"role": "assistant", "parts": reader.parts},
            "stop": "max_tokens" if cut else stop,
            "usage": {
                "input_tokens": stats["prompt_tokens"],
                "cached_input_tokens": stats["cached_tokens"],
                "output_tokens": stats["output_tokens"],
                "reasoning_output_tokens": min(reasoning, stats["output_tokens"]),
            },
            "model": self.settings["name"],
        }
