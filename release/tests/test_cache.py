"""The build cache: complete entries or none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from machinery import cache, stamp
from machinery.console import ReleaseError
from machinery.pins import RELEASE


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("AGI_BUILD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_an_entry_is_made_once() -> None:
    """The second request finds it."""
    calls: list[Path] = []

    def fill(place: Path) -> None:
        calls.append(place)
        (place / "file").write_text("x")

    first = cache.entry("kind", "key", fill)
    assert cache.entry("kind", "key", fill) == first
    assert len(calls) == 1
    assert (first / "file").read_text() == "x"


def test_a_failed_entry_leaves_nothing(own_cache: Path) -> None:
    """A build that broke off must not be taken for a result."""

    def fill(place: Path) -> None:
        (place / "half").write_text("x")
        raise ReleaseError("broken")

    with pytest.raises(ReleaseError, match="broken"):
        cache.entry("kind", "key", fill)
    assert list((own_cache / "kind").iterdir()) == []


def test_only_the_newest_entries_are_kept(own_cache: Path) -> None:
    """The cache does not grow with every change."""
    for number in range(6):
        place = cache.entry("kind", f"key{number}", lambda _: None)
        os.utime(place, (number, number))
    kept = {path.name for path in (own_cache / "kind").iterdir()}
    assert kept == {"key3", "key4", "key5"}


def test_the_lock_keeps_a_second_build_waiting() -> None:
    """Another process cannot take it while it is held."""
    code = (
        f"import sys; sys.path.insert(0, {str(RELEASE)!r})\n"
        "from machinery import cache\n"
        "with cache.build_lock(): print('got it')\n"
    )
    with cache.build_lock():
        waiting = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert waiting.stderr is not None
        assert waiting.stderr.readline().startswith("waiting for another build")
        assert waiting.poll() is None
    out, _ = waiting.communicate(timeout=20)
    assert out == "got it\n"


def test_the_stamp_knows_inputs_and_products(tmp_path: Path) -> None:
    """A touched product or another input means a new build."""
    dist = tmp_path / "dist"
    dist.mkdir()
    assert not stamp.is_current(dist, "inputs", ["program"])
    (dist / "program").write_text("1")
    stamp.write(dist, "inputs", ["program"])
    assert stamp.is_current(dist, "inputs", ["program"])
    assert not stamp.is_current(dist, "others", ["program"])
    (dist / "program").write_text("2")
    assert not stamp.is_current(dist, "inputs", ["program"])
