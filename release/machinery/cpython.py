"""Builds CPython statically and keeps the result by content hash.

All extension modules are built in, all C libraries come as archives.  SQLite is
the one that the Rust side bundles (`libsqlite3-sys`): its header decides what
`_sqlite3` is compiled against, and its archive is left out of the products, so
that the final link takes the only copy there is.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import cache, distribution
from .console import ReleaseError, capture, run, stage
from .patches import PatchSet, apply
from .pins import CHECKOUT, Pins
from .prerequisites import LIBRARIES, archive_path
from .source import Source

#: Modules that need a terminal or toolkit library nobody links statically.
UNWANTED_MODULES = ("_tkinter", "_curses", "_curses_panel", "_gdbm", "_dbm", "readline")
#: Parts of the standard library that an agent has no use for.
UNWANTED_LIBRARY = (
    "test", "idlelib", "tkinter", "turtledemo", "turtle.py", "pydoc_data", "lib2to3",
    "ensurepip", "site-packages", "lib-dynload",
)  # fmt: skip
#: For executables only, whose own symbols nobody replaces.
COMPILE_FLAGS = "-O3 -fPIE -fno-semantic-interposition"
CONFIGURE = (
    "--prefix=/install",
    "--disable-shared",
    "--disable-test-modules",
    "--without-readline",
    "--with-openssl=/usr",
    "--with-ensurepip=no",
)


@dataclass(frozen=True)
class CPython:
    """A finished static build in the cache."""

    place: Path

    @property
    def archive(self) -> Path:
        """The distribution that PyOxidizer reads."""
        return self.place / "cpython.tar.zst"

    @property
    def interpreter(self) -> Path:
        """The interpreter of the build, for pip and for compiling bytecode."""
        return self.place / "python" / "install" / "bin" / "python3"

    @property
    def pip(self) -> Path:
        """The pip wheel that CPython's source carries; runs from `PYTHONPATH`."""
        return self.place / "pip.whl"

    @property
    def libraries(self) -> Path:
        """Folder of the static archives of the final link."""
        return self.place / "python" / "build" / "lib"

    @property
    def pyo3_config(self) -> Path:
        """What `PYO3_CONFIG_FILE` points at."""
        return self.place / "pyo3-config.txt"

    def facts(self) -> dict[str, object]:
        """Version, modules and patches, as recorded at build time."""
        loaded: dict[str, object] = json.loads((self.place / "facts.json").read_text())
        return loaded


def sqlite_folder() -> Path:
    """Folder with the `sqlite3.c` and `sqlite3.h` that the Rust side compiles."""
    metadata = capture(["cargo", "metadata", "--format-version=1", "--locked"], cwd=CHECKOUT)
    for package in json.loads(metadata)["packages"]:
        if package["name"] == "libsqlite3-sys":
            return Path(package["manifest_path"]).parent / "sqlite3"
    raise ReleaseError("Cargo.lock has no package `libsqlite3-sys`")


def build(pins: Pins, source: Source, patch_set: PatchSet, log: Path) -> CPython:
    """Return the static CPython for these inputs, building it when absent."""
    sqlite = sqlite_folder()
    machinery = Path(__file__).parent
    key = cache.digest_of(
        {
            "tarball": pins.sha256,
            "patches": patch_set.digest(),
            "compiler": capture(["cc", "--version"]),
            "libraries": {
                library.name: cache.file_digest(archive_path(library.archive))
                for library in LIBRARIES
            },
            "sqlite": cache.file_digest(sqlite / "sqlite3.h"),
            "recipe": [
                ast.dump(ast.parse((machinery / name).read_text()))
                for name in ("cpython.py", "distribution.py")
            ],
        }
    )

    def fill(place: Path) -> None:
        tree = _unpack(pins, source, place, log)
        apply(patch_set, tree, log)
        _compile(pins, tree, sqlite, log)
        with stage("CPython: wrapping as a distribution"):
            _install(pins, tree, place, sqlite, log)
            facts = distribution.write(pins, tree, place / "python")
            facts["patches"] = patch_set.names
            facts["patches_not_applied"] = list(patch_set.unknown)
            (place / "facts.json").write_text(json.dumps(facts, indent=1, sort_keys=True))
            _write_pyo3_config(pins, place / "pyo3-config.txt")
            members = ["build", "install", "licenses", "PYTHON.json"]
            run(
                ["tar", "--use-compress-program=zstd -1 -T0", "-cf", place / "cpython.tar.zst",
                 *(f"python/{member}" for member in members)],
                log=log,
                cwd=place,
                what="tar",
            )  # fmt: skip
        shutil.rmtree(tree.parent)

    return CPython(cache.entry("cpython", key, fill))


