"""What bounding a command costs, beside a plain start, bubblewrap and codex's sandbox.

Usage: sandbox.py [--binary FILE] [--peers DIR] [-n RUNS] [--contained] [--ordinary]

First programs that run one command and end, an empty one and `git init && make -j2` of a small C
program; then what each command costs within a run, which is a run of scripted shell calls less one
of as many calculator calls: plain, by level, with the proxy of `--net`, and in repositories whose
protected files are compared around each command. Ratios are of pairs that ran one after the other.
`--contained`: as in an unprivileged container, without namespaces and so without the peers, which
need them; `--ordinary`: as root, measure as an ordinary user.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import container
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
# Files that are protected beside those which `git init` makes.
MANY = 1000
# Nobody is asked: the proxy is only set up.
PROXY = ["--net", "127.0.0.1:9"]
CODEX = ["-c", 'sandbox_mode="workspace-write"', "--"]
Commands = dict[str, tuple[list[str], dict[str, str], Path]]


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=Path, default=Path("dist/agi-agent"))
    parser.add_argument("--peers", type=Path, default=Path("peers"))
    parser.add_argument("-n", type=int, default=15, help="counted runs of each command")
    parser.add_argument("--contained", action="store_true", help="namespaces are refused")
    parser.add_argument("--ordinary", action="store_true", help="as the user nobody")
    options = parser.parse_args()
    # codex does not work with a home below the temporary directory.
    parent = None if options.ordinary else Path.home()
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        if options.ordinary:
            options.binary = Path(shutil.copy(options.binary, folder))
            os.chown(folder, container.NOBODY, container.NOBODY)
            container.become_nobody()
        if options.contained:
            container.enter()
        home, work = Path(folder) / "home", Path(folder) / "work"
        home.mkdir()
        work.mkdir()
        sources(work)
        small, large = repositories(Path(folder))
        environment = {"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C"}
        ours = str(options.binary.resolve())
        print(f"{measure.machine()}; {options.n} runs by turns")
        for title, line in (("an empty command", COMMAND), ("git init && make -j2", BUILD)):
            print(f"\n| {title} | wall ms | CPU ms | wall, ratio to plain | exit |")
            print("|---|---|---|---|---|")
            whole = programs(ours, options.peers.resolve(), work, line)
            for peer in ("bwrap", "codex sandbox") if options.contained else ():
                del whole[peer]
            commands = {
                name: (argv, environment, work) for name, argv in whole.items() if is_here(argv)
            }
            if line is COMMAND:
                own = [ours, "sandbox", "--level", "workspace-write"]
                commands["the same, a host named"] = (
                    [*own, *PROXY, "--", *line],
                    environment,
                    work,
                )
                commands["the same, in a repository"] = ([*own, "--", *line], environment, small)
                name = f"the same, {MANY} more protected files"
                commands[name] = ([*own, "--", *line], environment, large)
            rows = measure.by_turns(commands, options.n)
            for row in rows:
                wall, cpu = measure.span(row.wall), measure.span(row.cpu)
                ratio = ratios(row.wall, rows[0].wall)
                print(f"| {row.name} | {wall} | {cpu} | {ratio} | {sorted(row.codes)} |")
        commands = runs(ours, Path(folder), environment, [work, small, large])
        rows_by_name = {row.name: row for row in measure.by_turns(commands, options.n)}
    print("\n| within a run, per command | wall ms | CPU ms |\n|---|---|---|")
    for name, row in rows_by_name.items():
        if name not in {"nothing", "calculator"}:
            base = rows_by_name["nothing" if name == "plain" else "calculator"]
            print(f"| {name} | {each(row.wall, base.wall)} | {each(row.cpu, base.cpu)} |")


def programs(ours: str, peers: Path, work: Path, line: list[str]) -> dict[str, list[str]]:
    """The same command line under each program; all of them may write the working directory."""
    return {
        "plain": line,
        "bwrap": [*BWRAP, "--bind", str(work), str(work), *line],
        "codex sandbox": [str(peers / "npm/codex/bin/codex"), "sandbox", *CODEX, *line],
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


def repositories(folder: Path) -> tuple[Path, Path]:
    """One as `git init` makes it, and one with many hooks and files of submodules."""
    small, large = folder / "small", folder / "large"
    for place in (small, large):
        subprocess.run(["git", "init", "-q", place], check=True)
    for number in range(MANY // 2):
        hook = large / f".git/hooks/own-{number}"
        module = large / f".git/modules/part{number // 50}/config.{number}"
        for path in (hook, module):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("#!/bin/sh\n" * 20)
    return small, large


def ratios(values: list[float], base: list[float]) -> str:
    """Median [min to max] of pairs that ran in the same turn."""
    pairs = [value / other for value, other in zip(values, base, strict=True)]
    return f"{statistics.median(pairs):.2f} [{min(pairs):.2f} to {max(pairs):.2f}]"


def is_here(line: list[str]) -> bool:
    """Whether a program is installed; says so if not."""
    found = shutil.which(line[0]) is not None
    if not found:
        sys.stderr.write(f"not installed, left out: {line[0]}\n")
    return found


def runs(ours: str, folder: Path, environment: dict[str, str], places: list[Path]) -> Commands:
    """Runs of as many calls each, and a shell's loops that start as much plainly."""
    work, small, large = places
    loop = f"for i in $(seq {CALLS}); do {{}}; done"
    plain = {
        "nothing": ["/bin/bash", "-c", loop.format(":")],
        "plain": ["/bin/bash", "-c", loop.format(" ".join(COMMAND))],
    }
    commands = {name: (line, environment, work) for name, line in plain.items()}

    def run(name: str, tool: str, arguments: dict[str, str], place: Path, *more: str) -> None:
        script = folder / f"{tool}.json"
        turn = {"tool_calls": [{"name": tool, "arguments": arguments}]}
        script.write_text(json.dumps([*[turn] * CALLS, {"text": "done"}]))
        fixed = [ours, "run", "go", "--model", f"scripted/{script}", "--allow", "shell"]
        line = [*fixed, "--ephemeral", "--max-turns", str(CALLS + 2), "--sandbox", *more]
        commands[name] = (line, environment, place)

    run("calculator", "calculator", {"expression": "1+1"}, work, "read-only")
    empty = {"command": COMMAND[2]}
    for level in LEVELS:
        run(level, "shell", empty, work, level)
    run("workspace-write, a host named", "shell", empty, work, "workspace-write", *PROXY)
    run("workspace-write, in a repository", "shell", empty, small, "workspace-write")
    name = f"workspace-write, {MANY} more protected files"
    run(name, "shell", empty, large, "workspace-write")
    return commands


def each(values: list[float], base: list[float]) -> str:
    """Median over pairs of what one of the calls costs, in milliseconds."""
    pairs = zip(values, base, strict=True)
    return f"{statistics.median((value - less) / CALLS for value, less in pairs) * 1e3:.2f}"


if __name__ == "__main__":
    main()
