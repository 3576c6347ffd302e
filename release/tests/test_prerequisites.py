"""What a build needs, and what it says when that is missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from machinery import pins, prerequisites
from machinery.console import ReleaseError


def test_a_bare_machine_lacks_everything_by_package_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each package once, compilers first."""
    monkeypatch.setenv("PATH", str(tmp_path))
    packages = prerequisites.missing_packages()
    assert packages[0] == "gcc"
    assert {"make", "zstd", "libssl-dev", "zlib1g-dev", "libffi-dev"} <= set(packages)
    assert len(packages) == len(set(packages))


def test_without_the_right_to_install_the_command_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A person can copy it."""
    program = tmp_path / "apt-get"
    program.write_text("#!/bin/sh\nexit 9\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ReleaseError, match="missing on this machine: zstd") as raised:
        prerequisites.install_packages(["zstd"], tmp_path / "log")
    assert raised.value.hint == "type: sudo apt-get install -y --no-install-recommends zstd"


def test_without_apt_the_names_are_still_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another distribution has the same libraries under other names."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ReleaseError, match="libffi-dev \\(Debian's package names\\)"):
        prerequisites.install_packages(["libffi-dev"], tmp_path / "log")


def test_rust_is_asked_for_and_never_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The hint says where it comes from."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ReleaseError, match="Rust is missing") as raised:
        prerequisites.check_rust(pins.load())
    assert "rustup" in raised.value.hint


@pytest.mark.parametrize(
    ("text", "parts"),
    [("1.95.0", (1, 95, 0)), ("3.51.3", (3, 51, 3)), ("1.96.0-nightly", (1, 96, 0))],
)
def test_versions_compare_by_number(text: str, parts: tuple[int, ...]) -> None:
    """`1.100` is newer than `1.95`."""
    assert prerequisites.version_tuple(text) == parts
