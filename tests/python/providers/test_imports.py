"""The first byte goes out early because adapters import almost nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import agi_agent

HEAVY = ("json", "re", "typing", "enum", "dataclasses", "functools", "collections.abc")
PROGRAM = """
import sys
before = set(sys.modules)
from agi_agent import providers
for provider, api in (("openai", "chat"), ("openai", "responses"), ("anthropic", "")):
    request = {"messages": [{"role": "user", "parts": [{"type": "text", "text": "x"}]}]}
    settings = {"name": "m", "api": api}
    payload = {"provider": provider, "settings": settings, "request": request}
    providers.open_stream(payload, [])
print(*(set(sys.modules) - before))
"""


def test_adapters_import_nothing_heavy() -> None:
    root = Path(agi_agent.__file__).parents[1]
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.insert(0, {str(root)!r}){PROGRAM}",
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    loaded = done.stdout.split()
    assert "agi_agent.providers.anthropic" in loaded
    assert not [name for name in HEAVY if name in loaded]
