"""The models of random weights that other tests load."""

from __future__ import annotations

import pytest
from models import MODELS


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_small_and_the_same_every_time(name):
    first = MODELS[name]()
    assert first[:4] == b"GGUF"
    assert len(first) < 1_000_000
    assert MODELS[name]() == first
