"""What bounding a command costs, beside a plain start, bubblewrap and codex's sandbox.

Usage: sandbox.py [--binary FILE] [--peers DIR] [-n RUNS]

First programs that run one command and end, an empty one and `git init && make -j2` of a small C
program; then what each command costs within a run, which is a run of scripted shell calls less one
of as many calculator calls.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import measure

CALLS = 40
COMMAND = ["/bin/bash", "-c", ":"]
BWRAP = [
    *("bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/", "/"),
    *("--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"),
]
SOURCES = 12
# In a directory of its own each time: the repository of the workspace itself is read-only.
BUILD = [
    *("/bin/bash", "-c"),
    "mkdir b && cp *.c Makefile b && cd b && git init -q . && make -s -j2 && ./prog && rm -r ../b",
]
LEVELS = ("read-only", "workspace-write", "danger-full-access")
Commands = dict[str, tuple[list[str], dict[str, str], Path]]


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=Path, default=Path("dist/agi-agent"))
    parser.add_argument("--peers", type=Path, default=Path("peers"))
    parser.add_argument("-n", type=int, default=15, help="counted runs of each command")
    options = parser.parse_args()
    # codex does not work with a home below the temporary directory.
    with tempfile.TemporaryDirectory(dir=Path.home()) as folder:
        home, work = Path(folder) / "home", Path(folder) / "work"
        home.mkdir()
        work.mkdir()
        sources(work)
        environment = {"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C"}
        ours = str(options.binary.resolve())
        print(f"{measure.machine()}; {options.n} runs by turns")
        for title, line in (("an empty command", COMMAND), ("git init && make -j2", BUILD)):
            print(f"\n| {title} | wall ms | CPU ms | exit |\n|---|---|---|---|")
            whole = programs(ours, options.peers.resolve(), work, line)
            commands = {
                name: (argv, environment, work) for name, argv in whole.items() if is_here(argv)
            }
            for row in measure.by_turns(commands, options.n):
                wall, cpu = measure.span(row.wall), measure.span(row.cpu)
                print(f"| {row.name} | {wall} | {cpu} | {sorted(row.codes)} |")
        commands = runs(ours, Path(folder), environment, work)
        rows = {row.name: row for row in measure.by_turns(commands, options.n)}
    print("\n| within a run, per command | wall ms | CPU ms |\n|---|---|---|")
    for name in ("plain", *LEVELS):
        base = rows["nothing"] if name == "plain" else rows["calculator"]
        print(f"| {name} | {each(rows[name].wall, base.wall)} | {each(rows[name].cpu, base.cpu)} |")


def programs(ours: str, peers: Path, work: Path, line: list[str]) -> dict[str, list[str]]:
    """The same command line under each program; all of them may write the working directory."""
    return {
        "plain": line,
        "bwrap": [*BWRAP, "--bind", str(work), str(work), *line],
        "codex sandbox": [str(peers / "npm/codex/bin/codex"), "sandbox", *line],
        "agi-agent sandbox": [ours, "sandbox", "--level", "workspace-write", "--", *line],
    }


def sources(work: Path) -> None:
    """A C program of a few files, and its Makefile."""
    names = [f"part{number}" for number in range(SOURCES)]
    for number, name in enumerate(names):
        (work / f"{name}.c").write_text(
            f'#include <stdio.h>\nint {name}(void) {{ return printf("") + {number}; }}\n'
        )
    calls = " + ".join(f"{name}()" for name in names)
    declared = "".join(f"int {name}(void);\n" for name in names)
    (work / "main.c").write_text(f"{declared}int main(void) {{ return ({calls}) == 0; }}\n")
    objects = " ".join(f"{name}.o" for name in [*names, "main"])
    (work / "Makefile").write_text(f"prog: {objects}\n\tcc -o prog {objects}\n")


def is_here(line: list[str]) -> bool:
    """Whether a program is installed; says so if not."""
    found = shutil.which(line[0]) is not None
    if not found:
        sys.stderr.write(f"not installed, left out: {line[0]}\n")
    return found


def runs(ours: str, folder: Path, environment: dict[str, str], work: Path) -> Commands:
    """Runs of as many calls each, and a shell's loops that start as much plainly."""
    loop = f"for i in $(seq {CALLS}); do {{}}; done"
    plain = {
        "nothing": ["/bin/bash", "-c", loop.format(":")],
        "plain": ["/bin/bash", "-c", loop.format(" ".join(COMMAND))],
    }
    commands = {name: (line, environment, work) for name, line in plain.items()}
    calls = {
        "calculator": ("calculator", {"expression": "1+1"}, "read-only"),
        **{level: ("shell", {"command": COMMAND[2]}, level) for level in LEVELS},
    }
    for name, (tool, arguments, level) in calls.items():
        script = folder / f"{name}.json"
        turn = {"tool_calls": [{"name": tool, "arguments": arguments}]}
        script.write_text(json.dumps([*[turn] * CALLS, {"text": "done"}]))
        line = [ours, "run", "go", "--model", f"scripted/{script}", "--sandbox", level]
        commands[name] = ([*line, "--allow", "shell", "--ephemeral"], environment, work)
    return commands


def each(values: list[float], base: list[float]) -> str:
    """Median over pairs of what one of the calls costs, in milliseconds."""
    pairs = zip(values, base, strict=True)
    return f"{statistics.median((value - less) / CALLS for value, less in pairs) * 1e3:.2f}"


if __name__ == "__main__":
    main()
