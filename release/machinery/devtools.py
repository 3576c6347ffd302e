"""Finds or installs the tools of `release/test`, outside the checkout.

Python tools come pinned into a virtual environment, cargo's into a folder of the
cache; what the machine already has is used as it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Optional

from . import cache
from .console import Argument, ReleaseError, run, say
from .pins import RELEASE
from .prerequisites import install_packages

#: What the development build embeds must be at least this.
PYTHON_AT_LEAST = (3, 11)
CARGO_INSTALL_TIMEOUT = 1800.0


def log_file() -> Path:
    """Where installing writes."""
    return cache.root() / "logs" / "test.log"


def _describe(python: str) -> Optional[tuple[int, int, bool]]:
    """Version and whether there is a shared libpython."""
    code = (
        "import sys,sysconfig as s;"
        "print(*sys.version_info[:2], int(bool(s.get_config_var('Py_ENABLE_SHARED'))))"
    )
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    major, minor, shared = map(int, done.stdout.split())
    return major, minor, bool(shared)


def development_python() -> str:
    """An installed Python that the development build can embed.

    Raises:
        ReleaseError: None is new enough and has a shared library.
    """
    names = [sys.executable, "python3", "/usr/bin/python3"]
    names += [f"python3.{minor}" for minor in (13, 12, 11)]
    for attempt in range(2):
        for name in names:
            found = shutil.which(name)
            facts = _describe(found) if found else None
            if found and facts and facts[:2] >= PYTHON_AT_LEAST and facts[2]:
                return found
        if attempt == 0:
            install_packages(["python3-dev", "python3-venv"], log_file())
    raise ReleaseError(
        "no Python 3.11 or newer with a shared library", "type: apt-get install python3-dev"
    )


def environment(python: str) -> Path:
    """A virtual environment with `requirements-dev.txt`; returns its interpreter."""
    requirements = RELEASE / "requirements-dev.txt"
    key = cache.digest_of([cache.file_digest(requirements), _describe(python), python])

    def fill(place: Path) -> None:
        say("    installing the Python tools")
        run([python, "-m", "venv", place], log=log_file(), what="python -m venv")
        pip: list[Argument] = [place / "bin" / "python", "-m", "pip", "install", "--quiet"]
        pip += ["--disable-pip-version-check", "-r", requirements]
        run(pip, log=log_file(), timeout=900, what="pip install")

    # Called as `python -m TOOL` only: the scripts carry the folder's first name.
    return cache.entry("dev-venv", key, fill, announce=False) / "bin" / "python"


def cargo_tool(name: str) -> Optional[Path]:
    """A cargo subcommand, installed into the cache when the machine has none.

    Returns:
        Its path, or nothing when it cannot be installed (the log has the reason).
    """
    program = f"cargo-{name}"
    folder = cache.root() / "tools"
    found = shutil.which(program) or shutil.which(program, path=os.fspath(folder / "bin"))
    if found:
        return Path(found)
    say(f"    installing {program} (some minutes, once)")
    command: list[Argument] = ["cargo", "install", program, "--locked", "--root", folder]
    env = {"CARGO_TARGET_DIR": os.fspath(cache.root() / "target" / "tools")}
    try:
        # Outside the checkout: its pinned toolchain is not the tool's business.
        run(command, log=log_file(), cwd=cache.root(), env=env, timeout=CARGO_INSTALL_TIMEOUT)
    except ReleaseError as error:
        say(f"    {error}")
        return None
    return folder / "bin" / program
