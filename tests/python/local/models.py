"""Models of random weights, one of each family: small, whole, the same every time.

Two blocks of 64 numbers, a vocabulary of some 450 tokens with the marks of the family,
and a chat template in its manner. They write nonsense; what is tried with them is
everything around the numbers. `python models.py DIR` writes them all.
"""

from __future__ import annotations

import array
import random
import sys
from pathlib import Path

from gguf_writer import Writer
from templates import GEMMA, LLAMA3, MISTRAL, QWEN2, QWEN3

WIDTH, HEADS, KV_HEADS, FEED, BLOCKS = 64, 4, 2, 96, 2
HEAD = WIDTH // HEADS
CONTEXT = 8192
_NORMAL, _UNKNOWN, _CONTROL, _USER, _BYTE = 1, 2, 3, 4, 6
_WORDS = (
    "the", "name", "arguments", "parameters", "true", "false", "null", "path", "file",
    "read", "and", "type", "function", "expression", "answer", "string", "number",
)  # fmt: skip
_PIECES = ('":', '",', '{"', '"}', "}}", '":"', "\n\n", " {", ' "', "ing", "er", "on")
CHATML = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def byte_letters() -> dict[int, str]:
    """Give the letter that stands for each byte in vocabularies of GPT-2's kind."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in plain}
    others = (byte for byte in range(256) if byte not in letters)
    return letters | {byte: chr(256 + n) for n, byte in enumerate(others)}


def add_bpe(
    writer: Writer, pre: str, control: tuple[str, ...], user: tuple[str, ...]
) -> int:
    """Write a byte-level vocabulary; gives its size. Marks come last."""
    letters = byte_letters()
    tokens, merges = list(letters.values()), []
    for word in (*_WORDS, *(f" {word}" for word in _WORDS), *_PIECES):
        spelled = [letters[byte] for byte in word.encode()]
        left = spelled[0]
        for right in spelled[1:]:
            if left + right not in tokens:
                tokens.append(left + right)
                merges.append(f"{left} {right}")
            left += right
    kinds = [_NORMAL] * len(tokens) + [_CONTROL] * len(control) + [_USER] * len(user)
    tokens += [*control, *user]
    writer.key("tokenizer.ggml.model", "gpt2")
    writer.key("tokenizer.ggml.pre", pre)
    writer.key("tokenizer.ggml.tokens", tokens)
    writer.key("tokenizer.ggml.token_type", kinds)
    writer.key("tokenizer.ggml.merges", merges)
    return len(tokens)


def add_spm(writer: Writer, control: tuple[str, ...]) -> int:
    """Write a vocabulary of SentencePiece's kind; gives its size."""
    tokens = ["<unk>", *control]
    kinds = [_UNKNOWN] + [_CONTROL] * len(control)
    scores = [0.0] * len(tokens)
    for byte in range(256):
        tokens.append(f"<0x{byte:02X}>")
        kinds.append(_BYTE)
        scores.append(0.0)
    pieces = ["\u2581", *(chr(code) for code in range(33, 127)), "\u00e9", "\u2014"]
    for word in (*_WORDS, *(f"\u2581{word}" for word in _WORDS)):
        pieces += [word[:end] for end in range(2, len(word) + 1)]
    for piece in dict.fromkeys([*pieces, *_PIECES[:6]]):
        if piece not in tokens:
            tokens.append(piece)
            kinds.append(_NORMAL)
            scores.append(-float(len(tokens)))
    writer.key("tokenizer.ggml.model", "llama")
    writer.key("tokenizer.ggml.pre", "default")
    writer.key("tokenizer.ggml.tokens", tokens)
    writer.key("tokenizer.ggml.scores", scores)
    writer.key("tokenizer.ggml.token_type", kinds)
    writer.key("tokenizer.ggml.unknown_token_id", 0)
    writer.key("tokenizer.ggml.add_space_prefix", False)
    return len(tokens)


