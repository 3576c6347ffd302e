"""Tells whether `dist/` already holds what this checkout would build.

The stamp hashes every input (files, tools, libraries, the commit that the binary
names) and every product, so a second build with nothing changed ends in a second
and a product that was touched is made again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from . import bill, cache
from .console import ReleaseError, capture
from .patches import PatchSet
from .pins import CHECKOUT
from .prerequisites import LIBRARIES, archive_path

#: What a build reads, relative to the checkout.
INPUTS = (
    "Cargo.toml", "Cargo.lock", "build.rs", "pyoxidizer.bzl", "rust-toolchain.toml",
    "src", "python/agi_agent", "contracts", "release/build", "release/machinery", "release/static",
    "release/kernel", "release/pins.json", "release/requirements-model.txt",
    "release/requirements.txt", "release/requirements-build.txt",
)  # fmt: skip
STAMP = ".stamp.json"


def input_files() -> list[Path]:
    """Every file of `INPUTS` that git would keep; all files where git is absent."""
    try:
        listing = capture(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *INPUTS],
            cwd=CHECKOUT,
        )
        names = [name for name in listing.split("\0") if name]
        return [CHECKOUT / name for name in names if (CHECKOUT / name).is_file()]
    except ReleaseError:
        found: list[Path] = []
        for name in INPUTS:
            path = CHECKOUT / name
            found += [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
        return [path for path in found if "__pycache__" not in path.parts]


def inputs_digest(patches: PatchSet) -> str:
    """Hash over everything that decides what the products are."""
    return cache.digest_of(
        {
            "files": cache.digest_files(input_files(), CHECKOUT),
            "patches": patches.digest(),
            "revision": bill.revision(),
            "rustc": capture(["rustc", "--version", "--verbose"], cwd=CHECKOUT),
            "cc": capture(["cc", "--version"]),
            "libraries": {
                library.name: cache.file_digest(archive_path(library.archive))
                for library in LIBRARIES
            },
        }
    )


def is_current(dist: Path, digest: str, products: Sequence[str]) -> bool:
    """Whether `dist` holds these products of exactly these inputs."""
    try:
        stamp = json.loads((dist / STAMP).read_text())
        return all(
            stamp[name] == {"inputs": digest, "product": cache.file_digest(dist / name)}
            for name in products
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def write(dist: Path, digest: str, products: Sequence[str]) -> None:
    """Record what was just built, keeping what is known of other products."""
    try:
        stamp = json.loads((dist / STAMP).read_text())
    except (OSError, ValueError):
        stamp = {}
    for name in products:
        stamp[name] = {"inputs": digest, "product": cache.file_digest(dist / name)}
    (dist / STAMP).write_text(json.dumps(stamp, indent=1, sort_keys=True))
