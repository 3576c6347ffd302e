"""From a directory that `save_pretrained` has written to a model in memory.

What is loaded is data: weights as safetensors, never as pickles, and no code of the
model's repository, unless the person has named the model. What cannot be loaded is said
in one line, with what to do.
"""

from __future__ import annotations

from importlib import machinery, util
from pathlib import Path

from agi_agent import _errors
from agi_agent.local import _model
from agi_agent.local.own_torch._pieces import Pieces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_models: dict[tuple[str, bool], TorchModel] = {}
_GIVE = "give the directory of a model as `save_pretrained` writes it"
_PIP = (
    "install them with `pip install --target DIR --python-version 3.13 "
    "--only-binary=:all: torch transformers`"
)
_NO_ROOM = ("can't allocate memory", "out of memory", "Cannot allocate memory")


class _Vocabulary:
    """A tokenizer of transformers in the form of the kernel's model."""

    def __init__(self, tokenizer: Any, window: int) -> None:
        self.tokenizer = tokenizer
        self.context_length = window
        self.is_encoder = False
        self.adds_bos = bool(getattr(tokenizer, "add_bos_token", False))
        ids = {"bos": tokenizer.bos_token_id, "eos": tokenizer.eos_token_id}
        self.special_tokens = {n: i for n, i in ids.items() if i is not None}

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
        pieces: The bytes of each token.
        ends: Tokens that end an answer.
        advice: What its makers say about sampling, under the keys of GGUF.
    """

    def __init__(self, weights: Any, tokenizer: Any, name: str) -> None:
        """Read what the files say of themselves; `name` is for errors."""
        self.weights = weights
        window = getattr(weights.config, "max_position_embeddings", 0) or 0
        self.vocabulary = _Vocabulary(tokenizer, window)
        kernel: Any = self.vocabulary
        super().__init__(kernel, name)
        self.pieces = Pieces(tokenizer)
        advice = weights.generation_config
        ends = advice.eos_token_id
        listed = ends if isinstance(ends, list) else [ends]
        all_ends = (*listed, tokenizer.eos_token_id)
        self.ends = frozenset(token for token in all_ends if token is not None)
        names = {"temperature": "temp", "repetition_penalty": "penalty_repeat"}
        self.advice: dict[str, str] = {}
        for name in ("temperature", "top_k", "top_p", "min_p", "repetition_penalty"):
            value = getattr(advice, name, None)
            if value is not None and advice.do_sample:
                key = f"general.sampling.{names.get(name, name)}"
                self.advice[key] = str(value)


def loaded(settings: Any) -> TorchModel:
    """Give a model, loading it where it is not in memory.

    Raises:
        ConfigurationError: The wheels or the model cannot be used.
        ServerError: It does not fit into memory.
    """
    name, trusted = settings["name"], bool(settings.get("trust_remote_code"))
    known = _models.get((name, trusted))
    if known is not None:
        return known
    _check_place(name)
    _check_room(name, settings.get("memory"))
    transformers = _libraries()
    options: dict[str, Any] = {"trust_remote_code": trusted, "local_files_only": True}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, **options)
        if not trusted:
            # A pickle is a program.
            options["use_safetensors"] = True
        weights = transformers.AutoModelForCausalLM.from_pretrained(name, **options)
        if settings.get("device"):
            weights = weights.to(settings["device"])
    except Exception as error:  # noqa: BLE001 - whatever it is, the person is told
        raise _refused(name, error) from None
    if settings.get("threads"):
        import torch

        torch.set_num_threads(settings["threads"])
    model = TorchModel(weights.eval(), tokenizer, name)
    _models[name, trusted] = model
    return model


def _check_place(name: str) -> None:
    """A path has to be there; another name may be one of the hub's cache."""
    looks = name.startswith(("/", ".", "~")) or name.count("/") > 1 or "\\" in name
    if looks and not Path(name).is_dir():
        message = f"there is no directory `{name}`"
        raise _errors.ConfigurationError(message, _GIVE)


def _check_room(name: str, room: int | None) -> None:
    """Refuse weights that are larger than what the system can give."""
    files = Path(name).glob("*.safetensors")
    weights = sum(path.stat().st_size for path in files)
    if room is not None and weights > room:
        message = (
            f"the model needs more than {weights / 1e9:.1f} GB of memory, "
            f"{room / 1e9:.1f} GB can be had"
        )
        raise _errors.ServerError(message, "take a smaller model, or free memory")


def _libraries() -> Any:
    """Import torch and transformers; gives the latter.

    Raises:
        ConfigurationError: They are not for this interpreter, or not whole.
    """
    spec = util.find_spec("torch")
    for place in (spec and spec.submodule_search_locations) or []:
        found = [path.name for path in Path(place).glob("_C.*")]
        ours = machinery.EXTENSION_SUFFIXES[0]
        if found and not any(name == f"_C{ours}" for name in found):
            theirs = found[0].split(".")[1]
            message = (
                f"the wheels of torch are for `{theirs}`, this interpreter is "
                f"`{ours.split('.')[1]}`"
            )
            raise _errors.ConfigurationError(message, _PIP)
    try:
        import torch  # noqa: F401 - transformers goes on without and fails later
        import transformers
    except Exception as error:  # noqa: BLE001 - a wheel may fail in any way
        message = f"torch and transformers cannot be imported: {_line(error)}"
        raise _errors.ConfigurationError(message, _PIP) from None
    return transformers


def _refused(name: str, error: Exception) -> _errors.ModelCallError:
    line = _line(error)
    if isinstance(error, MemoryError) or any(words in line for words in _NO_ROOM):
        message = f"`{name}` does not fit into memory: {line}"
        return _errors.ServerError(message, "take a smaller model, or free memory")
    message = f"`{name}` cannot be loaded by transformers: {line}"
    hint = _GIVE
    if "trust_remote_code" in line:
        message = f"`{name}` wants to run code of its own repository"
        hint = "where you trust it, name it in `model.transformers.trust_remote_code`"
    elif "safetensors" in line and isinstance(error, OSError):
        message = f"`{name}` has no weights as safetensors: {line}"
        hint = (
            "pickled weights can run code; convert them, or name the model in "
            "`model.transformers.trust_remote_code`"
        )
    return _errors.ConfigurationError(message, hint)


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def failure(error: Exception) -> _errors.ModelCallError:
    """What an exception out of torch means."""
    line = _line(error)
    if isinstance(error, MemoryError) or any(words in line for words in _NO_ROOM):
        message = f"transformers ran out of memory: {line}"
        hint = "lower `model.context_window`, or take a smaller model"
        return _errors.ServerError(message, hint)
    return _errors.ServerError(f"transformers failed: {line}")
