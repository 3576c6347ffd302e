"""Running stages: verdicts, counts, time limits."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from machinery import checks, runner
from machinery.console import ReleaseError
from machinery.pins import RELEASE


def shell(tmp_path: Path) -> runner.Shell:
    """A shell in an empty folder."""
    return runner.Shell(tmp_path, {})


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("     Summary [   1.234s] 12 tests run: 12 passed, 3 skipped", 12),
        ("test result: ok. 7 passed; 0 failed; 0 ignored; 0 measured", 7),
        ("======== 5 passed, 1 skipped in 0.12s ========", 5),
        ("1 failed, 26 passed in 0.64s", 26),
        ("smoke: 9 passed, 0 failed", 9),
        ("12 passengers passed by", 0),
    ],
)
def test_counts_are_read_from_the_runners_summaries(tmp_path: Path, line: str, count: int) -> None:
    """One pattern per test runner."""
    own = shell(tmp_path)
    own([sys.executable, "-c", f"print({line!r})"])
    assert own.tests == count


def test_a_failing_program_fails_the_stage_and_not_the_run(tmp_path: Path) -> None:
    """The remark says which program ended how."""
    outcome = runner.run_stage("x", lambda own: own(["false"]), shell(tmp_path))
    assert (outcome.verdict, outcome.remark) == ("failed", "`false` ended with status 1")


def test_a_program_without_end_is_killed(tmp_path: Path) -> None:
    """With the children it started."""
    with pytest.raises(ReleaseError, match="did not end within"):
        shell(tmp_path)(["sh", "-c", "sleep 60 & sleep 60"], timeout=0.2)


def members_of(group: int) -> list[str]:
    """Processes of a group that still run; what nobody has waited for does not."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, _, rest = stat.read_text().rpartition(") ")
            state, _, of = rest.split()[:3]
            if int(of) == group and state != "Z":
                found.append(name)
    return found


def test_an_interruption_ends_what_was_started() -> None:
    """Programs have sessions of their own, which a terminal's signals do not reach."""
    code = (
        "import pathlib, sys; from machinery import runner;"
        " runner.Shell(pathlib.Path(), {})(['sh', '-c', 'echo $$; sleep 60 & sleep 60'])"
    )
    command = [sys.executable, "-u", "-c", code]
    with subprocess.Popen(command, cwd=RELEASE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        group = int(child.stdout.readline())
        child.send_signal(signal.SIGINT)
        child.wait(10)
    deadline = time.monotonic() + 5
    while members_of(group) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert members_of(group) == []


def test_the_last_line_counts_stages() -> None:
    """It is what a person and a program look for."""
    outcomes = [
        runner.Outcome("a", "passed", 1.0, 3),
        runner.Outcome("b", "failed", 2.0),
        runner.Outcome("c", "skipped", 0.0, remark="no rustup"),
    ]
    assert runner.summary(outcomes, 1.0).splitlines()[-1] == "1 passed, 1 failed, 1 skipped"


def test_stages_of_another_process_are_told_as_our_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their outcomes and what they printed."""
    with runner.beside(["fmt", "deny"]) as started:
        outcomes = started.outcomes()
    assert [outcome.name for outcome in outcomes] == ["fmt", "deny"]
    assert capsys.readouterr().out.count("==> ") == 2
    runner.write(outcomes, tmp_path / "again")
    assert json.loads((tmp_path / "again").read_text())[1]["name"] == "deny"


def test_a_process_without_outcomes_has_failed(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever became of it."""
    with runner.beside(["no-such-stage"]) as started:
        outcomes = started.outcomes()
    assert [outcome.name for outcome in outcomes] == ["no-such-stage"]
    assert outcomes[0].verdict == "failed"
    assert "status 2" in outcomes[0].remark
    assert "no stage `no-such-stage`" in capsys.readouterr().out


def test_stages_are_chosen_by_name_and_group() -> None:
    """In the order they always run."""
    assert checks.chosen(["pytest", "lint"]) == ["fmt", "ruff", "mypy", "deny", "clippy", "pytest"]
    assert checks.chosen([]) == list(checks.STAGES)
    with pytest.raises(ReleaseError, match="no stage `nope`"):
        checks.chosen(["nope"])
