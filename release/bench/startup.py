"""Start-up of commands without ML, beside an interpreter's and installed peers'; and of a vector.

Usage: startup.py [--binary FILE] [--peers DIR] [-n RUNS]
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import measure

SENTENCE = "The quick brown fox jumps over the lazy dog."
LAYER = """{
  // of ordinary size
  "model": {"provider": "openai", "name": "m", "temperature": 0.5, "headers": {"X-A": "1"}},
  "sandbox": {"level": "workspace-write", "read": ["/usr/share"], "env": ["LANG", "TZ"]},
  "limits": {"max_turns": 20, "timeout": "10m", "max_tokens": 100000},
  "allow": ["file_read", "shell(git status)"], "deny": ["shell(rm *)"]
}
"""


def every_layer(
    binary: str, home: Path, environment: dict[str, str]
) -> tuple[list[str], dict[str, str], Path]:
    """Gives `config show` where every layer but the system's says something.

    Args:
        binary: The program.
        home: A directory to make a home of.
        environment: What the other rows run with.

    Returns:
        Command, environment and working directory.
    """
    work = home / "project" / "inner"
    places = [
        home / ".config/agi-agent/config.json",
        home / ".config/agi-agent/p.profile.json",
        home / "project/.agi-agent/config.json",
        work / ".agi-agent/config.json",
        home / "managed.json",
    ]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(LAYER)
    (home / "project/.git").mkdir()
    (home / "project/.env").write_text("AGI_MODEL_NAME=n\n")
    more = {
        "HOME": str(home),
        "AGI_MANAGED_CONFIG": str(home / "managed.json"),
        "AGI_MAX_TURNS": "9",
    }
    environment = {**environment, **more}
    for directory in (home / "project", work):
        subprocess.run(
            [binary, "trust", "--quiet"],
            cwd=directory,
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    command = [binary, "--profile", "p", "-c", "limits.max_turns=7", "config", "show"]
    return command, environment, work


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
        runs = {name: (command, environment, home) for name, command in commands.items()}
        runs["config show, every layer"] = every_layer(ours, home / "full", environment)
        for name, command in peers.items():
            if shutil.which(command[0]):
                runs[name] = (command, environment, home)
            else:
                sys.stderr.write(f"not installed, left out: {name}\n")
        rows = measure.by_turns(runs, options.n)
        # By itself: it leaves nothing of the others in the processor's caches.
        script = f"echo '{SENTENCE}' | exec \"$0\" model embed"
        vector = {"a sentence, `model embed`": (["/bin/sh", "-c", script, ours], environment, home)}
        rows += measure.by_turns(vector, options.n)
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
