"""Start-up of commands without ML, beside an interpreter's and installed peers'.

Usage: startup.py [--binary FILE] [--peers DIR] [-n RUNS]
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import measure


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=Path, default=Path("dist/agi-agent"))
    parser.add_argument("--peers", type=Path, default=Path("peers"))
    parser.add_argument("-n", type=int, default=31, help="counted runs of each command")
    options = parser.parse_args()
    ours = str(options.binary.resolve())
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        environment = {"HOME": folder, "PATH": "/usr/local/bin:/usr/bin:/bin"}
        peers = {
            "python3 -S -E -c pass": ["/usr/bin/python3", "-S", "-E", "-c", "pass"],
            "true": ["/bin/true"],
            "aichat --version": [str(options.peers / "cargo/bin/aichat"), "--version"],
        }
        commands = {
            name: [ours, *name.split()]
            for name in ("--version", "tool list", "config show", "memory search nothing")
        }
        for name, command in peers.items():
            if shutil.which(command[0]):
                commands[name] = command
            else:
                sys.stderr.write(f"not installed, left out: {name}\n")
        rows = measure.by_turns(
            {name: (command, environment, home) for name, command in commands.items()}, options.n
        )
    base = next((row for row in rows if row.name.startswith("python3")), rows[0])
    print(f"{measure.machine()}; {options.n} runs by turns\n")
    print(
        "| command | wall ms | CPU ms | of python3's wall | memory MB | exit |\n"
        "|---|---|---|---|---|---|"
    )
    for row in rows:
        print(
            f"| {row.name} | {measure.span(row.wall)} | {measure.span(row.cpu)} "
            f"| {measure.ratio(base, row, 'wall')} | {row.memory / 1e6:.1f} | {sorted(row.codes)} |"
        )


if __name__ == "__main__":
    main()
