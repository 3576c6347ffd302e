"""Rewrites packed resources for the single file: bytecode only, real file names.

Runs under the static interpreter that was just built, since bytecode belongs to
one version: `python -m machinery.repack SOURCE TARGET REPORT`.  PyOxidizer names
each code object after its module; a traceback should name a file, so every module
is compiled again from its source as `<agi-agent>/package/module.py`.
"""

from __future__ import annotations

import json
import marshal
import sys
from pathlib import Path

from . import packed

#: Stands for the binary in file names; no directory of that name is searched.
ROOT = "<agi-agent>"
#: Top-level names that never reach the binary, should a distribution bring them. `venv` copies
#: files of an installation, and there is none.
UNWANTED = frozenset(
    {
        "ensurepip", "idlelib", "lib2to3", "pip", "pydoc_data", "setuptools", "test",
        "tkinter", "turtle", "turtledemo", "venv",
    }
)  # fmt: skip
#: Pure-Python stand-ins for what is built in, other systems' support, and a package whose
#: C half is not there.
REDUNDANT = frozenset(
    {
        "_pydatetime", "_pydecimal", "_pyio", "_android_support", "_apple_support",
        "_ios_support", "_osx_support", "__phello__", "curses",
    }
)  # fmt: skip
#: Packages that nobody asks for help on: their docstrings (and jinja2's assertions) stay out.
UNDOCUMENTED = frozenset({"agi_agent", "jinja2", "markupsafe"})
#: The exception: what people's own code calls.
DOCUMENTED = "agi_agent.plot"
#: Data beside modules that only compilers and type checkers read.
UNWANTED_DATA = (".pyi", ".c", ".h", "py.typed")


def file_name(resource: packed.Resource) -> str:
    """The name a traceback shows for a module."""
    path = resource.name.replace(".", "/")
    return f"{ROOT}/{path}/__init__.py" if "package" in resource.flags else f"{ROOT}/{path}.py"


def optimisation(module: str) -> int:
    """The level of `compile`: 2 leaves docstrings and assertions out."""
    spoken = module == DOCUMENTED or module.startswith(f"{DOCUMENTED}.")
    return 2 if module.split(".")[0] in UNDOCUMENTED and not spoken else 0


def rewrite(resources: list[packed.Resource]) -> list[packed.Resource]:
    """Drop what is unwanted, compile every module, forget its source."""
    kept: list[packed.Resource] = []
    for resource in resources:
        if resource.name.split(".")[0] in UNWANTED | REDUNDANT:
            continue
        source = resource.blobs.pop(packed.SOURCE, None)
        if source is not None:
            code = compile(
                source,
                file_name(resource),
                "exec",
                dont_inherit=True,
                optimize=optimisation(resource.name),
            )
            resource.blobs = {packed.BYTECODE: marshal.dumps(code)}
        for kind, table in list(resource.tables.items()):
            wanted = {
                name: data for name, data in table.items() if not name.endswith(UNWANTED_DATA)
            }
            if wanted:
                resource.tables[kind] = wanted
            else:
                del resource.tables[kind]
        kept.append(resource)
    return kept


def main(source: Path, target: Path, report: Path) -> None:
    """Rewrite one file and say in a JSON report what it holds."""
    before = source.read_bytes()
    resources = rewrite(packed.read(before))
    after = packed.write(resources)
    if packed.read(after) != resources:
        raise SystemExit("the rewritten resources read back differently")
    target.write_bytes(after)
    modules = [resource.name for resource in resources if packed.BYTECODE in resource.blobs]
    data = sum(len(table) for resource in resources for table in resource.tables.values())
    facts = {
        "modules": len(modules),
        "own_modules": sum(name.split(".")[0] == "agi_agent" for name in modules),
        "builtin_modules": sum("builtin_extension" in resource.flags for resource in resources),
        "data_files": data,
        "bytes": len(after),
        "bytes_with_sources": len(before),
    }
    report.write_text(json.dumps(facts, indent=1, sort_keys=True))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
