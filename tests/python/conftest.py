"""What all tests of the Python side share: the repository, a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# pyproject.toml says the same, but pytest reads it only when started beside it.
sys.path.insert(0, str(ROOT / "python"))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture
def fresh_python() -> Callable[[str], str]:
    """Run code in an interpreter of its own; gives what it printed.

    For what can be seen once per process only: imports, the state after the start.
    """

    def run(code: str) -> str:
        finished = subprocess.run(
            [
                sys.executable,
                "-I",
                "-S",
                "-c",
                f"import sys; sys.path.append({str(ROOT / 'python')!r})\n{code}",
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return finished.stdout.strip()

    return run
