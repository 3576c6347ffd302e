"""Where the source of CPython comes from, in this order.

1. A path the person gave (a tarball, or a folder with the tarball and the
   distribution's `debian.tar.xz` beside it): machines without a network.
2. Upstream.
3. The source package of the distribution, fetched with a private apt state, so
   nothing of the machine's own configuration is read for writing.

The tarball must have the pinned hash whichever way it came.  The distribution's
patches move on with every security round: the newest revision there is gets
used, recorded, and kept until `--refresh-source`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional

from . import cache
from .console import ReleaseError, run, say
from .pins import Pins

UPSTREAM_TIMEOUT = 8.0
DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


@dataclass(frozen=True)
class Source:
    """The tarball of CPython and, where there is one, the distribution's archive."""

    tarball: Path
    patches: Optional[Path]
    #: `given`, `upstream` or `distribution`.
    origin: str
    #: The distribution's revision, `3.13.5-2+deb13u5`; empty without patches.
    revision: str


def find(pins: Pins, given: Optional[Path], refresh: bool, log: Path) -> Source:
    """Return the source, fetching it when the cache has none.

    Raises:
        ReleaseError: No way led to a tarball with the pinned hash.
    """
    if given is not None:
        return _from_path(pins, given)
    kept = cache.root() / "source" / pins.version
    if refresh:
        shutil.rmtree(kept, ignore_errors=True)
    known = _read_kept(pins, kept)
    if known is not None:
        return known
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=kept.parent) as scratch:
        fetched = _fetch(pins, Path(scratch), log)
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir()
        for part in (fetched.tarball, fetched.patches):
            if part is not None:
                shutil.move(os.fspath(part), os.fspath(kept / part.name))
        record = {
            "tarball": fetched.tarball.name,
            "patches": fetched.patches.name if fetched.patches else None,
            "origin": fetched.origin,
            "revision": fetched.revision,
        }
        (kept / "source.json").write_text(json.dumps(record))
    found = _read_kept(pins, kept)
    if found is None:
        raise ReleaseError(f"the source that was just fetched to `{kept}` cannot be read back")
    return found


def _read_kept(pins: Pins, kept: Path) -> Optional[Source]:
    """The source an earlier build left, unless it is damaged."""
    with contextlib.suppress(OSError, ValueError, KeyError, ReleaseError):
        record = json.loads((kept / "source.json").read_text())
        tarball = kept / record["tarball"]
        _verify(pins, tarball)
        patches = kept / record["patches"] if record["patches"] else None
        if patches is None or patches.is_file():
            return Source(tarball, patches, record["origin"], record["revision"])
    return None


def _verify(pins: Pins, tarball: Path) -> None:
    found = cache.file_digest(tarball)
    if found != pins.sha256:
        raise ReleaseError(
            f"`{tarball}` is not the tarball of CPython {pins.version}: "
            f"sha256 is {found}, not {pins.sha256}"
        )


def _from_path(pins: Pins, given: Path) -> Source:
    if not given.exists():
        raise ReleaseError(f"no source of CPython at `{given}`")
    if given.is_file():
        _verify(pins, given)
        return Source(given, _patches_beside(given.parent), "given", _revision_in(given.parent))
    for candidate in sorted(given.glob(f"*{pins.version}*.tar.xz")):
        if not candidate.name.endswith(".debian.tar.xz"):
            _verify(pins, candidate)
            return Source(candidate, _patches_beside(given), "given", _revision_in(given))
    raise ReleaseError(
        f"no tarball of CPython {pins.version} in `{given}`",
        f"expected Python-{pins.version}.tar.xz or {pins.package}_{pins.version}.orig.tar.xz",
    )


def _patches_beside(folder: Path) -> Optional[Path]:
    found = sorted(folder.glob("*.debian.tar.xz"))
    return found[-1] if found else None


def _revision_in(folder: Path) -> str:
    patches = _patches_beside(folder)
    if patches is None:
        return ""
    return patches.name.split("_", 1)[-1][: -len(".debian.tar.xz")]


