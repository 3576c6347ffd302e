"""Builds the sources with every mutation in them, and runs tests against one at a time."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .console import ReleaseError, say
from .mutation import Edit, Mutation
from .mutations_execution import EXECUTION, HOSTS
from .mutations_restore import RESTORE
from .mutations_rules import RULES_AND_TOOLS
from .mutations_sandbox import COMMON, SANDBOX
from .mutations_secrets import SECRETS, STRANGERS
from .pins import CHECKOUT

#: All of them, in the order of the table.
MUTATIONS = (*SANDBOX, *RESTORE, *RULES_AND_TOOLS, *STRANGERS, *SECRETS, *HOSTS, *EXECUTION)

#: Answers which mutation is chosen: the end of the name of this executable, read once, before
#: anything is forked (a process that has another procfs still knows).
CHOOSER = """//! Which defence is off: never part of the sources.

use std::sync::OnceLock;

fn chosen() -> &'static str {
    static CHOSEN: OnceLock<String> = OnceLock::new();
    CHOSEN.get_or_init(|| {
        // Without procfs by the name it was started with.
        let name = || rustix::param::linux_execfn().to_str().unwrap_or_default().into();
        let path = std::env::current_exe().unwrap_or_else(|_| name());
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.split_once("mutation-").map(|(_, chosen)| chosen.to_owned()).unwrap_or_default()
    })
}

pub fn is(name: &str) -> bool {
    chosen() == name
}

