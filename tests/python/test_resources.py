"""Data files inside the binary as `importlib.resources` sees them."""

from __future__ import annotations

import importlib.machinery
import importlib.resources
import sys
import types

import pytest

from agi_agent._resources import PackedReader

FILES = {"a.txt": "é\r\nb\n".encode(), "sub/b.bin": b"\x00\xff", "sub/deep/c": b""}


@pytest.fixture
def package(monkeypatch):
    """A package whose loader has only `get_resource_reader`, as the frozen one."""

    class Loader:
        @staticmethod
        def get_resource_reader(name):
            return PackedReader(name, list(FILES), lambda package, path: FILES[path])

    module = types.ModuleType("packed_sample")
    module.__spec__ = importlib.machinery.ModuleSpec(
        "packed_sample", Loader, is_package=True
    )
    module.__path__ = []
    monkeypatch.setitem(sys.modules, "packed_sample", module)
    return module


def test_files_are_read(package):
    root = importlib.resources.files(package)
    assert (root / "sub" / "b.bin").read_bytes() == b"\x00\xff"
    assert root.joinpath("sub/b.bin").read_bytes() == b"\x00\xff"
    assert (root / "a.txt").read_text(encoding="utf-8") == "é\r\nb\n"
    with (root / "a.txt").open(encoding="utf-8") as stream:
        assert list(stream) == ["é\n", "b\n"]
    with (root / "a.txt").open("rb") as stream:
        assert stream.read() == FILES["a.txt"]


def test_directories_are_walked(package):
    root = importlib.resources.files(package)
    assert root.name == "packed_sample"
    assert root.is_dir()
    assert [entry.name for entry in root.iterdir()] == ["a.txt", "sub"]
    below = root / "sub"
    assert below.is_dir()
    assert not below.is_file()
    assert [(entry.name, entry.is_file()) for entry in below.iterdir()] == [
        ("b.bin", True),
        ("deep", False),
    ]
    assert not (root / "none").is_dir()


def test_as_file_gives_a_file_that_is_gone_afterwards(package):
    with importlib.resources.as_file(
        importlib.resources.files(package) / "a.txt"
    ) as path:
        assert path.read_bytes() == FILES["a.txt"]
    assert not path.exists()


def test_nothing_is_written(package):
    with pytest.raises(ValueError, match="read-only"):
        (importlib.resources.files(package) / "a.txt").open("w")