def _unpack(pins: Pins, source: Source, place: Path, log: Path) -> Path:
    work = place / "work"
    work.mkdir()
    run(["tar", "-xf", source.tarball, "-C", work], log=log)
    tree = work / f"Python-{pins.version}"
    if not (tree / "configure").is_file():
        raise ReleaseError(f"`{source.tarball}` does not hold Python-{pins.version}/configure")
    return tree


def _environment(pins: Pins, tree: Path, sqlite: Path) -> dict[str, str]:
    """Variables of configure and make; every library gets its static name."""
    # Paths of this machine must not end up in the binary.
    mapped = f"-ffile-prefix-map={tree}=/build"
    return {
        "MODULE_BUILDTYPE": "static",
        "CFLAGS": f"{COMPILE_FLAGS} {mapped}",
        "OPT": "-DNDEBUG -Wall",
        "SOURCE_DATE_EPOCH": str(pins.source_date_epoch),
        "ZLIB_LIBS": "-l:libz.a",
        "BZIP2_LIBS": "-l:libbz2.a",
        "LIBLZMA_LIBS": "-l:liblzma.a",
        "LIBFFI_LIBS": "-l:libffi.a",
        "LIBUUID_CFLAGS": "-I/usr/include/uuid",
        "LIBUUID_LIBS": "-l:libuuid.a",
        "LIBSQLITE3_CFLAGS": f"-I{sqlite}",
        "LIBSQLITE3_LIBS": f"-L{tree.parent} -l:libsqlite3.a -lm",
        **{f"py_cv_module_{name}": "n/a" for name in UNWANTED_MODULES},
    }


def _compile(pins: Pins, tree: Path, sqlite: Path, log: Path) -> None:
    environment = _environment(pins, tree, sqlite)
    with stage("CPython: SQLite for the build's own interpreter"):
        # Unoptimised: it never reaches a product.
        folder = tree.parent
        flags = "-O0 -fPIC -DSQLITE_ENABLE_LOAD_EXTENSION=1 -DSQLITE_THREADSAFE=1"
        run(["cc", *flags.split(), "-c", sqlite / "sqlite3.c", "-o", folder / "sqlite3.o"], log=log)
        run(["ar", "rcs", folder / "libsqlite3.a", folder / "sqlite3.o"], log=log)
    with stage("CPython: configure"):
        run(["./configure", *CONFIGURE], log=log, cwd=tree, env=environment, what="configure")
    with stage("CPython: compile (the longest step, about three minutes)"):
        jobs = f"-j{os.cpu_count() or 1}"
        run(["make", jobs], log=log, cwd=tree, env=environment, timeout=3600, what="make")


def _install(pins: Pins, tree: Path, place: Path, sqlite: Path, log: Path) -> None:
    """Install below `place/python/install` and strip what is never packed."""
    root = place / "python"
    root.mkdir()
    run(["make", "install", f"DESTDIR={root}"], log=log, cwd=tree, what="make install")
    library = root / "install" / "lib" / f"python{pins.major_minor}"
    wheels = sorted((library / "ensurepip" / "_bundled").glob("pip-*.whl"))
    if not wheels:
        raise ReleaseError("the source of CPython carries no pip wheel")
    shutil.copy(wheels[-1], place / "pip.whl")
    for name in UNWANTED_LIBRARY:
        path = library / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    # The interpreter complains when it cannot find these.
    for name in ("site-packages", "lib-dynload"):
        (library / name).mkdir()
    # PyOxidizer packs what it finds: the second libpython.a of config-*, caches.
    for folder in library.glob(f"config-{pins.major_minor}*"):
        shutil.rmtree(folder)
    for folder in library.rglob("__pycache__"):
        shutil.rmtree(folder)
    for data in library.glob("_sysconfigdata*.py"):
        text = data.read_text()
        # Longest first: the tree lies inside its parent.
        for here, there in ((tree, "/build"), (tree.parent, "/build"), (sqlite, "/build/sqlite")):
            text = text.replace(os.fspath(here), there)
        data.write_text(text.replace(os.fspath(root), ""))
    shutil.rmtree(root / "install" / "share", ignore_errors=True)
    for other in (root / "install" / "lib").glob("*.a"):
        other.unlink()
    run(["strip", "-g", root / "install" / "bin" / f"python{pins.major_minor}"], log=log)


def _write_pyo3_config(pins: Pins, path: Path) -> None:
    """Tell PyO3 about an interpreter that is linked by `release/build` itself."""
    path.write_text(
        "implementation=CPython\n"
        f"version={pins.major_minor}\n"
        "shared=false\n"
        "pointer_width=64\n"
        "build_flags=\n"
        "suppress_build_script_link_lines=true\n"
    )
