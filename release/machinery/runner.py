"""Runs named stages, one after the other or some beside the others, and sums them up.

Output of the programs goes through as it comes, that of what runs beside them in one piece;
counts of tests are read from the runners' own summaries on the way.  A failed stage does not
stop the others.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Callable, Optional

from .console import Argument, ReleaseError, say
from .pins import RELEASE

#: How test runners announce their totals; group 1 passed.
COUNTS = (
    re.compile(r"Summary \[.*?\].* (\d+) passed"),
    re.compile(r"^test result: ok\. (\d+) passed"),
    re.compile(r"\b(\d+) passed\b.* in [\d.]+s"),
    re.compile(r"^smoke: (\d+) passed"),
)
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Skipped(Exception):
    """A stage cannot run on this machine; the text says why."""


@dataclass
class Outcome:
    """How a stage ended."""

    name: str
    #: `passed`, `failed` or `skipped`.
    verdict: str
    seconds: float
    tests: int = 0
    remark: str = ""


class Shell:
    """Starts the programs of one stage and counts the tests they report."""

    def __init__(self, cwd: Path, env: Mapping[str, str]) -> None:
        self.cwd = cwd
        self.env = dict(env)
        self.tests = 0

    def __call__(
        self,
        command: Sequence[Argument],
        *,
        timeout: float = 1800.0,
        env: Optional[Mapping[str, str]] = None,
        cwd: Optional[Path] = None,
    ) -> None:
        """Run a command with its output on ours.

        Raises:
            ReleaseError: It failed or ran longer than `timeout` seconds.
        """
        text = " ".join(os.fspath(part) for part in command)
        say(f"$ {text}")
        try:
            child = subprocess.Popen(
                [os.fspath(part) for part in command],
                cwd=cwd or self.cwd,
                env={**os.environ, **self.env, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise ReleaseError(f"program `{command[0]}` not found") from error
        late = threading.Event()

        def stop() -> None:
            late.set()
            os.killpg(child.pid, signal.SIGKILL)

        timer = threading.Timer(timeout, stop)
        timer.start()
        try:
            if child.stdout is not None:
                for line in child.stdout:
                    sys.stdout.write(line)
                    self._count(line)
            code = child.wait()
        except BaseException:
            # A session of its own: no interruption reaches it but ours.
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            raise
        finally:
            timer.cancel()
            sys.stdout.flush()
        if late.is_set():
            raise ReleaseError(f"`{text}` did not end within {timeout:.0f} s")
        if code:
            raise ReleaseError(f"`{text}` ended with status {code}")

    def _count(self, line: str) -> None:
        plain = COLOURS.sub("", line)
        for pattern in COUNTS:
            found = pattern.search(plain)
            if found:
                self.tests += int(found.group(1))
                return


def run_stage(name: str, action: Callable[[Shell], None], shell: Shell) -> Outcome:
    """Run one stage to its outcome; only interrupts get out."""
    say(f"\n==> {name}")
    begun = time.monotonic()
    verdict, remark = "passed", ""
    try:
        action(shell)
    except Skipped as reason:
        verdict, remark = "skipped", str(reason)
    except ReleaseError as error:
        verdict, remark = "failed", f"{error}{f' ({error.hint})' if error.hint else ''}"
        say(f"{name}: {remark}")
    return Outcome(name, verdict, time.monotonic() - begun, shell.tests, remark)


class Beside:
    """Stages that run in a process of their own."""

    def __init__(self, names: Sequence[str], place: Path) -> None:
        self.names = names
        self.ends = place / "outcomes.json"
        self.output = place / "output"
        command: list[Argument] = [sys.executable, RELEASE / "test"]
        command += ["--outcomes", self.ends, *names]
        with self.output.open("wb") as output:
            self.child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )

    def outcomes(self) -> list[Outcome]:
        """Wait for their end, print what they printed, and give their outcomes."""
        self.child.wait()
        sys.stdout.write(self.output.read_text(errors="replace"))
        sys.stdout.flush()
        if not self.ends.exists():
            remark = f"the process of these stages ended with status {self.child.returncode}"
            return [Outcome(name, "failed", 0.0, 0, remark) for name in self.names]
        return [Outcome(**fields) for fields in json.loads(self.ends.read_text())]


@contextmanager
def beside(names: Sequence[str]) -> Iterator[Beside]:
    """Start stages beside those that the caller runs."""
    with tempfile.TemporaryDirectory() as place:
        started = Beside(names, Path(place))
        try:
            yield started
        finally:
            # An interruption of the terminal reaches it, too, and it ends its own programs then.
            started.child.wait()


def write(outcomes: Sequence[Outcome], path: Path) -> None:
    """Leave outcomes for who started this process."""
    path.write_text(json.dumps([asdict(outcome) for outcome in outcomes]))


def summary(outcomes: Sequence[Outcome], seconds: float) -> str:
    """A table of all stages and, as its last line, the counts.

    Args:
        outcomes: One row each.
        seconds: What all of it took, by the clock.
    """
    width = max(len(outcome.name) for outcome in outcomes)
    lines = [""]
    for outcome in outcomes:
        tests = f"{outcome.tests:6d} tests" if outcome.tests else " " * 12
        remark = f"  {outcome.remark}" if outcome.remark else ""
        lines.append(
            f"{outcome.name:{width}}  {outcome.verdict:7}  {outcome.seconds:7.1f} s {tests}{remark}"
        )
    passed = sum(outcome.verdict == "passed" for outcome in outcomes)
    failed = sum(outcome.verdict == "failed" for outcome in outcomes)
    skipped = len(outcomes) - passed - failed
    lines.append(f"{seconds:.0f} s in all")
    lines.append(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return "\n".join(lines)
