"""Models of Hugging Face's transformers behind the same interface as the kernel's.

Runs in the child only (`hub`). Template, families, reading of answers are those of the
other local models; a grammar is kept by trying the likeliest tokens one after the other
against our own matcher.
"""

from __future__ import annotations

import queue
import re
import threading

from agi_agent import _errors
from agi_agent.local import _conversation, _families, _model
from agi_agent.local._reader import Reader
from agi_agent.local._sampling import sampling
from agi_agent.local.grammar import Caps, Rules, value_rule
from agi_agent.local.grammar._matcher import Grammar, Matcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PATIENCE = 0.1
"""Seconds that `feed` waits for text."""
_TRIED = 64
"""Tokens that a grammar leaves in the race."""

_models: dict[tuple[str, bool], TorchModel] = {}


class _Vocabulary:
    """A tokenizer of transformers in the form of the kernel's model."""

    def __init__(self, tokenizer: Any, window: int) -> None:
        self.tokenizer = tokenizer
        self.context_length = window
        self.is_encoder = False
        self.adds_bos = bool(getattr(tokenizer, "add_bos_token", False))
        ids = {"bos": tokenizer.bos_token_id, "eos": tokenizer.eos_token_id}
        self.special_tokens = {n: i for n, i in ids.items() if i is not None}
        # As text: what the tokenizer would read as a mark is a word like any other.
        self._marks = sorted(tokenizer.get_added_vocab(), key=len, reverse=True)

    def chat_template(self, name: str | None = None) -> str | None:
        text = self.tokenizer.chat_template
        if isinstance(text, dict):
            text = text.get(name or "default")
        elif name is not None:
            return None
        return text if isinstance(text, str) else None

    def tokenize(
        self, text: str, *, special: bool = True, markup: bool = False
    ) -> list[int]:
        found: list[int] = self.tokenizer.encode(
            text, add_special_tokens=special, split_special_tokens=not markup
        )
        return found

    def detokenize(self, tokens: list[int], *, markup: bool = False) -> bytes:
        text: str = self.tokenizer.decode(tokens, skip_special_tokens=not markup)
        return text.encode()


class TorchModel(_model.LocalModel):
    """Weights, tokenizer, template.

    Attributes:
        weights: The model of transformers.
        vocabulary: Its tokenizer.
    """

    def __init__(self, weights: Any, tokenizer: Any) -> None:
        """Read what the files say of themselves."""
        self.weights = weights
        window = getattr(weights.config, "max_position_embeddings", 0) or 0
        self.vocabulary = _Vocabulary(tokenizer, window)
        kernel: Any = self.vocabulary
        super().__init__(kernel)


def loaded(settings: Any) -> TorchModel:
    """Give a model, loading it where it is not in memory.

    Raises:
        ConfigurationError: It cannot be loaded.
    """
    name, trusted = settings["name"], bool(settings.get("trust_remote_code"))
    known = _models.get((name, trusted))
    if known is not None:
        return known
    import transformers

    options = {"trust_remote_code": trusted, "local_files_only": True}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, **options)
        weights = transformers.AutoModelForCausalLM.from_pretrained(name, **options)
    except (OSError, ValueError, ImportError) as error:
        line = " ".join(str(error).split())
        message = f"`{name}` cannot be loaded by transformers: {line[:300]}"
        hint = "give the directory of a model as `save_pretrained` writes it"
        if "trust_remote_code" in line:
            hint = (
                "its repository wants to run code of its own; where you trust it, name "
                "it in `model.transformers.trust_remote_code`"
            )
        raise _errors.ConfigurationError(message, hint) from None
    if settings.get("device"):
        weights = weights.to(settings["device"])
    model = TorchModel(weights.eval(), tokenizer)
    _models[name, trusted] = model
    return model


