"""Where CPython's source and patches come from."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from machinery import patches, pins, source
from machinery.console import ReleaseError


@pytest.fixture
def pinned() -> pins.Pins:
    """The real pins with the hash of a small tarball."""
    return dataclasses.replace(pins.load(), sha256=hashlib.sha256(b"tarball").hexdigest())


def debian_archive(path: Path, series: str, files: dict[str, str]) -> Path:
    """A `debian.tar.xz` with a series and patches."""
    with tarfile.open(path, "w:xz") as tar:
        for name, text in {"series": series, **files}.items():
            member = tarfile.TarInfo(f"debian/patches/{name}")
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return path


def test_a_given_folder_is_used_with_its_patches(pinned: pins.Pins, tmp_path: Path) -> None:
    """What `apt-get source --download-only` leaves is enough for a build."""
    tarball = tmp_path / f"python3.13_{pinned.version}.orig.tar.xz"
    tarball.write_bytes(b"tarball")
    (tmp_path / f"python3.13_{pinned.version}-2+deb13u9.debian.tar.xz").write_bytes(b"")
    found = source.find(pinned, tmp_path, False, tmp_path / "log")
    assert (found.tarball, found.origin) == (tarball, "given")
    assert found.revision == f"{pinned.version}-2+deb13u9"


def test_a_tarball_with_another_hash_is_refused(pinned: pins.Pins, tmp_path: Path) -> None:
    """Whatever way it came."""
    tarball = tmp_path / f"Python-{pinned.version}.tar.xz"
    tarball.write_bytes(b"something else")
    with pytest.raises(ReleaseError, match="is not the tarball of CPython"):
        source.find(pinned, tarball, False, tmp_path / "log")


def test_the_machines_mirror_is_used_for_sources(pinned: pins.Pins, tmp_path: Path) -> None:
    """Both notations of apt; other archives are not mistaken for Debian's."""
    if not Path(source.DEBIAN_KEYRING).exists():
        pytest.skip("no Debian keyring on this machine")
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (parts / "own.sources").write_text("Types: deb\nURIs: http://mirror.example/debian/\n")
    (parts / "other.list").write_text("deb https://packages.example/apt stable main\n")
    (tmp_path / "sources.list").write_text(
        "# deb http://old.example/debian x main\n"
        "deb [signed-by=/k] http://mirror.example/debian-security x main\n"
    )
    entries = source.source_entries(pinned, tmp_path)
    assert "URIs: http://mirror.example/debian\n" in entries
    assert "URIs: http://mirror.example/debian-security\n" in entries
    assert "packages.example" not in entries
    assert "old.example" not in entries


def test_security_and_crash_patches_are_taken_in_order(pinned: pins.Pins, tmp_path: Path) -> None:
    """Layout patches are left out; one nobody decided on is reported."""
    series = "multiarch.diff\nCVE-2.patch\n# no\nnew-thing.patch\nssl-sni-crash.patch -p1\n"
    archive = debian_archive(
        tmp_path / "d.tar.xz", series, {"CVE-2.patch": "2", "ssl-sni-crash.patch": "s"}
    )
    chosen = patches.select(pinned, archive)
    assert chosen.names == ["CVE-2.patch", "ssl-sni-crash.patch"]
    assert chosen.unknown == ("new-thing.patch",)


def test_a_patch_that_is_missing_is_an_error(pinned: pins.Pins, tmp_path: Path) -> None:
    """Rather than a binary without a security fix."""
    archive = debian_archive(tmp_path / "d.tar.xz", "CVE-9.patch\n", {})
    with pytest.raises(ReleaseError, match=r"has no `debian/patches/CVE-9\.patch`"):
        patches.select(pinned, archive)


def test_the_digest_of_patches_depends_on_order_and_text() -> None:
    """It names the cache entry of the static CPython."""
    one = patches.PatchSet((("a", b"1"), ("b", b"2")), ())
    assert one.digest() != patches.PatchSet((("b", b"2"), ("a", b"1")), ()).digest()
    assert one.digest() != patches.PatchSet((("a", b"1"), ("b", b"3")), ()).digest()
