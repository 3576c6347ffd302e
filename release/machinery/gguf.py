"""Writes GGUF files: keys, tensors, and the forms of 8 and 16 bits.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (version 3). Pure
Python: what is converted here has 23 million numbers, and the build needs no package.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Union

MAGIC, VERSION, ALIGNMENT = b"GGUF", 3, 32
#: Numbers of ggml's tensor types.
F32, F16, Q8_0 = 0, 1, 8
#: Values that share one scale in Q8_0.
BLOCK = 32

Scalar = Union[str, int, float, bool]


@dataclass
class Writer:
    """Collects keys and tensors; `write` puts them down."""

    keys: list[bytes] = field(default_factory=list)
    tensors: list[tuple[str, tuple[int, ...], int, bytes]] = field(default_factory=list)

    def add(self, key: str, value: Scalar) -> None:
        """Add a key; numbers become `uint32` or `float32`, as llama.cpp reads them."""
        if isinstance(value, bool):
            kind, data = 7, struct.pack("<?", value)
        elif isinstance(value, int):
            kind, data = 4, struct.pack("<I", value)
        elif isinstance(value, float):
            kind, data = 6, struct.pack("<f", value)
        else:
            kind, data = 8, _text(value)
        self.keys.append(_text(key) + struct.pack("<I", kind) + data)

    def add_texts(self, key: str, values: Sequence[str]) -> None:
        """Add a list of texts."""
        self._add_list(key, 8, len(values), b"".join(map(_text, values)))

    def add_integers(self, key: str, values: Sequence[int]) -> None:
        """Add a list of `int32`."""
        self._add_list(key, 5, len(values), struct.pack(f"<{len(values)}i", *values))

    def _add_list(self, key: str, kind: int, count: int, data: bytes) -> None:
        self.keys.append(_text(key) + struct.pack("<IIQ", 9, kind, count) + data)

    def tensor(self, name: str, shape: Sequence[int], values: array[float], kind: int) -> None:
        """Add a tensor of `float32` values; `shape` has the longest stride first, as numpy."""
        self.tensors.append((name, tuple(reversed(shape)), kind, encoded(values, kind)))

    def write(self, path: Path) -> None:
        """Write the file."""
        head = [MAGIC, struct.pack("<IQQ", VERSION, len(self.tensors), len(self.keys)), *self.keys]
        offset = 0
        for name, shape, kind, data in self.tensors:
            head += [_text(name), struct.pack(f"<I{len(shape)}Q", len(shape), *shape)]
            head.append(struct.pack("<IQ", kind, offset))
            offset += _padded(len(data))
        start = b"".join(head)
        with path.open("wb") as stream:
            stream.write(start.ljust(_padded(len(start)), b"\0"))
            for *_, data in self.tensors:
                stream.write(data.ljust(_padded(len(data)), b"\0"))


def encoded(values: array[float], kind: int) -> bytes:
    """Numbers as one of ggml's types has them.

    Raises:
        ValueError: A type that is not written here.
    """
    if kind == F32:
        return values.tobytes()
    if kind == F16:
        return struct.pack(f"<{len(values)}e", *values)
    if kind == Q8_0:
        return quantise(values)
    raise ValueError(f"no tensors of type {kind} are written here")


def quantise(values: array[float]) -> bytes:
    """Q8_0: per 32 values a scale of 16 bits and 32 signed bytes (ggml's reference)."""
    pack = struct.Struct(f"<e{BLOCK}b").pack
    blocks = []
    for start in range(0, len(values), BLOCK):
        block = values[start : start + BLOCK]
        scale = max(map(abs, block)) / 127
        inverse = 1 / scale if scale else 0.0
        blocks.append(pack(scale, *[round(value * inverse) for value in block]))
    return b"".join(blocks)


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def _padded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
