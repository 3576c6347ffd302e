"""What is pinned: versions, hashes, patch lists and limits of `pins.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

#: The repository's top level.
CHECKOUT = Path(__file__).resolve().parents[2]
RELEASE = CHECKOUT / "release"


@dataclass(frozen=True)
class Pins:
    """The content of `release/pins.json`, typed."""

    version: str
    sha256: str
    upstream: str
    package: str
    suites: tuple[str, ...]
    security_suite: str
    source_date_epoch: int
    security_prefix: str
    crash_patches: frozenset[str]
    left_out_patches: frozenset[str]
    modules_at_least: int
    sqlite_at_least: str
    rust_at_least: str
    size_limit_bytes: int

    @property
    def major_minor(self) -> str:
        """The version as file names have it: `3.13`."""
        return ".".join(self.version.split(".")[:2])


def load() -> Pins:
    """Read `release/pins.json`."""
    data = json.loads((RELEASE / "pins.json").read_text())
    cpython = data["cpython"]
    patches = cpython["patches"]
    return Pins(
        version=cpython["version"],
        sha256=cpython["sha256"],
        upstream=cpython["upstream"],
        package=cpython["distribution"]["package"],
        suites=tuple(cpython["distribution"]["suites"]),
        security_suite=cpython["distribution"]["security_suite"],
        source_date_epoch=cpython["source_date_epoch"],
        security_prefix=patches["security_prefix"],
        crash_patches=frozenset(patches["crash"]),
        left_out_patches=frozenset(patches["left_out"]),
        modules_at_least=data["modules_at_least"],
        sqlite_at_least=data["sqlite_at_least"],
        rust_at_least=data["rust_at_least"],
        size_limit_bytes=data["size_limit_bytes"],
    )
