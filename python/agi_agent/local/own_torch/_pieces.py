"""The bytes of each token, so that text and grammar go on by one token at a time.

`decode` of everything that was written, once per token, grows with the square of the
answer; and one token may hold a part of a character only.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BYTE = re.compile("<0x([0-9A-F]{2})>")
_BLANK = "\u2581"


class Pieces:
    """What each token of a tokenizer writes."""

    def __init__(self, tokenizer: Any) -> None:
        """Look at nothing yet."""
        self._tokenizer = tokenizer
        self._bytes: list[bytes] = []
        self._by_first: dict[int, list[int]] = {}

    def of(self, token: int) -> bytes:
        """Give the bytes of a token; a number without a token writes nothing."""
        found = self._bytes or self._read()
        return found[token] if token < len(found) else b""

    def beginning(self, first: int) -> list[int]:
        """Give the tokens that begin with a byte."""
        if not self._by_first:
            for token, text in enumerate(self._bytes or self._read()):
                if text:
                    self._by_first.setdefault(text[0], []).append(token)
        return self._by_first.get(first, [])

    def _read(self) -> list[bytes]:
        tokenizer = self._tokenizer
        names = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
        added = tokenizer.added_tokens_decoder
        backend = getattr(tokenizer, "backend_tokenizer", None)
        decoder = repr(getattr(backend, "decoder", ""))
        blanks = any(name.startswith(_BLANK) for name in names[:5000] if name)
        for token, name in enumerate(names):
            if name is None:
                text = b""
            elif token in added:
                text = str(added[token].content).encode()
            elif "ByteLevel" in decoder:
                text = bytes(_LEVEL.get(letter, 0x20) for letter in name)
            elif blanks or "ByteFallback" in decoder:
                match = _BYTE.fullmatch(name)
                plain = name.replace(_BLANK, " ").encode()
                text = bytes([int(match[1], 16)]) if match else plain
            else:
                text = tokenizer.decode([token]).encode()
            self._bytes.append(text)
        return self._bytes


def _level() -> dict[str, int]:
    """The letters that stand for bytes in the vocabularies of GPT-2 and its heirs."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    letters = {chr(byte): byte for byte in shown}
    hidden = [byte for byte in range(256) if byte not in shown]
    return letters | {chr(256 + n): byte for n, byte in enumerate(hidden)}


_LEVEL = _level()


def split(data: bytes) -> tuple[str, bytes] | None:
    """Part bytes into whole characters and the beginning of one; None: not UTF-8."""
    try:
        return data.decode(), b""
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data":
            return None
        return data[: error.start].decode(), data[error.start :]


def span(begun: bytes) -> tuple[int, int]:
    """Give the first and the last code point that may begin with these bytes."""
    lead = begun[0]
    length = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
    low = high = lead & (0x7F >> length)
    for byte in begun[1:]:
        low = high = (low << 6) | (byte & 0x3F)
    for _ in range(length - len(begun)):
        low, high = low << 6, (high << 6) | 0x3F
    least = {2: 0x80, 3: 0x800, 4: 0x10000}[length]
    return max(low, least), min(high, 0x10FFFF)
