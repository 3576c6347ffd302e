"""The forms in which weights are written, and which tensors of the sentence model get which."""

from __future__ import annotations

from array import array

import pytest

from machinery import gguf, sentence


def test_half_floats_are_ieee() -> None:
    """Little-endian, as `struct` has them."""
    assert gguf.encoded(array("f", [1.0, -2.0]), gguf.F16) == b"\x00\x3c\x00\xc0"


def test_an_unknown_type_is_refused() -> None:
    """Nothing is written that was not asked for."""
    with pytest.raises(ValueError, match="type 99"):
        gguf.encoded(array("f", [1.0]), 99)


def test_types_of_the_sentence_model() -> None:
    """Norms stay whole, matrices have 8 bits; F16 is F16 throughout."""
    types = {
        "blk.5.attn_v.weight": gguf.Q8_0,
        "blk.2.ffn_up.weight": gguf.Q8_0,
        "token_embd.weight": gguf.Q8_0,
        "position_embd.weight": gguf.F16,
        "token_types.weight": gguf.F32,
    }
    for name, kind in types.items():
        assert sentence._kind(name, 2, gguf.Q8_0) == kind, name
    assert sentence._kind("blk.5.attn_v.bias", 1, gguf.Q8_0) == gguf.F32
    assert sentence._kind("blk.5.attn_v.weight", 2, gguf.F16) == gguf.F16


def test_unused_places_of_the_vocabulary_go_with_their_rows() -> None:
    """The rows that stay are those of the tokens that stay."""
    writer = gguf.Writer()
    values = array("f", [float(number) for number in range(3 * 32)])
    tensors = {"embeddings.word_embeddings.weight": ([3, 32], values)}
    sentence._add_tensors(writer, tensors, gguf.F32, [0, 2])
    ((name, shape, _, data),) = writer.tensors
    assert (name, shape) == ("token_embd.weight", (32, 2))
    assert array("f", data)[31:33] == array("f", [31.0, 64.0])
