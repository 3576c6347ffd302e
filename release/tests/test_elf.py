"""Reading executables: a static and a dynamic one, made by the compiler at hand."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from machinery import elf, link

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


def test_the_static_flavour_loads_no_library_and_no_name_service(tmp_path: Path) -> None:
    """Static glibc would take whatever libc the machine has into the process."""
    source = tmp_path / "program.c"
    source.write_text(
        "#include <dlfcn.h>\n#include <pwd.h>\n#include <stdio.h>\n"
        "int main(void) {\n"
        '    printf("%d ", dlopen("libc.so.6", RTLD_NOW) == NULL);\n'
        '    printf("%s ", dlerror());\n'
        '    printf("%d ", dlopen(NULL, RTLD_NOW) != NULL);\n'
        '    printf("%d", getpwuid(4000000) == NULL);\n'
        "    return 0;\n}\n"
    )
    program = tmp_path / "program"
    wrapped = [f"-Wl,--wrap={name}" for name in ("dlopen", "dlsym", "dlerror", "dlclose")]
    command = ["cc", "-w", "-static-pie", str(source), str(link.LOADER), *wrapped]
    subprocess.run([*command, "-o", str(program)], check=True, capture_output=True)
    done = subprocess.run([str(program)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("1 this is the fully static agi-agent")
    assert done.stdout.endswith("agi-agent-gnu can 1 1")
