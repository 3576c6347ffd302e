"""A small tree of files that every test gets afresh."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
from executor import Executor

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400


def write(root: Path, path: str, text: str, *, age: int = 0) -> None:
    """Writes a file that was last changed `age` seconds ago."""
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, "utf-8")
    then = time.time() - age
    os.utime(target, (then, then))


@pytest.fixture
def tools(tmp_path: Path) -> Executor:
    """The tools, on a tree whose every count differs from every other."""
    write(tmp_path, "README.md", "# Title\nhello tokio world\nTODO: x\n", age=5 * DAY)
    write(tmp_path, "Makefile", "all:\n\ttrue\n", age=40 * DAY)
    code = "fn main() {\n    // TODO one TODO\n    unsafe {}\n}\n"
    write(tmp_path, "src/main.rs", code, age=3600)
    # Older than yesterday at any time of the day.
    write(tmp_path, "src/lib.rs", "use tokio;\n", age=50 * 3600)
    write(tmp_path, "docs/my notes.md", "one two three\n" * 20, age=9 * DAY)
    write(tmp_path, "docs/guide.md", "A guide.\nMore TODO here.\n", age=2 * 3600)
    write(tmp_path, "python/a.py", "print(1)\n", age=20 * DAY)
    write(tmp_path, "python/pkg/b.py", "import a\nprint(2)\n", age=21 * DAY)
    write(tmp_path, "data/big.bin", "")
    os.truncate(tmp_path / "data/big.bin", 1_500_000)
    os.utime(tmp_path / "data/big.bin", (time.time() - 60 * DAY,) * 2)
    write(tmp_path, "log.txt", "first\nsecond\nthird\n", age=10 * DAY)
    return Executor(tmp_path)
