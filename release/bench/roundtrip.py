"""Headless turns against a loopback model server, beside installed peers.

Usage: roundtrip.py [--binary FILE] [--peers DIR] [-n RUNS] [PEER ...]

Turns: plain (a text answer), tool (one shell call, then text), tool10 (ten, one after another);
(tool10 - plain) / 10 is what a further turn costs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import measure
from mock_server import Server

PROMPTS = {
    "plain": "Say hello.",
    "tool": "USE_TOOLx1 and say hello.",
    "tool10": "USE_TOOLx10 and say hello.",
}
KEY = "sk-mock-0000"
Setup = tuple[list[str], dict[str, str]]


def agi(binary: Path, home: Path, url: str) -> Setup:
    """Ours."""
    return [str(binary), "run", "--model", "openai/mock-model"], {
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": f"{url}/v1",
    }


def codex(root: Path, home: Path, url: str) -> Setup:
    """Codex CLI, its own sandbox off."""
    folder = home / ".codex"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(
        'model = "mock-model"\nmodel_provider = "mock"\ncheck_for_update_on_startup = false\n'
        '[analytics]\nenabled = false\n[model_providers.mock]\nname = "mock"\n'
        f'base_url = "{url}/v1"\nwire_api = "responses"\nenv_key = "MOCK_KEY"\n'
    )
    command = [str(root / "npm/codex/bin/codex"), "exec", "--skip-git-repo-check"]
    return [*command, "--dangerously-bypass-approvals-and-sandbox"], {"MOCK_KEY": KEY}


def claude(root: Path, home: Path, url: str) -> Setup:
    """Claude Code, print mode."""
    command = [
        str(root / "npm/claude/bin/claude"),
        "--model",
        "claude-sonnet-4-5",
        "--allowedTools=Bash",
        "-p",
    ]
    return command, {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": KEY,
        "DISABLE_AUTOUPDATER": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }


def llm(root: Path, home: Path, url: str) -> Setup:
    """The llm command; its tool runs in its own process."""
    folder = home / "llm"
    folder.mkdir(parents=True)
    (folder / "extra-openai-models.yaml").write_text(
        f'- model_id: mock\n  model_name: mock-model\n  api_base: "{url}/v1"\n  supports_tools: true\n'
    )
    command = [str(root / "venv/llm/bin/llm"), "-m", "mock", "-T", "llm_version", "--cl", "20"]
    return command, {"LLM_USER_PATH": str(folder), "OPENAI_API_KEY": KEY}


def aichat(root: Path, home: Path, url: str) -> Setup:
    """aichat, with a shell function."""
    folder = home / ".config/aichat"
    (folder / "functions/bin").mkdir(parents=True)
    (folder / "config.yaml").write_text(
        "model: mock:mock-model\nfunction_calling: true\nuse_tools: all\nclients:\n"
        f"- type: openai-compatible\n  name: mock\n  api_base: {url}/v1\n  api_key: {KEY}\n"
        "  models:\n  - name: mock-model\n    supports_function_calling: true\n"
    )
    schema = {
        "type": "object",
        "properties": {"command": {"type": "string"}},
        "required": ["command"],
    }
    function = {
        "name": "execute_command",
        "description": "Run a shell command.",
        "parameters": schema,
    }
    (folder / "functions/functions.json").write_text(json.dumps([function]))
    script = folder / "functions/bin/execute_command"
    script.write_text('#!/bin/sh\necho peer-tool-ok >>"$LLM_OUTPUT"\n')
    script.chmod(0o755)
    return [str(root / "cargo/bin/aichat")], {}


PEERS: dict[str, Callable[[Path, Path, str], Setup]] = {
    "codex": codex,
    "claude": claude,
    "llm": llm,
    "aichat": aichat,
}

HEAD = (
    "| program | wall ms | CPU ms | ours/its wall | ours/its CPU | memory MB | requests "
    "| bytes sent | exit |\n|---|---|---|---|---|---|---|---|---|"
)


def line(row: measure.Row, ours: measure.Row, sizes: list[int]) -> str:
    """A row of the table."""
    cells = [
        row.name,
        measure.span(row.wall),
        measure.span(row.cpu),
        measure.ratio(row, ours, "wall"),
        measure.ratio(row, ours, "cpu"),
        f"{row.memory / 1e6:.1f}",
        str(len(sizes)),
        str(sum(sizes)),
        str(sorted(row.codes)),
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Prints a Markdown table per kind of turn, and what a further turn costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=Path, default=Path("dist/agi-agent"))
    parser.add_argument("--peers", type=Path, default=Path("peers"))
    parser.add_argument("-n", type=int, default=15, help="counted runs of each command")
    parser.add_argument("names", nargs="*", default=list(PEERS), metavar="PEER")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in PEERS]
    if unknown:
        parser.error(f"unknown peers {unknown}; known are {list(PEERS)}")
    server = Server()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    print(f"{measure.machine()}; {options.n} runs by turns")
    medians: dict[str, dict[str, tuple[float, float]]] = {}
    for turn, prompt in PROMPTS.items():
        with tempfile.TemporaryDirectory() as top:
            commands = prepare(options, Path(top), url, prompt)
            sent = {name: weigh(server, setup) for name, setup in commands.items()}
            rows = measure.by_turns(commands, options.n)
        ours = rows[0]
        print(f"\n## {turn}\n\n{HEAD}")
        for row in rows:
            median = statistics.median(row.wall), statistics.median(row.cpu)
            medians.setdefault(row.name, {})[turn] = median
            print(line(row, ours, sent[row.name]))
    print("\n## a further turn: (tool10 - plain) / 10\n")
    print("| program | wall ms | CPU ms |\n|---|---|---|")
    for name, turns in medians.items():
        wall, cpu = ((turns["tool10"][n] - turns["plain"][n]) * 100 for n in (0, 1))
        print(f"| {name} | {wall:.2f} | {cpu:.2f} |")


def prepare(
    options: argparse.Namespace, top: Path, url: str, prompt: str
) -> dict[str, tuple[list[str], dict[str, str], Path]]:
    """A fresh home and workspace for each program; ours comes first."""
    commands = {}
    for name in ["agi-agent", *options.names]:
        home, work = top / name / "home", top / name / "work"
        home.mkdir(parents=True)
        work.mkdir()
        if name == "agi-agent":
            command, extra = agi(options.binary.resolve(), home, url)
        else:
            command, extra = PEERS[name](options.peers.resolve(), home, url)
        if not Path(command[0]).exists():
            sys.stderr.write(f"not installed, left out: {name}\n")
            continue
        node = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        environment = {"HOME": str(home), "PATH": node, "TERM": "dumb", "LANG": "C.UTF-8", **extra}
        commands[name] = ([*command, prompt], environment, work)
    return commands


def weigh(server: Server, setup: tuple[list[str], dict[str, str], Path]) -> list[int]:
    """Sizes of the requests of one run (bytes)."""
    server.take()
    measure.run(*setup)
    return server.take()


if __name__ == "__main__":
    main()