class Weights:
    """Random tensors, the same for the same seed."""

    def __init__(self, writer: Writer, seed: str) -> None:
        self._writer = writer
        self._random = random.Random(seed)

    def normal(self, name: str, *shape: int, spread: float = 0.15) -> None:
        """Numbers around 0."""
        count = 1
        for side in shape:
            count *= side
        draw = self._random.gauss
        data = array.array("f", (draw(0.0, spread) for _ in range(count)))
        self._writer.tensor(f"{name}", shape, data)

    def ones(self, name: str, size: int) -> None:
        """Numbers that are all 1: a norm that changes nothing."""
        self._writer.tensor(name, (size,), array.array("f", [1.0] * size))

    def zeros(self, name: str, size: int) -> None:
        """Numbers that are all 0."""
        self._writer.tensor(name, (size,), array.array("f", [0.0] * size))


def _common(
    writer: Writer, name: str, context: int = CONTEXT, blocks: int = BLOCKS
) -> None:
    writer.key("general.name", name)
    writer.key("general.file_type", 0)
    writer.key("{}.context_length", context)
    writer.key("{}.embedding_length", WIDTH)
    writer.key("{}.block_count", blocks)
    writer.key("{}.feed_forward_length", FEED)
    writer.key("{}.attention.head_count", HEADS)


def _decoder(
    writer: Writer,
    name: str,
    vocabulary: int,
    *,
    bias: bool = False,
    head_norms: bool = False,
    post_norms: bool = False,
    tied: bool = False,
    blocks: int = BLOCKS,
) -> bytes:
    """Write the keys and tensors of a model of Llama's build."""
    _common(writer, name, blocks=blocks)
    writer.key("{}.attention.head_count_kv", KV_HEADS)
    writer.key("{}.attention.layer_norm_rms_epsilon", 1e-5)
    writer.key("{}.attention.key_length", HEAD)
    writer.key("{}.attention.value_length", HEAD)
    writer.key("{}.rope.dimension_count", HEAD)
    writer.key("{}.rope.freq_base", 10000.0)
    writer.key("{}.vocab_size", vocabulary)
    weights = Weights(writer, name)
    weights.normal("token_embd.weight", WIDTH, vocabulary, spread=0.15 if tied else 0.7)
    weights.ones("output_norm.weight", WIDTH)
    if not tied:
        weights.normal("output.weight", WIDTH, vocabulary)
    for number in range(blocks):
        block = f"blk.{number}"
        weights.ones(f"{block}.attn_norm.weight", WIDTH)
        weights.ones(f"{block}.ffn_norm.weight", WIDTH)
        sizes = {"q": WIDTH, "k": KV_HEADS * HEAD, "v": KV_HEADS * HEAD}
        for part, size in sizes.items():
            weights.normal(f"{block}.attn_{part}.weight", WIDTH, size)
            if bias:
                weights.normal(f"{block}.attn_{part}.bias", size)
        weights.normal(f"{block}.attn_output.weight", WIDTH, WIDTH)
        if head_norms:
            weights.ones(f"{block}.attn_q_norm.weight", HEAD)
            weights.ones(f"{block}.attn_k_norm.weight", HEAD)
        if post_norms:
            weights.ones(f"{block}.post_attention_norm.weight", WIDTH)
            weights.ones(f"{block}.post_ffw_norm.weight", WIDTH)
        weights.normal(f"{block}.ffn_gate.weight", WIDTH, FEED)
        weights.normal(f"{block}.ffn_up.weight", WIDTH, FEED)
        weights.normal(f"{block}.ffn_down.weight", FEED, WIDTH)
    return writer.bytes()


def _marks(writer: Writer, template: str, **marks: int) -> None:
    for name, token in marks.items():
        writer.key(f"tokenizer.ggml.{name}_token_id", token)
    writer.key("tokenizer.chat_template", template)


def llama() -> bytes:
    """Llama 3: byte-level vocabulary, headers, calls as plain JSON."""
    writer = Writer("llama")
    control = (
        "<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|start_header_id|>",
        "<|end_header_id|>", "<|python_tag|>",
    )  # fmt: skip
    size = add_bpe(writer, "llama-bpe", control, ())
    first = size - len(control)
    _marks(writer, LLAMA3, bos=first, eos=first + 2)
    writer.key("tokenizer.ggml.add_bos_token", True)
    return _decoder(writer, "random-llama", size)


def qwen2() -> bytes:
    """Qwen 2.5: ChatML, calls between tags, biases."""
    writer = Writer("qwen2")
    size = add_bpe(writer, "qwen2", CHATML, ("<tool_call>", "</tool_call>"))
    _marks(writer, QWEN2, eos=size - 3, bos=size - 5, padding=size - 5)
    writer.key("tokenizer.ggml.add_bos_token", False)
    return _decoder(writer, "random-qwen2", size, bias=True)


