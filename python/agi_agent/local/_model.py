"""A loaded model with what belongs to it: template, family, contexts, safe prompts.

Models and contexts live as long as the process, so that the next turn finds the weights
in memory and its prompt read up to the first difference.
"""

from __future__ import annotations

import re

from agi_agent import _errors
from agi_agent.local import _kernel
from agi_agent.local._families import JSON, Family, family_of
from agi_agent.local._template import ChatTemplate, bundled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import _agi_llama

    from agi_agent._wire import LocalSettings, ModelRequest

USUAL_WINDOW = 8192
"""Tokens of the window where nobody has said how many; the model may have fewer."""
_CONTEXTS = 2
"""Contexts per model that are kept for the next turn."""
_MARKUP = re.compile(r"<[^<>\n]{1,60}>|\[[A-Z_/ ]{2,30}\]")
"""What a control token may look like."""
_HIDDEN = re.compile("\ue0f0([0-9]+)\ue0f1")
"""A place in a prompt where a text stands that only looks like a control token."""

_models: dict[str, LocalModel] = {}


class LocalModel:
    """A model in memory.

    Attributes:
        kernel: The kernel's object.
        template: Its chat template, or the one that stands in for it.
        family: How it writes tool calls.
        stops: Texts that end its turn, where no token does.
    """

    def __init__(self, kernel: _agi_llama.Model, source: str) -> None:
        """Read what the file says of itself; `source` is for errors."""
        self.kernel = kernel
        marks = kernel.special_tokens
        self._bos, eos = (self._mark(marks.get(name)) for name in ("bos", "eos"))
        text = kernel.chat_template()
        if text is not None:
            # Some files keep a template of its own for conversations with tools.
            text = kernel.chat_template("tool_use") or text
        self.stops: list[str] = []
        if text is None and kernel.tokenize(
            "<|im_start|>", special=False, markup=True
        ) != kernel.tokenize("<|im_start|>", special=False):
            text = bundled("chatml")
        is_plain = text is None
        if text is None:
            text = bundled("plain")
            self.stops = ["\nUser:", "\nSystem:"]
        self.template = ChatTemplate(text, self._bos, eos, owner=f"`{source}`")
        self.family: Family = JSON if is_plain else family_of(self.template)
        self._contexts: list[tuple[_agi_llama.Context, bool]] = []
        self._looks: dict[str, bool] = {}

    def window(self, settings: LocalSettings) -> int:
        """Give the tokens that a conversation may have, answer included."""
        trained = self.kernel.context_length or USUAL_WINDOW
        return settings.get("context_window") or min(trained, USUAL_WINDOW)

    def take_context(
        self, settings: LocalSettings, prompt: list[int]
    ) -> _agi_llama.Context:
        """Give a context that nobody uses, the one that has read most of `prompt`.

        It belongs to the caller until `give_back`.
        """
        window = self.window(settings)
        free = [
            (_shared(context.tokens, prompt), number)
            for number, (context, busy) in enumerate(self._contexts)
            if not busy and context.n_ctx >= window
        ]
        if free:
            number = max(free)[1]
            known = self._contexts[number][0]
            self._contexts[number] = (known, True)
            return known
        self._contexts = [entry for entry in self._contexts if entry[1]]
        context: _agi_llama.Context = _kernel.module().Context(
            self.kernel, n_ctx=window, n_threads=settings.get("threads") or 0
        )
        self._contexts.append((context, True))
        return context

    def give_back(self, context: _agi_llama.Context) -> None:
        """End the use of a context."""
        idle = [entry for entry in self._contexts if entry[0] is not context]
        self._contexts = [*idle, (context, False)][-_CONTEXTS:]

    def is_disguised(self, text: str) -> bool:
        """Say whether a text would be read as a control token, and is none."""
        found = self._looks.get(text)
        if found is None:
            as_text = self.kernel.tokenize(text, special=False)
            found = self.kernel.tokenize(text, special=False, markup=True) != as_text
            self._looks[text] = found
        return found

    def tokens(self, prompt: str, hidden: list[str]) -> list[int]:
        """Read a prompt; what `hide` has taken out is read as plain text."""
        pieces = _HIDDEN.split(prompt)
        # A template that writes the first token itself does not get it twice.
        starts = not (self._bos and prompt.startswith(self._bos))
        found: list[int] = []
        for number, piece in enumerate(pieces):
            if number % 2:
                text = hidden[int(piece)]
                found += self.kernel.tokenize(text, special=False)
            elif piece or number == 0:
                special = starts and number == 0 and self.kernel.adds_bos
                found += self.kernel.tokenize(piece, special=special, markup=True)
        return found

    def _mark(self, token: int | None) -> str:
        if token is None:
            return ""
        return self.kernel.detokenize([token], markup=True).decode("utf-8", "replace")


def hide(model: LocalModel, request: ModelRequest) -> tuple[ModelRequest, list[str]]:
    """Take out of a request what pretends to be the model's own markup.

    `<|im_end|>` in a file that was read must not end the message that shows it. Gives
    the request with marks in those places, and the texts for `LocalModel.tokens`.
    """
    hidden: list[str] = []

    def replaced(match: re.Match[str]) -> str:
        text = match[0]
        if not model.is_disguised(text):
            return text
        hidden.append(text)
        return f"\ue0f0{len(hidden) - 1}\ue0f1"

    def walk(value: Any) -> Any:
        if isinstance(value, str):
            # A mark of ours in the text would point at something else.
            plain = value.replace("\ue0f0", "\ufffd").replace("\ue0f1", "\ufffd")
            return _MARKUP.sub(replaced, plain)
        if isinstance(value, list):
            return [walk(item) for item in value]
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items()}
        return value

    return walk(request), hidden


def loaded(job: _agi_llama.Load, source: str) -> LocalModel:
    """Give the model that a job has loaded.

    Raises:
        ConfigurationError: The file cannot be used.
        ServerError: It does not fit into memory.
    """
    known = _models.get(source)
    if known is not None:
        return known
    with _kernel.Errors():
        kernel = job.result()
    if kernel.is_encoder:
        message = f"`{source}` is a model for embeddings, it does not write text"
        hint = "`agi-agent model list` names those that do"
        raise _errors.ConfigurationError(message, hint)
    model = _models[source] = LocalModel(kernel, source)
    return model


def _shared(one: list[int], other: list[int]) -> int:
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count