class Answer:
    """One answer, written on a thread of its own."""

    def __init__(self, model: TorchModel, settings: Any, request: Any) -> None:
        """Begin to write.

        Raises:
            ContextTooLongError: The conversation leaves no room.
        """
        self._model, self._settings, self._request = model, settings, request
        self._pieces: queue.Queue[str | None] = queue.Queue()
        self._failure: str | None = None
        self._stopped = threading.Event()
        schema = request.get("output_schema")
        plain, hidden = _model.hide(model, request)
        thinking = settings.get("thinking", True) and schema is None
        text = _conversation.prompt(
            model.template, model.family, plain, thinking=thinking
        )
        self._tokens = model.tokens(text, hidden)
        opened = text.rstrip().endswith("<think>")
        self._reader = Reader(
            model.family,
            [tool["name"] for tool in request.get("tools") or []],
            thinking=opened,
            calls_before=_conversation.calls_made(request),
        )
        self._written: list[int] = []
        self._cut = False
        self._room = self._left()
        threading.Thread(target=self._write, daemon=True).start()

    def stop(self) -> None:
        """End it with the next token."""
        self._stopped.set()

    def feed(self) -> Any:
        """Give what was written since, waiting a moment for it."""
        deltas: list[Any] = []
        try:
            piece = self._pieces.get(timeout=_PATIENCE)
            while piece is not None:
                deltas += self._reader.feed(piece)
                piece = self._pieces.get_nowait()
        except queue.Empty:
            return {"deltas": deltas}
        if self._failure is not None:
            raise _errors.ServerError(self._failure)
        cut = self._cut or self._reader.in_call
        deltas += self._reader.finish()
        return {"deltas": deltas, "reply": self._reply(cut)}

    def _left(self) -> int:
        window = self._settings.get("context_window") or _model.USUAL_WINDOW
        window = min(window, self._model.vocabulary.context_length or window)
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

    def _write(self) -> None:
        try:
            self._generate()
        except Exception as error:  # noqa: BLE001 - told by the next `feed`
            line = " ".join(f"{type(error).__name__}: {error}".split())
            self._failure = f"transformers failed: {line[:300]}"
        self._pieces.put(None)

    def _generate(self) -> None:
        import torch
        import transformers

        model, weights = self._model, self._model.weights
        metadata: dict[str, str] = {}
        chosen: Any = sampling(self._settings, self._request, metadata)
        options: dict[str, Any] = {"do_sample": chosen.get("temperature", 0) > 0}
        if options["do_sample"]:
            names = ("temperature", "top_p", "top_k", "min_p")
            options |= {name: chosen[name] for name in names if name in chosen}
        if "repeat_penalty" in chosen:
            options["repetition_penalty"] = chosen["repeat_penalty"]
        if "seed" in chosen:
            torch.manual_seed(chosen["seed"])
        keeper = _keeper(model, self._settings, self._request, len(self._tokens))
        if keeper is not None:
            kept = transformers.LogitsProcessorList([keeper])
            options["logits_processor"] = kept
        prompt = torch.tensor([self._tokens], device=weights.device)
        with torch.inference_mode():
            weights.generate(
                prompt,
                attention_mask=torch.ones_like(prompt),
                max_new_tokens=self._room,
                streamer=self,
                stopping_criteria=transformers.StoppingCriteriaList([self._is_over]),
                **options,
            )
        self._cut = len(self._written) >= self._room

    def _is_over(self, *_: Any, **__: Any) -> Any:
        import torch

        return torch.tensor([self._stopped.is_set()])

    def put(self, tokens: Any) -> None:
        """Take tokens from `generate`: the prompt first, then each as it comes."""
        new = tokens.flatten().tolist()
        if new[: len(self._tokens)] == self._tokens and not self._written:
            return
        tokenizer = self._model.vocabulary.tokenizer
        before = tokenizer.decode(self._written).rstrip("\ufffd")
        self._written += [t for t in new if t != tokenizer.eos_token_id]
        text = tokenizer.decode(self._written).rstrip("\ufffd")
        self._pieces.put(text[len(before) :])

    def end(self) -> None:
        """Take the end from `generate`; `_write` tells it."""

    def _reply(self, cut: bool) -> Any:
        parts = self._reader.parts
        calls = any(part["type"] == "tool_call" for part in parts)
        return {
            "message": {"role": "assistant", "parts": parts},
            "stop": "max_tokens" if cut else "tool_calls" if calls else "end_turn",
            "usage": {
                "input_tokens": len(self._tokens),
                "output_tokens": len(self._written),
            },
            "model": self._settings["name"],
        }


def _keeper(model: TorchModel, settings: Any, request: Any, start: int) -> Any:
    """What keeps the answer to its grammar; None where it is free."""
    tools, schema = request.get("tools") or [], request.get("output_schema")
    if not tools and schema is None:
        return None
    rules, choices = Rules(), []
    if tools:
        choices.append(_families.calls_rule(rules, model.family, tools, Caps()))
    if schema is not None:
        choices.append(value_rule(rules, schema, Caps()))
    trigger = model.family.trigger if schema is None else ""
    return _Keeper(model, Grammar(rules.text(" | ".join(choices))), trigger, start)


class _Keeper:
    """Leaves only those tokens in the race that the grammar allows next."""

    def __init__(
        self, model: TorchModel, grammar: Grammar, trigger: str, start: int
    ) -> None:
        self._tokenizer = model.vocabulary.tokenizer
        self._grammar = grammar
        self._trigger = trigger
        self._start = start

    def __call__(self, tokens: Any, scores: Any) -> Any:
        """Set what is not allowed to minus infinity."""
        written = tokens[0, self._start :].tolist()
        text = self._held(self._tokenizer.decode(written))
        if text is None:
            return scores
        matcher = Matcher(self._grammar)
        if not matcher.feed(text.rstrip("\ufffd")):
            return scores
        allowed = []
        for token in scores[0].argsort(descending=True).tolist():
            if self._fits(matcher, written, text, token):
                allowed.append(token)
            if len(allowed) >= _TRIED:
                break
        masked = scores.new_full(scores.shape, float("-inf"))
        masked[0, allowed] = scores[0, allowed]
        return masked

    def _held(self, text: str) -> str | None:
        """The part of the answer that the grammar holds for."""
        if not self._trigger:
            return text
        match = re.search(self._trigger, text)
        if match is None:
            return None
        return text[match.start(match.lastindex or 0) :]

    def _fits(
        self, matcher: Matcher, written: list[int], text: str, token: int
    ) -> bool:
        if token == self._tokenizer.eos_token_id:
            return matcher.complete
        longer = self._held(self._tokenizer.decode([*written, token])) or ""
        added = longer[len(text) :]
        if not added or "\ufffd" in added:
            return False
        return matcher.copy().feed(added)