def qwen3() -> bytes:
    """Qwen 3: the same with thoughts, and norms per head."""
    writer = Writer("qwen3")
    user = ("<tool_call>", "</tool_call>", "<think>", "</think>")
    size = add_bpe(writer, "qwen2", CHATML, user)
    _marks(writer, QWEN3, eos=size - 5, bos=size - 7, padding=size - 7)
    writer.key("tokenizer.ggml.add_bos_token", False)
    return _decoder(writer, "random-qwen3", size, head_norms=True)


def mistral() -> bytes:
    """Mistral: the build of Llama, SentencePiece, calls as a list behind a mark."""
    writer = Writer("llama")
    control = (
        "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]",
        "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]",
    )  # fmt: skip
    size = add_spm(writer, control)
    _marks(writer, MISTRAL, bos=1, eos=2)
    writer.key("tokenizer.ggml.add_bos_token", True)
    return _decoder(writer, "random-mistral", size)


def gemma() -> bytes:
    """Gemma 3: tied embeddings, more norms, a sliding window, turns without tools."""
    writer = Writer("gemma3")
    control = ("<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>")
    size = add_spm(writer, control)
    _marks(writer, GEMMA, bos=2, eos=4)
    writer.key("tokenizer.ggml.add_bos_token", True)
    writer.key("{}.attention.sliding_window", 512)
    # One block in six looks further than the window.
    return _decoder(
        writer,
        "random-gemma",
        size,
        head_norms=True,
        post_norms=True,
        tied=True,
        blocks=6,
    )


def bert() -> bytes:
    """A sentence encoder: WordPiece, mean of all tokens."""
    writer = Writer("bert")
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    words = [f"\u2581{word}" for word in (*letters, *_WORDS)]
    tokens = [*marks, *words, *letters]
    writer.key("tokenizer.ggml.model", "bert")
    writer.key("tokenizer.ggml.pre", "jina-v2-en")
    writer.key("tokenizer.ggml.tokens", tokens)
    writer.key("tokenizer.ggml.token_type", [_CONTROL] * 5 + [1] * (len(tokens) - 5))
    writer.key("tokenizer.ggml.token_type_count", 2)
    names = {"unknown": 1, "seperator": 3, "padding": 0, "cls": 2, "mask": 4}
    for name, token in (names | {"bos": 2, "eos": 3}).items():
        writer.key(f"tokenizer.ggml.{name}_token_id", token)
    _common(writer, "random-bert", 512)
    writer.key("{}.attention.layer_norm_epsilon", 1e-12)
    writer.key("{}.attention.causal", False)
    writer.key("{}.pooling_type", 1)
    weights = Weights(writer, "random-bert")
    weights.normal("token_embd.weight", WIDTH, len(tokens))
    weights.normal("position_embd.weight", WIDTH, 512)
    weights.normal("token_types.weight", WIDTH, 2)
    norms = ["token_embd_norm"]
    for number in range(BLOCKS):
        block = f"blk.{number}"
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            weights.normal(f"{block}.{part}.weight", WIDTH, WIDTH)
            weights.normal(f"{block}.{part}.bias", WIDTH)
        weights.normal(f"{block}.ffn_up.weight", WIDTH, FEED)
        weights.normal(f"{block}.ffn_up.bias", FEED)
        weights.normal(f"{block}.ffn_down.weight", FEED, WIDTH)
        weights.normal(f"{block}.ffn_down.bias", WIDTH)
        norms += [f"{block}.attn_output_norm", f"{block}.layer_output_norm"]
    for norm in norms:
        weights.ones(f"{norm}.weight", WIDTH)
        weights.zeros(f"{norm}.bias", WIDTH)
    return writer.bytes()


MODELS = {
    "llama": llama,
    "qwen2": qwen2,
    "qwen3": qwen3,
    "mistral": mistral,
    "gemma": gemma,
    "bert": bert,
}


def write_all(directory: Path) -> None:
    """Write each model as NAME.gguf."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, make in MODELS.items():
        (directory / f"{name}.gguf").write_bytes(make())


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
