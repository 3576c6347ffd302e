"""Licence texts that go with the products, for what the bill of materials only names.

The sentence model's are in the file as well, as keys of its GGUF.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from .kernel import Kernel


def write(dist: Path, kernel: Kernel, model: Path) -> None:
    """Put the texts into `dist/licences`."""
    place = dist / "licences"
    place.mkdir(exist_ok=True)
    shutil.copy(kernel.place / "LICENSE.llama.cpp.txt", place / "llama.cpp.txt")
    shutil.copy(model / "LICENSE.txt", place / "all-MiniLM-L6-v2.txt")
