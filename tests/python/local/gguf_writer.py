"""Writes GGUF files: keys, then the shapes of tensors, then their numbers.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, version 3. Only what
the models of our tests need; standard library only, so that any interpreter runs it.
"""

from __future__ import annotations

import array
import struct
from typing import Any

_ALIGNMENT = 32
_U32, _F32, _BOOL, _STRING, _ARRAY, _I32 = 4, 6, 7, 8, 9, 5


class Writer:
    """One file on its way."""

    def __init__(self, architecture: str) -> None:
        """Start with the one key that each file has."""
        self._keys: list[bytes] = []
        self._tensors: list[tuple[str, tuple[int, ...], array.array[float]]] = []
        self.architecture = architecture
        self.key("general.architecture", architecture)

    def key(self, name: str, value: Any) -> None:
        """Add a key; `{}` in its name is the architecture."""
        name = name.replace("{}", self.architecture)
        self._keys.append(_text(name) + _value(value))

    def tensor(
        self, name: str, shape: tuple[int, ...], data: array.array[float]
    ) -> None:
        """Add float32s; the first side is the one that lies together."""
        self._tensors.append((name, shape, data))

    def bytes(self) -> bytes:
        """Give the file."""
        head = b"GGUF" + struct.pack("<IQQ", 3, len(self._tensors), len(self._keys))
        head += b"".join(self._keys)
        offset, body = 0, []
        for name, shape, data in self._tensors:
            head += _text(name) + struct.pack("<I", len(shape))
            head += struct.pack(f"<{len(shape)}Q", *shape) + struct.pack(
                "<IQ", 0, offset
            )
            raw = _padded(data.tobytes())
            body.append(raw)
            offset += len(raw)
        return _padded(head) + b"".join(body)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % _ALIGNMENT)


def _text(text: str | bytes) -> bytes:
    raw = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _value(value: Any) -> bytes:
    kind, raw = _typed(value)
    return struct.pack("<I", kind) + raw


def _typed(value: Any) -> tuple[int, bytes]:
    if isinstance(value, bool):
        return _BOOL, struct.pack("<?", value)
    if isinstance(value, int):
        return _U32, struct.pack("<I", value)
    if isinstance(value, float):
        return _F32, struct.pack("<f", value)
    if isinstance(value, str | bytes):
        return _STRING, _text(value)
    if value and isinstance(value[0], int):
        raw = b"".join(struct.pack("<i", item) for item in value)
        return _ARRAY, struct.pack("<IQ", _I32, len(value)) + raw
    typed = [_typed(item) for item in value]
    head = struct.pack("<IQ", typed[0][0], len(typed))
    return _ARRAY, head + b"".join(raw for _, raw in typed)
