"""Reading executables: a static and a dynamic one, made by the compiler at hand."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from machinery import elf

pytestmark = pytest.mark.skipif(
    shutil.which("cc") is None or shutil.which("readelf") is None, reason="no compiler here"
)


def compiled(folder: Path, *flags: str) -> Path:
    """A program that exports one name and keeps another to itself."""
    source = folder / "program.c"
    source.write_text("int exported_name = 1;\nint main(void) { return exported_name; }\n")
    program = folder / "program"
    subprocess.run(["cc", *flags, str(source), "-o", str(program)], check=True)
    return program


def test_a_dynamic_program_needs_libc(tmp_path: Path) -> None:
    """Interpreter, needed library, exports and the version of glibc are seen."""
    facts = elf.read(compiled(tmp_path, "-Wl,--export-dynamic"))
    assert facts.interpreter.startswith("/lib")
    assert facts.needed == {"libc.so.6"}
    assert "exported_name" in facts.exported
    assert facts.glibc.startswith("2.")
    assert not facts.executable_stack


def test_a_static_program_needs_nothing(tmp_path: Path) -> None:
    """As the static flavour must be."""
    facts = elf.read(compiled(tmp_path, "-static-pie"))
    assert (facts.interpreter, facts.needed, facts.glibc) == ("", frozenset(), "")


def test_an_executable_stack_is_seen(tmp_path: Path) -> None:
    """A single object without the note makes one."""
    assert elf.read(compiled(tmp_path, "-z", "execstack")).executable_stack
