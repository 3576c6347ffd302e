"""What a build needs from the machine: check it, install it or name it.

Distribution packages are installed with apt when the build runs as root on a
machine that has apt.  Rust is never installed: which toolchain manager a person
uses is their choice, so the command is named instead.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .console import ReleaseError, capture, run, say
from .pins import Pins

#: Program and the Debian package it comes from.
TOOLS = {
    "cc": "gcc",
    "c++": "g++",
    "cmake": "cmake",
    "make": "make",
    "ld": "binutils",
    "patch": "patch",
    "zstd": "zstd",
    "xz": "xz-utils",
}


@dataclass(frozen=True)
class Library:
    """A C library that is linked statically: its archive, header and package."""

    name: str
    header: str
    package: str

    @property
    def archive(self) -> str:
        """File name of the static archive."""
        return f"lib{self.name}.a"


LIBRARIES = (
    Library("ssl", "openssl/ssl.h", "libssl-dev"),
    Library("crypto", "openssl/crypto.h", "libssl-dev"),
    Library("z", "zlib.h", "zlib1g-dev"),
    Library("bz2", "bzlib.h", "libbz2-dev"),
    Library("lzma", "lzma.h", "liblzma-dev"),
    Library("ffi", "ffi.h", "libffi-dev"),
    Library("uuid", "uuid/uuid.h", "uuid-dev"),
)


def archive_path(file_name: str) -> Path:
    """Where the C compiler finds a static archive.

    Raises:
        ReleaseError: It finds none.
    """
    found = Path(capture(["cc", f"-print-file-name={file_name}"]))
    if not found.is_absolute():
        raise ReleaseError(f"static library `{file_name}` not found by `cc`")
    return found.resolve()


def _has_library(library: Library) -> bool:
    answer = subprocess.run(
        ["cc", f"-print-file-name={library.archive}"], capture_output=True, text=True, check=False
    )
    if not os.path.isabs(answer.stdout.strip()):
        return False
    compiled = subprocess.run(
        ["cc", "-E", "-x", "c", "-"],
        input=f"#include <{library.header}>\n",
        capture_output=True,
        text=True,
        check=False,
    )
    return compiled.returncode == 0


def _has_libclang() -> bool:
    """Whether bindgen will find libclang: `clang` on PATH, or a library where Debian puts it."""
    if os.environ.get("LIBCLANG_PATH"):
        return True
    places = ("usr/lib/llvm-*/lib/libclang*.so*", "usr/lib*/libclang*.so*",
              "usr/lib/*-linux-gnu/libclang-*.so*")  # fmt: skip
    found = (path for place in places for path in Path("/").glob(place))
    return any("libclang-cpp" not in path.name for path in found)


def missing_packages() -> list[str]:
    """Debian packages that would bring what is missing, without duplicates."""
    wanted = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if shutil.which("cc") is None:
        wanted += ["libc6-dev", *(library.package for library in LIBRARIES)]
    else:
        wanted += [library.package for library in LIBRARIES if not _has_library(library)]
    if not _has_libclang():
        wanted.append("libclang-dev")
    return list(dict.fromkeys(wanted))


def install_packages(packages: Sequence[str], log: Path) -> None:
    """Install Debian packages, or say what a person has to type.

    Raises:
        ReleaseError: No right to install, no apt, or apt failed.
    """
    command = f"apt-get install -y --no-install-recommends {' '.join(packages)}"
    if shutil.which("apt-get") is None:
        raise ReleaseError(
            f"missing on this machine: {', '.join(packages)} (Debian's package names)",
            "install the same tools and static libraries with this system's package manager",
        )
    if os.geteuid() != 0:
        raise ReleaseError(
            f"missing on this machine: {', '.join(packages)}", f"type: sudo {command}"
        )
    say(f"    installing {', '.join(packages)}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-q"], log=log, env=quiet, timeout=600, what="apt-get update")
    run(command.split(), log=log, env=quiet, timeout=1200, what="apt-get install")


def version_tuple(text: str) -> tuple[int, ...]:
    """Compare-ready form of a dotted version; anything after a `-` is dropped."""
    return tuple(int(part) for part in text.split("-")[0].split(".") if part.isdigit())


def check_rust(pins: Pins) -> str:
    """Return the version line of rustc.

    Raises:
        ReleaseError: There is none, or it is older than the pinned minimum.
    """
    hint = "install Rust as https://rustup.rs says, then: rustup toolchain install stable"
    if shutil.which("cargo") is None or shutil.which("rustc") is None:
        raise ReleaseError("Rust is missing: no `cargo` and `rustc` on PATH", hint)
    line = capture(["rustc", "--version"], cwd=Path(__file__).parent)
    if version_tuple(line.split()[1]) < version_tuple(pins.rust_at_least):
        raise ReleaseError(f"Rust is too old: `{line}`, {pins.rust_at_least} is needed", hint)
    return line


def check(pins: Pins, log: Path) -> None:
    """Make sure of everything a build needs.

    Raises:
        ReleaseError: Something is missing and may not be installed from here.
    """
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise ReleaseError(
            f"release builds are made on x86_64 Linux, this is {platform.machine()} "
            f"{platform.system()}",
            "for development on this machine use `cargo run` with an installed Python",
        )
    check_rust(pins)
    packages = missing_packages()
    if packages:
        install_packages(packages, log)
        still = missing_packages()
        if still:
            raise ReleaseError(f"still missing after installing: {', '.join(still)}")
