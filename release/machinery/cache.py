"""Where build products live outside the checkout, and how they get there.

An entry is a directory named by the hash of everything it was made from.  It is
filled under a temporary name and renamed into place, so an entry that exists is
complete; one lock keeps two builds apart.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .console import ReleaseError, say

#: Entries of one kind that are kept; older ones are removed after a build.
KEPT_ENTRIES = 3


def root() -> Path:
    """The cache directory: `$AGI_BUILD_CACHE`, or `agi-agent` in the XDG cache."""
    named = os.environ.get("AGI_BUILD_CACHE")
    if named:
        return Path(named).resolve()
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if not os.path.isabs(base):
        raise ReleaseError(
            "no place for the build cache: neither `XDG_CACHE_HOME` nor a home directory",
            "set AGI_BUILD_CACHE to a directory that survives between builds",
        )
    return Path(base) / "agi-agent"


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def digest_of(parts: object) -> str:
    """Hash of a JSON value, short enough for a directory name."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def digest_files(files: Iterable[Path], base: Path) -> dict[str, str]:
    """Content hash per file, keyed by the path relative to `base`."""
    return {os.fspath(path.relative_to(base)): file_digest(path) for path in sorted(files)}


@contextmanager
def build_lock() -> Iterator[None]:
    """Hold the one build lock of this cache; waits, saying so, if it is taken."""
    path = root() / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another build that holds `{path}`")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def entry(kind: str, key: str, fill: Callable[[Path], None], announce: bool = True) -> Path:
    """Return the cache entry `kind/key`, made by `fill` when it is absent.

    Args:
        kind: Family of the entry, a directory of the cache.
        key: Hash of all inputs.
        fill: Fills the empty directory it is given; may raise.
        announce: Whether to say that the entry was there.
    """
    place = root() / kind / key
    if place.is_dir():
        os.utime(place)
        if announce:
            say(f"    from the cache: {place}")
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=place.parent))
    try:
        fill(partial)
        partial.chmod(0o755)
        partial.rename(place)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    _prune(place.parent, keep=place)
    return place


def _prune(family: Path, keep: Path) -> None:
    """Remove all but the newest entries of a family, and what a killed build left."""
    for stale in family.glob(".partial-*"):
        shutil.rmtree(stale, ignore_errors=True)
    entries = [path for path in family.iterdir() if path.is_dir() and path != keep]
    entries.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in entries[KEPT_ENTRIES - 1 :]:
        shutil.rmtree(path, ignore_errors=True)
