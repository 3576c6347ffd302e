"""Runs commands by turns and accounts for each whole process tree.

Shared by the benchmarks; knows no peer and no scenario.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

TIME = "/usr/bin/time"


@dataclass
class Row:
    """The figures of one command."""

    name: str
    wall: list[float] = field(default_factory=list)  # seconds
    cpu: list[float] = field(default_factory=list)  # seconds, user and system, children included
    memory: int = 0  # bytes, the largest process
    codes: set[int] = field(default_factory=set)


def run(command: list[str], environment: dict[str, str], folder: Path) -> tuple[float, float, int]:
    """Wall and CPU seconds and exit code of one run, its output thrown away."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    return wall, usage.ru_utime + usage.ru_stime, process.returncode


def peak(command: list[str], environment: dict[str, str], folder: Path) -> int:
    """Peak memory (bytes) of one run, by time(1).

    A child that this interpreter forks starts with its parent's peak in its own account; time(1) is
    small enough not to show. 0 where it is not installed.
    """
    if not Path(TIME).exists():
        return 0
    with tempfile.NamedTemporaryFile("r") as report:
        measured = [TIME, "-f", "%M", "-o", report.name, *command]
        run(measured, environment, folder)
        lines = report.read().split()
    return int(lines[-1]) * 1024 if lines else 0


def by_turns(commands: dict[str, tuple[list[str], dict[str, str], Path]], runs: int) -> list[Row]:
    """Each command once as a warm-up, then all of them in turn, ``runs`` times."""
    rows = {name: Row(name) for name in commands}
    for number in range(runs + 1):
        for name, (command, environment, folder) in commands.items():
            wall, cpu, code = run(command, environment, folder)
            row = rows[name]
            row.codes.add(code)
            if number == 0:
                row.memory = peak(command, environment, folder)
            else:
                row.wall.append(wall)
                row.cpu.append(cpu)
    return list(rows.values())


def span(values: list[float]) -> str:
    """Median [min to max] in milliseconds."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle * 1e3:.1f} [{low * 1e3:.1f} to {high * 1e3:.1f}]"


def ratio(row: Row, base: Row, figure: str) -> str:
    """Median over runs of one figure, ours against this row's, pair by pair."""
    pairs = zip(getattr(base, figure), getattr(row, figure), strict=True)
    return f"{statistics.median(ours / max(theirs, 1e-9) for ours, theirs in pairs):.3f}"


def machine() -> str:
    """One line about the machine: load and processors."""
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"load {load}, {os.cpu_count()} processors"
