"""Progress, log files and child processes of the release programs.

Everything a person reads goes to standard error, so that standard output stays
free for results.  Nothing here knows what is being built.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Optional, Union

Argument = Union[str, "os.PathLike[str]"]

#: Lines of a failed command's output that are repeated on the terminal.
TAIL_LINES = 30


class ReleaseError(Exception):
    """A failure a person can act on: what happened, and what to do next."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def say(text: str) -> None:
    """Write one line to standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Announce a stage and, when it ends, how long it took."""
    say(f"==> {name}")
    begun = time.monotonic()
    yield
    say(f"    {time.monotonic() - begun:.1f} s")


def run(
    command: Sequence[Argument],
    *,
    log: Path,
    cwd: Optional[Path] = None,
    env: Optional[Mapping[str, str]] = None,
    timeout: Optional[float] = None,
    what: str = "",
) -> None:
    """Run a command with its output in a log file.

    Args:
        command: Program and arguments.
        log: File that receives both output streams (appended to).
        cwd: Working directory.
        env: Variables set on top of the present environment.
        timeout: Seconds after which the command is killed.
        what: How the error names the step; the program's name by default.

    Raises:
        ReleaseError: The command is missing, failed or took too long; the
            message names the log and repeats its end.
    """
    name = what or Path(os.fspath(command[0])).name
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        sink.write(f"$ {' '.join(os.fspath(part) for part in command)}\n".encode())
        sink.flush()
        try:
            code = subprocess.run(
                [os.fspath(part) for part in command],
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                timeout=timeout,
                check=False,
            ).returncode
        except FileNotFoundError as error:
            raise ReleaseError(f"{name}: program `{command[0]}` not found") from error
        except subprocess.TimeoutExpired as error:
            raise ReleaseError(f"{name}: no end after {timeout:.0f} s; log: `{log}`") from error
    if code:
        tail = log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        say("\n".join(f"    | {line}" for line in tail))
        raise ReleaseError(f"{name}: ended with status {code}", f"the whole log is `{log}`")


def capture(
    command: Sequence[Argument],
    *,
    cwd: Optional[Path] = None,
    env: Optional[Mapping[str, str]] = None,
) -> str:
    """Return the standard output of a command, stripped.

    Raises:
        ReleaseError: The command is missing or failed; the message carries
            what it wrote to standard error.
    """
    try:
        done = subprocess.run(
            [os.fspath(part) for part in command],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise ReleaseError(f"program `{command[0]}` not found") from error
    if done.returncode:
        raise ReleaseError(
            f"`{' '.join(os.fspath(part) for part in command)}` ended with status "
            f"{done.returncode}: {done.stderr.strip()[-2000:]}"
        )
    return done.stdout.strip()


def main_guard(program: str, error: ReleaseError) -> int:
    """Print an error the way all release programs do and return exit code 1."""
    say(f"{program}: {error}")
    if error.hint:
        say(f"    hint: {error.hint}")
    return 1
