"""The inference kernel (llama.cpp), built into the executable; types for Python.

The code is `src/bridge/llama/`; a build without the Cargo feature `local` has no such
module. docs/local-models.md tells how the parts work together. Python decides what is
computed (template, grammar, sampling, recipe); this module computes.

Long work is a *job*: it runs on a thread of its own and never needs the interpreter.
`Job.id` handed to Rust (an operation that answers `{"wait": id}`) makes Rust wait for
news and call again; `Job.wait` is for code that may block.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict, final

class KernelError(RuntimeError):
    """The kernel refused or failed; one line, values in backticks."""

class TooLargeError(KernelError):
    """It would not fit into memory; the text has the numbers. Raised before loading."""

class Header(TypedDict):
    """What a GGUF file says of itself, read without loading it."""

    architecture: str
    """`llama`, `qwen2`, `qwen3`, `gemma`, `bert`, ..."""
    name: str | None
    file_size: int
    """Bytes of the GGUF (of all of a split model's that is named: of this part)."""
    weights: int
    """Bytes of the tensors."""
    parameters: int
    context_length: int
    """Tokens the model was trained for; 0 when the file does not say."""
    embedding_length: int
    blocks: int
    cache_per_token: int
    """Bytes of key and value cache per token at 16 bits."""
    metadata: dict[str, Any]
    """Every key; arrays longer than 64 entries are their length as an `int`."""

class Estimate(TypedDict):
    """Bytes that a model needs with a context of so many tokens."""

    weights: int
    cache: int
    compute: int
    total: int
    available: int
    """What the system can give now (`MemAvailable`, bounded by the cgroup)."""

class Bundled(TypedDict):
    """A model inside our own executable; its source is `embedded:NAME`."""

    name: str
    size: int

class Cpu(TypedDict):
    """Which kernels run here."""

    kernel: Literal["sse42", "haswell", "icelake"]
    features: list[str]
    version: str
    """Of llama.cpp."""

class Sampling(TypedDict, total=False):
    """How a token is chosen; what is absent is off.

    Without `temperature`, or with 0, the likeliest token is taken. Order: bias,
    penalties, top_k, typical, top_p, min_p, temperature, draw; a grammar refuses what
    was drawn, and then the draw is repeated among what it allows.
    """

    temperature: float
    top_k: int
    top_p: float
    min_p: float
    typical_p: float
    seed: int
    repeat_penalty: float
    repeat_last_n: int
    frequency_penalty: float
    presence_penalty: float
    logit_bias: Mapping[int, float]

class Stats(TypedDict):
    """Of one generation."""

    prompt_tokens: int
    cached_tokens: int
    """Of the prompt: found in the context and not computed again."""
    prompt_ms: float
    output_tokens: int
    output_ms: float
    drafted: int
    accepted: int
    """Of the drafted (guessed) tokens."""
    shifted: int
    """Tokens that were dropped from the context to make room."""

def header(source: str) -> Header:
    """Read the header of a GGUF file; `source` as for `load`.

    Raises:
        KernelError: No such file, or it is no GGUF.
    """

def estimate(source: str, n_ctx: int, kv_type: str = "f16") -> Estimate:
    """What the model would need; loads nothing."""

def bundled() -> list[Bundled]:
    """Models that were appended to this executable."""

def cpu() -> Cpu:
    """Which of the compiled kernels this machine runs."""

class Job:
    """Work on a thread of its own. Dropping the object cancels the work."""

    @property
    def id(self) -> int:
        """Under which Rust knows it."""
    @property
    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
    @property
    def progress(self) -> float:
        """From 0 to 1; of a generation: of its prompt."""
    def wait(self, timeout: float) -> bool:
        """Wait (detached) for the end or, with a generation, for text.

        Gives false when the time is up.
        """
    def cancel(self) -> None:
        """Stop within 100 ms; returns at once. A result asked for then raises."""

@final
class Load(Job):
    """A model on its way into memory."""

    def result(self) -> Model:
        """The model; waits for it.

        Raises:
            KernelError: It cannot be loaded, or the job was cancelled.
            TooLargeError: It does not fit into memory.
        """

@final
class Vectors(Job):
    """Texts on their way to vectors."""

    def result(self) -> bytes:
        """float32, little-endian, `len(texts) * dimension`; waits for it."""

@final
class Generation(Job):
    """A text being written."""

    def take(self) -> str:
        """What was written since the last call.

        Whole characters only, nothing of a stop string and nothing that may turn out to
        begin one.
        """
    @property
    def finish(self) -> Literal["stop", "length", "context", "cancelled"] | None:
        """Why it ended; `None` while it runs. `stop`: end token or stop string.

        Raises:
            KernelError: It failed.
        """
    @property
    def stop_string(self) -> str | None:
        """The stop string that ended it."""
    @property
    def tokens(self) -> list[int]:
        """All tokens written so far."""
    @property
    def stats(self) -> Stats: ...

@final
class Model:
    """Weights and vocabulary; loading a file again gives the same ones."""

    @property
    def source(self) -> str: ...
    @property
    def metadata(self) -> dict[str, str]:
        """Scalar keys of the file, as text."""
    @property
    def description(self) -> str:
        """Such as `llama 1B Q8_0`."""
    @property
    def context_length(self) -> int: ...
    @property
    def embedding_length(self) -> int: ...
    @property
    def vocabulary_size(self) -> int: ...
    @property
    def parameters(self) -> int: ...
    @property
    def size(self) -> int:
        """Bytes of the weights."""
    @property
    def is_encoder(self) -> bool:
        """Whether it makes vectors only (bert)."""
    @property
    def adds_bos(self) -> bool:
        """Whether the tokenizer puts `bos` in front (with `special`)."""
    @property
    def special_tokens(self) -> dict[str, int]:
        """`bos`, `eos`, `eot`, `sep`, `nl`, `pad`, ...: those that there are."""
    def chat_template(self, name: str | None = None) -> str | None:
        """The Jinja template of the file; `name`: a variant such as `tool_use`."""
    def is_end(self, token: int) -> bool:
        """Whether the token ends a generation."""
    def tokenize(
        self, text: str | bytes, *, special: bool = True, markup: bool = False
    ) -> list[int]:
        """Text to tokens.

        Args:
            text: UTF-8.
            special: Add what the model wants around a text (`bos`, `[CLS]`).
            markup: Read `<|im_start|>` and its like as the tokens they name. Never with
                text that a stranger wrote.
        """
    def detokenize(self, tokens: Sequence[int], *, markup: bool = False) -> bytes:
        """Tokens to text; `markup`: control tokens as text too."""

@final
class Context:
    """A model's working memory: what it has read, and room for what it writes.

    Keeps what it has read, so that a prompt that begins like the last one is computed
    from the first difference only. One job at a time.
    """

    def __init__(
        self,
        model: Model,
        *,
        n_ctx: int = 4096,
        n_batch: int = 512,
        n_threads: int = 0,
        kv_type: Literal["f16", "q8_0"] = "f16",
        check_memory: bool = True,
    ) -> None:
        """Make room for `n_ctx` tokens (0: what the model was trained for).

        `n_threads` 0: the physical cores.

        Raises:
            TooLargeError: It does not fit into memory.
        """
    @property
    def model(self) -> Model: ...
    @property
    def n_ctx(self) -> int: ...
    @property
    def tokens(self) -> list[int]:
        """What it has read and written, in order."""
    @property
    def can_shift(self) -> bool:
        """Whether old tokens can be dropped without reading the rest again."""
    def generate(
        self,
        prompt: Sequence[int],
        *,
        max_tokens: int = 0,
        sampling: Sampling | None = None,
        grammar: str | None = None,
        grammar_root: str = "root",
        grammar_triggers: Sequence[str] = (),
        stop: Sequence[str] = (),
        markup: bool = False,
        keep: int = 0,
        shift: bool = False,
        draft_tokens: int = 0,
    ) -> Generation:
        """Start to write after `prompt`; what is read already is not read again.

        Args:
            prompt: The whole conversation, at least one token.
            max_tokens: 0: as many as there is room for.
            sampling: How tokens are chosen.
            grammar: GBNF; only what it allows can be written; its end ends the text.
            grammar_root: Its first rule.
            grammar_triggers: Regular expressions on the text written so far; the
                grammar applies from the place where the first one matches (its first
                group, or the whole match). Empty: from the start.
            stop: Texts that end it; they are not part of the result.
            markup: Control tokens appear as text in the result.
            keep: Tokens at the front that a shift never drops.
            shift: When the context is full, drop the older half of what follows `keep`
                and go on; otherwise it ends with `context`.
            draft_tokens: Guess up to so many tokens from what was said before and check
                them at once (n-gram speculation); the result is the same as without.

        Raises:
            KernelError: The prompt is empty or too long, the grammar is wrong, or a job
                of this context still runs.
        """
    def forget(self, start: int = 0) -> None:
        """Drop everything from token number `start` on."""
    def state(self) -> bytes:
        """All of it, to be kept; `restore` takes it back."""
    def restore(self, state: bytes) -> None:
        """Go back to a state of a context of the same model.

        Raises:
            KernelError: It is of another model or version, or does not fit.
        """

@final
class Encoder:
    """Turns texts into vectors."""

    def __init__(
        self,
        model: Model,
        *,
        pooling: Literal["model", "mean", "cls", "last"] = "model",
        n_threads: int = 1,
        max_tokens: int = 0,
    ) -> None:
        """Prepare.

        Args:
            model: An embedding model.
            pooling: `model`: what the file says, else `mean`.
            n_threads: More than one pays for long texts only.
            max_tokens: Longer texts are cut there; 0: 256, or what the model takes.
        """
    @property
    def model(self) -> Model: ...
    @property
    def dimension(self) -> int: ...
    def encode(self, texts: Sequence[str]) -> Vectors:
        """Start; each vector has the length 1."""

def load(source: str, *, mmap: bool = True, check_memory: bool = True) -> Load:
    """Start to load a model.

    Args:
        source: A path, or `embedded:NAME`.
        mmap: Use the file in place instead of copying it.
        check_memory: Refuse what does not fit.
    """

def limit_cpu(name: Literal["sse42", "haswell", "icelake"]) -> None:
    """Take no faster kernel than this one, for tests; before the first load."""