def _fetch(pins: Pins, scratch: Path, log: Path) -> Source:
    """Try upstream, then the distribution; the patches come from the latter."""
    upstream, why_not = _upstream(pins, scratch)
    trouble: Optional[ReleaseError] = None
    try:
        _distribution(pins, scratch, log, tarball=upstream is None)
    except ReleaseError as error:
        trouble = error
    packaged = sorted(scratch.glob("*.orig.tar.xz"))
    tarball = upstream or (packaged[0] if packaged else None)
    if tarball is None:
        raise ReleaseError(
            f"no source of CPython {pins.version}: upstream: {why_not}; distribution: {trouble}",
            "fetch the tarball elsewhere and name it: release/build --cpython-source PATH",
        )
    _verify(pins, tarball)
    patches = _patches_beside(scratch)
    if patches is None:
        say(f"    warning: no security patches on top of {pins.version}: {trouble}")
    origin = "upstream" if upstream else "distribution"
    return Source(tarball, patches, origin, _revision_in(scratch))


def _upstream(pins: Pins, scratch: Path) -> tuple[Optional[Path], str]:
    """The upstream tarball, or nothing and the reason."""
    target = scratch / pins.upstream.rsplit("/", 1)[-1]
    try:
        with (
            urllib.request.urlopen(pins.upstream, timeout=UPSTREAM_TIMEOUT) as answer,
            target.open("wb") as sink,
        ):
            shutil.copyfileobj(answer, sink)
    except OSError as error:
        target.unlink(missing_ok=True)
        say(f"    upstream not reachable ({error}), trying the distribution")
        return None, str(error)
    return target, ""


def _distribution(pins: Pins, scratch: Path, log: Path, tarball: bool) -> None:
    """Download the source package into `scratch` with an apt state of its own."""
    if shutil.which("apt-get") is None:
        raise ReleaseError("no apt-get on this machine")
    state = scratch / "apt"
    for folder in ("lists/partial", "cache/archives/partial", "sources"):
        (state / folder).mkdir(parents=True)
    (state / "sources" / "release.sources").write_text(source_entries(pins, Path("/etc/apt")))
    options = [
        "-o", "Dir::Etc::sourcelist=/dev/null",
        "-o", f"Dir::Etc::sourceparts={state}/sources",
        "-o", f"Dir::State::lists={state}/lists",
        "-o", f"Dir::Cache={state}/cache",
        "-o", "Acquire::Languages=none",
        "-o", "APT::Sandbox::User=",
    ]  # fmt: skip
    run(["apt-get", *options, "update", "-q"], log=log, timeout=300, what="apt-get update")
    part = [] if tarball else ["--diff-only"]
    run(
        ["apt-get", *options, "source", "-q", "--download-only", *part, pins.package],
        log=log,
        cwd=scratch,
        timeout=600,
        what="apt-get source",
    )


def source_entries(pins: Pins, configuration: Path) -> str:
    """Return apt's deb-src entries for the pinned suites.

    Mirrors are those of the machine's own Debian entries; no host is built in.

    Raises:
        ReleaseError: The machine has no Debian entries, or no key of Debian.
    """
    archive, security, keyring = "", "", DEBIAN_KEYRING
    files = [*configuration.glob("sources.list"), *configuration.glob("sources.list.d/*")]
    for path in sorted(files):
        text = path.read_text(errors="replace")
        for line in text.splitlines():
            if line.lstrip().startswith("#"):
                continue
            for uri in re.findall(r"https?://[^\s\]]+", line):
                plain = uri.rstrip("/")
                if plain.endswith("/debian"):
                    archive = plain
                elif plain.endswith("/debian-security"):
                    security = plain
    if not archive:
        raise ReleaseError(
            f"no Debian archive is configured in `{configuration}`",
            "add one to apt's sources, or give --cpython-source PATH",
        )
    if not Path(keyring).exists():
        raise ReleaseError(
            f"no key to verify Debian's sources with (`{keyring}`)",
            "type: apt-get install debian-archive-keyring",
        )
    stanza = "Types: deb-src\nURIs: {}\nSuites: {}\nComponents: main\nSigned-By: {}\n"
    return "\n".join(
        [
            stanza.format(archive, " ".join(pins.suites), keyring),
            stanza.format(security or f"{archive}-security", pins.security_suite, keyring),
        ]
    )


def describe(source: Source) -> dict[str, object]:
    """The source as the bill of materials has it."""
    record = asdict(source)
    record["tarball"] = source.tarball.name
    record["patches"] = source.patches.name if source.patches else None
    return record