pub fn any() -> bool {
    !chosen().is_empty()
}
"""

#: Cargo tells packages of one name in one target directory apart by how they are compiled, not by
#: where they lie. Without a difference those of the checkout could have the mutated library.
APART = "profile.dev.package.agi-agent.codegen-units=255"

#: What is not copied.
LEFT_OUT = shutil.ignore_patterns("target", ".git", "dist", "__pycache__")


@dataclass(frozen=True)
class Row:
    """What tests said of one mutation."""

    name: str
    failed: int
    tests: int
    rows: int
    names: tuple[str, ...]


def build(place: Path) -> Path:
    """Copy, edit and build; returns the binary.

    Raises:
        ReleaseError: An edit fits no more, or the build failed.
    """
    copy = _sources(place)
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(CHECKOUT, copy, ignore=LEFT_OUT, symlinks=True)
    for edit in COMMON:
        _apply(copy, edit, "")
    for mutation in MUTATIONS:
        for edit in mutation.edits:
            _apply(copy, edit, mutation.name)
    (copy / "src" / "mutation.rs").write_text(CHOOSER)
    _apply(copy, Edit("src/lib.rs", "pub mod system;", "pub mod mutation;\npub mod system;"), "")
    _apply(copy, Edit("src/main.rs", "{\n", "{\n    agi_agent::mutation::any();\n"), "", first=True)
    say("building with all mutations")
    _cargo(copy, "build", "--bin", "agi-agent")
    binary = place / "agi-agent"
    shutil.copy2(target() / "debug" / "agi-agent", binary)
    return binary


def judges(place: Path) -> Path:
    """Build the mutated sources' own tests; returns the program that has those of `tests/rust`.

    Raises:
        ReleaseError: They do not build.
    """
    say("building the judges with all mutations")
    copy = _sources(place)
    output = _cargo(copy, "test", "--no-run", "--test", "rust", "--message-format=json")
    # Beside the binary, under a name that chooses nothing yet.
    return Path(shutil.copy2(_program(output, "rust"), place / "judges"))


def _sources(place: Path) -> Path:
    return place / "sources"


def target() -> Path:
    """Where cargo builds."""
    return Path(os.environ.get("CARGO_TARGET_DIR", CHECKOUT / "target")).absolute()


def _cargo(copy: Path, command: str, *options: str) -> str:
    """What cargo prints; the dependencies are those of the checkout, built already."""
    done = subprocess.run(
        ["cargo", command, "--locked", "--quiet", "--config", APART, *options],
        cwd=copy,
        env={**os.environ, "CARGO_TARGET_DIR": os.fspath(target())},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ReleaseError("the mutated sources do not build", done.stderr[-4000:])
    return done.stdout


def _apply(copy: Path, edit: Edit, name: str, *, first: bool = False) -> None:
    """Make one edit; `first`: of several places the first one."""
    path = copy / edit.path
    text = path.read_text()
    count = text.count(edit.old)
    if count != 1 and not (first and count):
        raise ReleaseError(
            f"an edit of `{edit.path}` for `{name}` fits {count} times",
            "machinery/mutations_*.py have to follow the sources: " + edit.old.strip()[:80],
        )
    new = edit.new.replace("OFF", f'crate::mutation::is("{name}")')
    new = new.replace("ANY", "crate::mutation::any()")
    path.write_text(text.replace(edit.old, new, 1))


def test_program() -> Path:
    """Build the tests of the checkout as it is; returns the program that has those of `tests/cli`.

    Raises:
        ReleaseError: They do not build.
    """
    say("building the tests")
    done = subprocess.run(
        ["cargo", "test", "--locked", "--no-run", "--test", "cli", "--message-format=json"],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return _program(done.stdout, "cli")


def _program(messages: str, target: str) -> Path:
    """The test program among what cargo says in JSON."""
    for line in messages.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == target:
            return Path(message["executable"])
    raise ReleaseError("the tests do not build", f"cargo test --no-run --test {target}")


def control(program: Path, binary: Path, mutations: Sequence[Mutation]) -> Row:
    """The same tests with nothing off: what fails now fails for another reason than a mutation."""
    tests = sorted({test for mutation in mutations for test in mutation.tests})
    users = any(mutation.every_user for mutation in mutations)
    nothing = Mutation("none", "all defences are on: nothing may fail", tests, every_user=users)
    chosen = _chosen(binary, nothing)
    first = _row(nothing, _printed(nothing, [program, *tests], chosen))
    # Some judge what all children of their process took, and so those of other tests.
    again = [
        _row(nothing, _printed(nothing, [program, "--exact", test], chosen)) for test in first.names
    ]
    names = tuple(name for row in again for name in row.names)
    row = Row(nothing.name, len(names), first.tests, 0, names)
    _tell(row, nothing.defence)
    return row


def measure(program: Path, binary: Path, mutation: Mutation) -> Row:
    """Run the tests of one mutation, print a row of the table and return it."""
    chosen = _chosen(binary, mutation)
    return _measured(mutation, mutation.defence, [program, *mutation.tests], chosen)


def measure_judges(program: Path, mutation: Mutation) -> Row:
    """The same for its judges."""
    chosen = _chosen(program, mutation)
    return _measured(mutation, "the same, judged by the fuzzer", [chosen, *mutation.judges], chosen)


def _chosen(program: Path, mutation: Mutation) -> Path:
    """The program under the name that switches one defence off."""
    chosen = program.with_name(f"{program.name}-mutation-{mutation.name}")
    # One of an earlier build may be there.
    chosen.unlink(missing_ok=True)
    os.link(program, chosen)
    return chosen


def logs() -> Path | None:
    """Where what the tests print is kept: `$AGI_MUTATION_LOGS`."""
    named = os.environ.get("AGI_MUTATION_LOGS")
    return Path(named).absolute() if named else None


def _measured(mutation: Mutation, defence: str, command: list[str | Path], binary: Path) -> Row:
    row = _row(mutation, _printed(mutation, command, binary))
    _tell(row, defence)
    return row


def _printed(mutation: Mutation, command: list[str | Path], binary: Path) -> str:
    """What tests print of a binary."""
    users = {} if mutation.every_user else {"AGI_TEST_ONE_USER": "1"}
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        env={**os.environ, "AGI_TEST_BINARY": os.fspath(binary), **users},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    kept = logs()
    if kept:
        kept.mkdir(parents=True, exist_ok=True)
        (kept / f"{mutation.name}.log").write_text(done.stdout)
    return done.stdout


def _tell(row: Row, defence: str) -> None:
    counts = f"{row.failed} of {row.tests} | {row.rows or ''}"
    sys.stdout.write(f"| `{row.name}` | {defence} | {counts} |\n")
    sys.stdout.flush()


def _row(mutation: Mutation, output: str) -> Row:
    """Counts from what the test program and the tests printed."""
    summary = re.search(r"^test result: .* (\d+) passed; (\d+) failed", output, re.MULTILINE)
    if not summary:
        raise ReleaseError(f"the tests of `{mutation.name}` did not run", output[-2000:])
    passed, failed = int(summary[1]), int(summary[2])
    rows = 0
    for right, count in re.findall(r": (\d+) of (\d+) rows", output):
        rows += int(count) - int(right)
    rows += sum(int(count) for count in re.findall(r"(\d+) escaped$", output, re.MULTILINE))
    names = tuple(re.findall(r"^test (\S+) \.\.\. FAILED$", output, re.MULTILINE))
    return Row(mutation.name, failed, passed + failed, rows, names)
