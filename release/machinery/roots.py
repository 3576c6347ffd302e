"""Root directories for trying a binary where nothing else is.

An empty one (no /proc, /tmp, libc) and one laid out as Alpine lays it out: musl's
loader, busybox and no glibc.  The parts of the latter are taken from Debian packages,
unpacked and not installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Optional

from . import cache
from .console import ReleaseError, run

ALPINE_PACKAGES = ("busybox-static", "musl")
APPLETS = ("sh", "ls", "cat", "wc", "echo", "true", "id")


class Root:
    """A directory that programs see as `/`."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def run(
        self,
        command: Sequence[str],
        *,
        env: Optional[Mapping[str, str]] = None,
        text: str = "",
        timeout: float = 60.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside, with `env` alone as its environment and `text` as its input.

        Raises:
            ReleaseError: This user may not change the root directory, or the
                command did not end in time.
        """
        prefix = _changer(self.place)
        try:
            return subprocess.run(
                [*prefix, *command],
                env={"PATH": "/bin", **(env or {})},
                cwd="/",
                input=text,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ReleaseError(f"`{' '.join(command)}` did not end in {timeout:.0f} s") from error


def _changer(place: Path) -> list[str]:
    """The command that changes the root, as root or in a user namespace."""
    if os.geteuid() == 0:
        program = shutil.which("chroot", path="/usr/sbin:/sbin:/usr/bin:/bin")
        if program:
            return [program, os.fspath(place)]
    program = shutil.which("unshare")
    if program is None:
        raise ReleaseError("neither root nor `unshare`: cannot try a root directory of our own")
    return [program, "--user", "--map-root-user", f"--root={place}"]


def empty(place: Path, binary: Path) -> Root:
    """A root that holds the binary and nothing else."""
    place.mkdir(parents=True)
    shutil.copy2(binary, place / "agi-agent")
    return Root(place)


def alpine(place: Path, binary: Path, log: Path) -> Root:
    """A root with musl and busybox where Alpine has them."""
    packages = _packages(log)
    for folder in ("bin", "lib", "etc", "tmp", "root", "usr/bin"):
        (place / folder).mkdir(parents=True)
    for package in packages:
        run(["dpkg-deb", "-x", package, place / "debian"], log=log)
    unpacked = place / "debian"
    busybox = next(iter(sorted(unpacked.rglob("busybox"))), None)
    musl = next(iter(sorted(unpacked.rglob("x86_64-linux-musl/libc.so"))), None)
    if busybox is None or musl is None:
        raise ReleaseError(f"the packages {', '.join(ALPINE_PACKAGES)} lack busybox or musl")
    shutil.copy2(busybox, place / "bin" / "busybox")
    shutil.copy2(musl, place / "lib" / "ld-musl-x86_64.so.1")
    (place / "lib" / "libc.musl-x86_64.so.1").symlink_to("ld-musl-x86_64.so.1")
    shutil.rmtree(unpacked)
    for applet in APPLETS:
        (place / "bin" / applet).symlink_to("busybox")
    (place / "etc" / "alpine-release").write_text("3.22.0\n")
    (place / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    shutil.copy2(binary, place / "usr" / "bin" / "agi-agent")
    return Root(place)


def _packages(log: Path) -> list[Path]:
    """Package files of `ALPINE_PACKAGES`, fetched once."""

    def fill(place: Path) -> None:
        try:
            run(["apt-get", "download", "-q", *ALPINE_PACKAGES], log=log, cwd=place, timeout=300)
        except ReleaseError:
            if os.geteuid() != 0:
                raise
            # A fresh machine has no package lists yet.
            run(["apt-get", "update", "-q"], log=log, timeout=300)
            run(["apt-get", "download", "-q", *ALPINE_PACKAGES], log=log, cwd=place, timeout=300)

    place = cache.entry("alpine-root", cache.digest_of(ALPINE_PACKAGES), fill)
    return sorted(place.glob("*.deb"))
