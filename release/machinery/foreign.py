"""`cargo clippy` for platforms that this machine cannot link for.

It does what `cargo check` does, and more. The C parts (SQLite, ring) are not compiled:
a stand-in for compiler and archiver creates the files that their build scripts expect.
Type errors in the Rust code of another platform show all the same.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from . import cache
from .console import capture
from .pins import CHECKOUT
from .runner import Shell, Skipped

TARGETS = ("x86_64-pc-windows-gnu", "aarch64-apple-darwin", "aarch64-unknown-linux-gnu")

STAND_IN = """#!/bin/sh
# Stands for a C compiler and an archiver: makes the named output, empty.
previous=
for argument; do
    case "$argument" in
        *.a) [ -e "$argument" ] || : > "$argument" ;;
    esac
    if [ "$previous" = -o ]; then : > "$argument"; fi
    previous=$argument
done
"""


def _stand_in() -> Path:
    path = cache.root() / "stand-in-cc"
    partial = path.with_suffix(".partial")
    partial.write_text(STAND_IN)
    partial.chmod(0o755)
    partial.rename(path)
    return path


def _installed(target: str) -> bool:
    library = Path(capture(["rustc", "--print", "target-libdir", "--target", target], cwd=CHECKOUT))
    return library.is_dir()


def check(shell: Shell, target: str) -> None:
    """Check library and binary for one target.

    Raises:
        Skipped: The target's standard library cannot be had here.
    """
    if not _installed(target):
        if shutil.which("rustup") is None:
            raise Skipped(f"no standard library for {target}, and no rustup to add it")
        shell(["rustup", "target", "add", target], timeout=300)
    stand_in = os.fspath(_stand_in())
    name = target.replace("-", "_")
    environment = {
        f"CC_{name}": stand_in,
        f"CXX_{name}": stand_in,
        f"AR_{name}": stand_in,
        f"RANLIB_{name}": stand_in,
        # Keeps `cc` from asking for Apple's tools.
        "SDKROOT": "/",
        "PYO3_CROSS_PYTHON_VERSION": "3.13",
        "CARGO_TARGET_DIR": os.fspath(cache.root() / "target" / "foreign"),
    }
    shell(
        ["cargo", "clippy", "--locked", "--lib", "--bins", "--no-default-features",
         "--target", target, "--", "-D", "warnings"],
        env=environment,
    )  # fmt: skip
