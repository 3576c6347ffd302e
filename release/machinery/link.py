"""Compiles the Rust side once and links it twice.

`agi-agent` is fully static (no interpreter, no needed library) and linked for a fixed
address: relocating a file of this size costs 450 page faults, more than half of a start;
`agi-agent-gnu` needs glibc only and exports the Python API, so that extension
modules of wheels find it.  The two differ in flags of the final link alone, which
is why they are given here and not by the build script: the library crate and all
dependencies are shared.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import cache, sentence
from .console import ReleaseError, capture, run, stage
from .cpython import CPython
from .distribution import OWN_ARCHIVES, SYSTEM_LIBRARIES
from .kernel import OWN, Kernel
from .pins import CHECKOUT, RELEASE
from .prerequisites import LIBRARIES
from .resources import Resources

BINARY = "agi-agent"
#: C code that only the static flavour has.
LOADER = RELEASE / "static" / "loader.c"
LINK_TIMEOUT = 3600.0


@dataclass(frozen=True)
class Flavour:
    """One way of linking: the name of its product and what rustc is told."""

    name: str
    product: str
    rustc: tuple[str, ...]


# Every shell command of the agent starts this file twice, so that its start is what counts.
# Stack, heap and mappings stay randomised; docs/decisions.md weighs it.
STATIC = Flavour(
    "static",
    "agi-agent",
    ("-C", "target-feature=+crt-static", "-C", "relocation-model=static"),
)
GNU = Flavour("gnu", "agi-agent-gnu", ())
FLAVOURS = {flavour.name: flavour for flavour in (STATIC, GNU)}


def target_directory() -> Path:
    """Cargo's target folder for release builds, shared by all checkouts."""
    return cache.root() / "target" / "release-build"


def _archives(python: CPython, resources: Resources) -> list[Path]:
    """Archives of the link but for libpython, in no particular order."""
    names = [Path(name).name for name in OWN_ARCHIVES]
    names += [library.archive for library in LIBRARIES]
    found = [python.libraries / name for name in names if (python.libraries / name).exists()]
    if not resources.libpython.is_file():
        raise ReleaseError(f"no `{resources.libpython}`", "remove that folder and build again")
    return found


def _static_arguments(python: CPython, resources: Resources, place: Path, log: Path) -> list[str]:
    """Everything in one group, static.

    What comes after rustc's own `-Bdynamic` would otherwise find libm.so, and the
    result would die before main.
    """
    loader = place / "loader.o"
    flags = "-O2 -fPIE -Wall -Wextra -Werror"
    run(["cc", *flags.split(), "-c", LOADER, "-o", loader], log=log, what="cc loader.c")
    archives = [resources.libpython, *_archives(python, resources)]
    system = [f"-l{name}" for name in (*SYSTEM_LIBRARIES, "c", "gcc", "gcc_eh")]
    return [
        *(f"-Wl,--wrap={name}" for name in ("dlopen", "dlsym", "dlerror", "dlclose")),
        "-Wl,-z,pack-relative-relocs",
        "-Wl,-Bstatic",
        "-Wl,--start-group",
        os.fspath(loader),
        *map(os.fspath, archives),
        *system,
        "-Wl,--end-group",
    ]


def _gnu_arguments(python: CPython, resources: Resources, place: Path) -> list[str]:
    """All of libpython, exporting Python's names and no others.

    `--export-dynamic` would export our zlib, OpenSSL and SQLite too, and a wheel
    that brings its own copy of one of them would be bound to ours.
    """
    exported = place / "exported-symbols.txt"
    exported.write_text("{ Py*; _Py*; };\n")
    # std asks for -lgcc_s by name; a folder where that name is the static archive
    # of the unwinder keeps libgcc_s.so.1 out of the needed libraries.
    unwinder = place / "libgcc_s.a"
    unwinder.unlink(missing_ok=True)
    unwinder.symlink_to(capture(["cc", "-print-file-name=libgcc_eh.a"]))
    return [
        f"-L{place}",
        "-static-libgcc",
        f"-Wl,--dynamic-list={exported}",
        "-Wl,--whole-archive",
        os.fspath(resources.libpython),
        "-Wl,--no-whole-archive",
        "-Wl,--start-group",
        *map(os.fspath, _archives(python, resources)),
        "-Wl,--end-group",
        "-Wl,--as-needed",
        *(f"-l{name}" for name in SYSTEM_LIBRARIES),
        "-lgcc",
        "-lgcc_eh",
    ]


def _pyo3_config(python: CPython) -> Path:
    """PyO3's configuration under a name that stays: another name means building PyO3 again."""
    path = target_directory() / "pyo3-config.txt"
    text = python.pyo3_config.read_text()
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
    return path


def _cargo_home() -> str:
    return os.environ.get("CARGO_HOME") or os.path.expanduser("~/.cargo")


@dataclass(frozen=True)
class Parts:
    """What is compiled and linked together."""

    python: CPython
    resources: Resources
    kernel: Kernel
    #: The short bill of materials that the binary carries.
    info: Path


def build(flavour: Flavour, parts: Parts, log: Path) -> Path:
    """Compile what changed and link one flavour; returns its file in the target folder."""
    python, resources = parts.python, parts.resources
    place = target_directory() / f"link-{flavour.name}"
    place.mkdir(parents=True, exist_ok=True)
    if flavour is STATIC:
        arguments = _static_arguments(python, resources, place, log)
    else:
        arguments = _gnu_arguments(python, resources, place)
    # Equal functions of Rust are kept once; the map answers where the bytes are.  Both are
    # told to lld, which rustc links with on this platform.
    arguments.append(f"-Wl,-T,{OWN / 'lazy.ld'}")
    arguments += ["-Wl,--icf=safe", f"-Wl,-Map={place}/link.map"]
    response = place / "arguments.txt"
    response.write_text("".join(f'"{argument}"\n' for argument in arguments))
    environment = {
        "AGI_EMBED_DIR": os.fspath(resources.place),
        "AGI_EMBED_BUILD_INFO": os.fspath(parts.info),
        **parts.kernel.environment(target_directory()),
        "PYO3_CONFIG_FILE": os.fspath(_pyo3_config(python)),
        "CARGO_TARGET_DIR": os.fspath(target_directory()),
        # Panic messages would name folders of this machine.
        "RUSTFLAGS": f"--remap-path-prefix={_cargo_home()}/registry/src=/crates",
    }
    command = [
        "cargo", "rustc", "--release", "--locked", "--no-default-features",
        "--features", "embedded,local", "--bin", BINARY, "--",
        *flavour.rustc, "-C", f"link-arg=@{response}",
    ]  # fmt: skip
    with stage(f"Rust: compiling and linking the {flavour.name} flavour"):
        run(command, log=log, cwd=CHECKOUT, env=environment, timeout=LINK_TIMEOUT, what="cargo")
    return target_directory() / "release" / BINARY


def publish(built: Path, flavour: Flavour, model: Path, dist: Path) -> Path:
    """Put a product and its checksum into `dist`, each by an atomic rename.

    The sentence model goes behind the end of the executable.
    """
    dist.mkdir(exist_ok=True)
    target = dist / flavour.product
    partial = dist / f".{flavour.product}.partial"
    shutil.copy2(built, partial)
    sentence.append(partial, model)
    partial.chmod(0o755)
    partial.rename(target)
    checksum = dist / f".{flavour.product}.sha256.partial"
    checksum.write_text(f"{cache.file_digest(target)}  {flavour.product}\n")
    checksum.rename(dist / f"{flavour.product}.sha256")
    return target
