"""The child for transformers, as a process, without torch: its lines and its errors."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

TRANSFORMERS = """
class AutoTokenizer:
    @staticmethod
    def from_pretrained(name, trust_remote_code, local_files_only):
        assert local_files_only
        print("a library that prints")
        if not trust_remote_code:
            raise ValueError("the option `trust_remote_code=True` is needed")
        raise OSError(f"no such directory {name}")
"""


@pytest.fixture
def exchange(tmp_path, repository):
    """Send lines to a child with these wheels; gives its lines."""

    def run(*calls):
        (tmp_path / "transformers.py").write_text(TRANSFORMERS)
        (tmp_path / "torch.py").write_text("")
        lines = "".join(
            call if isinstance(call, str) else json.dumps(call) + "\n" for call in calls
        )
        finished = subprocess.run(
            [sys.executable, "-m", "agi_agent.local.hub"],
            input=lines,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            cwd=tmp_path,
            env={"PYTHONPATH": f"{repository / 'python'}:{tmp_path}"},
        )
        return [json.loads(line) for line in finished.stdout.splitlines()]

    return run


def opening(**model):
    request = {"messages": [{"role": "user", "parts": []}]}
    return {"op": "hub.open", "payload": {"model": model, "request": request}}


FEED = {"op": "hub.feed", "payload": {"stream": 1}}


def first_error(answers):
    """Loading goes on beside the pipe: its error is the answer of a later `feed`."""
    return next(answer["error"] for answer in answers if "error" in answer)


def test_what_cannot_be_loaded_is_said_in_one_line(exchange):
    opened = opening(name="nowhere", trust_remote_code=True)
    error = first_error(exchange(opened, *[FEED] * 50))
    assert error["kind"] == "configuration"
    assert error["message"] == (
        "`nowhere` cannot be loaded by transformers: OSError: no such directory nowhere"
    )


def test_code_of_a_repository_needs_the_models_name(exchange):
    error = first_error(exchange(opening(name="odd/one"), *[FEED] * 50))
    assert "model.transformers.trust_remote_code" in error["hint"]


def test_the_child_goes_on_after_nonsense(exchange):
    answers = exchange("nonsense\n", {"op": "no.such", "payload": {}}, FEED, FEED)
    kinds = [answer["error"]["kind"] for answer in answers]
    assert kinds == ["interpreter"] * 4
