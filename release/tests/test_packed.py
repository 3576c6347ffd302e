"""The format of packed resources, and what the rewriting makes of it."""

from __future__ import annotations

import marshal
import struct

import pytest

from machinery import packed, repack


def module(name: str, source: bytes, *flags: str) -> packed.Resource:
    """A module as PyOxidizer packs it: source and bytecode."""
    blobs = {packed.SOURCE: source, packed.BYTECODE: b"stale"}
    return packed.Resource(name, {"module", *flags}, blobs)


def test_what_is_written_reads_back() -> None:
    """Names outside ASCII, empty blobs and tables survive."""
    resources = [
        module("päckage", b"", "package"),
        packed.Resource("_json", {"builtin_extension"}),
        packed.Resource(
            "agi_agent", {"module", "package"}, {}, {packed.PACKAGE_RESOURCES: {"a/b.txt": b"x"}}
        ),
    ]
    assert packed.read(packed.write(resources)) == resources


def test_null_padding_of_other_writers_is_read() -> None:
    """The format allows a NULL byte between blobs."""
    section = struct.pack("<BBBBQBBB", 1, 2, packed.NAME, 3, 4, 4, 2, 0xFF)
    entries = b"".join(struct.pack("<BBHB", 1, packed.NAME, 1, 0xFF) for _ in "ab") + b"\0"
    lengths = struct.pack("<BIII", 1, len(section) + 1, 2, len(entries))
    data = packed.HEADER + lengths + section + b"\0" + entries + b"a\0b\0"
    assert [resource.name for resource in packed.read(data)] == ["a", "b"]


def test_other_files_are_refused() -> None:
    """A file of another format is named as such."""
    with pytest.raises(packed.FormatError, match="no header"):
        packed.read(b"PK\x03\x04")


def test_a_field_that_needs_files_is_refused() -> None:
    """Field 0x0f is a path relative to the binary."""
    entry = struct.pack("<BBI", 1, 0x0F, 0)
    data = packed.HEADER + struct.pack("<BIII", 0, 1, 1, len(entry)) + b"\0" + entry
    with pytest.raises(packed.FormatError, match="needs files"):
        packed.read(data)


def test_rewriting_compiles_with_file_names_and_forgets_sources() -> None:
    """A traceback names the module's file inside the binary."""
    rewritten = repack.rewrite(
        [module("pkg", b"x = 1", "package"), module("pkg.part", b"def f(): pass")]
    )
    names = [marshal.loads(one.blobs[packed.BYTECODE]).co_filename for one in rewritten]
    assert names == ["<agi-agent>/pkg/__init__.py", "<agi-agent>/pkg/part.py"]
    assert all(packed.SOURCE not in one.blobs for one in rewritten)


def test_rewriting_drops_what_is_unwanted() -> None:
    """Test suites, installers and files for compilers stay outside; data stays inside."""
    data = {packed.PACKAGE_RESOURCES: {"py.typed": b"", "words.txt": b"x", "speed.c": b""}}
    rewritten = repack.rewrite(
        [
            module("test.support", b""),
            module("setuptools", b""),
            packed.Resource("pkg", {"module", "package"}, {}, data),
        ]
    )
    assert [one.name for one in rewritten] == ["pkg"]
    assert rewritten[0].tables == {packed.PACKAGE_RESOURCES: {"words.txt": b"x"}}
