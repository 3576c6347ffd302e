"""Which of the distribution's patches are applied, and applying them.

Security and crash fixes are; everything that changes the layout (paths, schemes,
ensurepip) is not.  A patch that `pins.json` does not know is left out with a
warning, so that a person looks at it.
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from .cache import digest_of
from .console import Argument, ReleaseError, run, say
from .pins import Pins


@dataclass(frozen=True)
class PatchSet:
    """Patches in the order they apply, with their text."""

    patches: tuple[tuple[str, bytes], ...]
    unknown: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """File names, in order."""
        return [name for name, _ in self.patches]

    def digest(self) -> str:
        """Hash over names and contents."""
        return digest_of([(name, text.hex()) for name, text in self.patches])


def select(pins: Pins, archive: Optional[Path]) -> PatchSet:
    """Read the `series` of a `debian.tar.xz` and keep what is wanted.

    Raises:
        ReleaseError: The archive has no series, or a wanted patch is missing.
    """
    if archive is None:
        return PatchSet((), ())
    wanted: list[tuple[str, bytes]] = []
    unknown: list[str] = []
    with tarfile.open(archive) as tar:
        for line in _member(tar, "debian/patches/series", archive).decode().splitlines():
            name = line.split("#", 1)[0].strip().split(" ")[0]
            if not name or name in pins.left_out_patches:
                continue
            if name.startswith(pins.security_prefix) or name in pins.crash_patches:
                wanted.append((name, _member(tar, f"debian/patches/{name}", archive)))
            else:
                unknown.append(name)
    if unknown:
        say(
            f"    warning: patches not applied because pins.json does not know them: "
            f"{', '.join(unknown)}"
        )
    return PatchSet(tuple(wanted), tuple(unknown))


def _member(tar: tarfile.TarFile, name: str, archive: Path) -> bytes:
    try:
        stream = tar.extractfile(name)
    except KeyError:
        stream = None
    if stream is None:
        raise ReleaseError(f"`{archive}` has no `{name}`")
    return stream.read()


def apply(patch_set: PatchSet, tree: Path, log: Path) -> None:
    """Apply all patches to a source tree.

    Raises:
        ReleaseError: One does not apply.
    """
    folder = tree.parent / "patches"
    folder.mkdir()
    for name, text in patch_set.patches:
        path = folder / name
        path.write_bytes(text)
        command: list[Argument] = [
            "patch",
            "-p1",
            "--batch",
            "--forward",
            "--no-backup-if-mismatch",
            "-i",
            path,
        ]
        run(command, log=log, cwd=tree, what=f"patch {name}")
