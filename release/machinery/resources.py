"""Packs the Python side: standard library, bundled packages and `agi_agent`.

PyOxidizer (a pinned wheel) reads `pyoxidizer.bzl`; what it writes is rewritten
without sources and unwanted modules (see `packed.py`).  The products of this
stage are all that the Rust build needs to know of Python.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import cache
from .console import Argument, ReleaseError, run, stage
from .cpython import CPython
from .pins import CHECKOUT, RELEASE

#: Our own package, packed from the checkout.
OWN_PACKAGE = "agi_agent"
PYOXIDIZER_TIMEOUT = 600.0


@dataclass(frozen=True)
class Resources:
    """Products in the cache."""

    place: Path

    @property
    def packed(self) -> Path:
        """The blob that the binary includes."""
        return self.place / "packed-resources"

    @property
    def libpython(self) -> Path:
        """The archive of libpython with the module table."""
        return self.place / "libpython3.a"

    def facts(self) -> dict[str, object]:
        """Numbers of modules and bytes, as recorded when packing."""
        loaded: dict[str, object] = json.loads((self.place / "report.json").read_text())
        return loaded


def own_files() -> list[Path]:
    """Files of `python/agi_agent` as packed: no caches."""
    folder = CHECKOUT / "python" / OWN_PACKAGE
    return [
        path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]


def pip_install(python: CPython, requirements: Path, target: Path, log: Path) -> None:
    """Install pinned packages with the pip that CPython's source carries."""
    command: list[Argument] = [
        python.interpreter, "-B", "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile",
        "--disable-pip-version-check", "--require-hashes", "--only-binary=:all:",
        "--target", target, "-r", requirements,
    ]  # fmt: skip
    env = {"PYTHONPATH": os.fspath(python.pip)}
    run(command, log=log, env=env, timeout=600, what=f"pip install -r {requirements.name}")


def pyoxidizer(python: CPython, log: Path) -> Path:
    """The PyOxidizer program, installed once into the cache."""
    requirements = RELEASE / "requirements-build.txt"

    def fill(place: Path) -> None:
        with stage("PyOxidizer: installing the pinned wheel"):
            pip_install(python, requirements, place, log)

    key = cache.digest_of(cache.file_digest(requirements))
    program = cache.entry("pyoxidizer", key, fill) / "bin" / "pyoxidizer"
    if not os.access(program, os.X_OK):
        raise ReleaseError(f"the wheel of PyOxidizer brought no program at `{program}`")
    return program


def build(python: CPython, log: Path) -> Resources:
    """Return the packed resources for this checkout, made when absent."""
    program = pyoxidizer(python, log)
    requirements = RELEASE / "requirements.txt"
    inputs = [
        *own_files(),
        requirements,
        CHECKOUT / "pyoxidizer.bzl",
        *(RELEASE / "machinery" / name for name in ("resources.py", "packed.py", "repack.py")),
    ]
    key = cache.digest_of(
        {
            "cpython": python.place.name,
            "pyoxidizer": program.parents[1].name,
            "files": cache.digest_files(inputs, CHECKOUT),
        }
    )

    def fill(place: Path) -> None:
        work = place / "work"
        site = work / "site"
        site.mkdir(parents=True)
        with stage("resources: bundled packages"):
            _fill_site(python, requirements, site, log)
        with stage("resources: PyOxidizer"):
            made = _pack(program, python, site, work, log)
        with stage("resources: rewriting without sources"):
            report = place / "report.json"
            # Columns of a line are of no use where no source is: a sixth of the bytecode.
            command: list[Argument] = [python.interpreter, "-B", "-X", "no_debug_ranges",
                       "-m", "machinery.repack", made / "packed-resources",
                       place / "packed-resources", report]  # fmt: skip
            run(command, log=log, env={"PYTHONPATH": os.fspath(RELEASE)}, what="repack")
        shutil.copy(made / "libpython3.a", place / "libpython3.a")
        shutil.rmtree(work)

    return Resources(cache.entry("resources", key, fill))


def _fill_site(python: CPython, requirements: Path, site: Path, log: Path) -> None:
    pip_install(python, requirements, site, log)
    # Built-in modules only: a shared library cannot be loaded from memory.
    for compiled in site.rglob("*.so"):
        compiled.unlink()
    own = site / OWN_PACKAGE
    for source in own_files():
        target = own / source.relative_to(CHECKOUT / "python" / OWN_PACKAGE)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    # Metadata that changes with the machine, and the tools' entry points.
    for unwanted in (*site.glob("bin"), *site.glob("*.dist-info/RECORD")):
        shutil.rmtree(unwanted) if unwanted.is_dir() else unwanted.unlink()


def _pack(program: Path, python: CPython, site: Path, work: Path, log: Path) -> Path:
    """Run PyOxidizer in a folder of its own; returns where its products are."""
    project = work / "project"
    project.mkdir()
    shutil.copy(CHECKOUT / "pyoxidizer.bzl", project / "pyoxidizer.bzl")
    packages = sorted(
        path.name for path in site.iterdir() if path.is_dir() and path.suffix != ".dist-info"
    )
    variables = {
        "distribution": os.fspath(python.archive),
        "distribution_sha256": cache.file_digest(python.archive),
        "site": os.fspath(site),
        "packages": ",".join(packages),
    }
    arguments = [part for item in variables.items() for part in ("--var", *item)]
    run(
        [program, "build", "--release", "--path", project, *arguments, "resources"],
        log=log,
        # Its own cache would grow by an unpacked distribution per build.
        env={"PYOXIDIZER_CACHE_DIR": os.fspath(work / "cache"), "RUSTC_BOOTSTRAP": ""},
        timeout=PYOXIDIZER_TIMEOUT,
        what="pyoxidizer build",
    )
    found = sorted(project.rglob("packed-resources"))
    if not found:
        raise ReleaseError("PyOxidizer wrote no packed resources", f"its log is `{log}`")
    return found[0].parent
