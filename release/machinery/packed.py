"""Reads and writes PyOxidizer's packed resources, format 3.

The format is that of the `python-packed-resources` crate, which the binary reads
it with: a header, an index of blob sections, an index of resources whose fields
give lengths, then one blob per kind of field.  Only what lives in memory is
covered; a field that refers to files beside the binary is an error, since a
single file has none.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

HEADER = b"pyembed\x03"
END_OF_INDEX = 0x00
START_OF_ENTRY = 0x01
END_OF_ENTRY = 0xFF

NAME = 0x03
SOURCE = 0x06
BYTECODE = 0x07
PACKAGE_RESOURCES = 0x0B
DISTRIBUTION_RESOURCES = 0x0C
#: Fields without a value, by number.
FLAGS = {
    0x04: "package",
    0x05: "namespace_package",
    0x16: "module",
    0x17: "builtin_extension",
    0x18: "frozen",
    0x19: "extension",
    0x1A: "shared_library",
    0x1B: "utf8_file",
    0x1C: "executable",
}
#: Fields with one blob each: number and struct format of the length.
BLOBS = {SOURCE: "<I", BYTECODE: "<I", 0x08: "<I", 0x09: "<I"}
#: Fields with named blobs.
TABLES = (PACKAGE_RESOURCES, DISTRIBUTION_RESOURCES)


class FormatError(Exception):
    """The file is not packed resources of a kind this program knows."""


@dataclass
class Resource:
    """One named entry: a module, a package or data."""

    name: str
    flags: set[str] = field(default_factory=set)
    blobs: dict[int, bytes] = field(default_factory=dict)
    tables: dict[int, dict[str, bytes]] = field(default_factory=dict)


class _Reader:
    """A cursor over the file plus the present offset in each blob section."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = len(HEADER)
        self.sections: dict[int, tuple[int, int]] = {}

    def take(self, layout: str) -> int:
        (value,) = struct.unpack_from(layout, self.data, self.at)
        self.at += struct.calcsize(layout)
        return int(value)

    def blob(self, kind: int, length: int) -> bytes:
        offset, padding = self.sections[kind]
        self.sections[kind] = (offset + length + padding, padding)
        return self.data[offset : offset + length]


def read(data: bytes) -> list[Resource]:
    """Parse a file of packed resources.

    Raises:
        FormatError: Another format, or a field that only files on disk use.
    """
    if not data.startswith(HEADER):
        raise FormatError("no header of packed resources, format 3")
    reader = _Reader(data)
    reader.take("<B")
    section_bytes = reader.take("<I")
    count = reader.take("<I")
    index_bytes = reader.take("<I")
    offset = reader.at + section_bytes + index_bytes
    while reader.take("<B") == START_OF_ENTRY:
        kind, length, padding = _read_section(reader)
        reader.sections[kind] = (offset, padding)
        offset += length
    resources: list[Resource] = []
    while reader.take("<B") == START_OF_ENTRY:
        resources.append(_read_resource(reader))
    if len(resources) != count:
        raise FormatError(f"the index announces {count} resources and holds {len(resources)}")
    return resources


def _read_section(reader: _Reader) -> tuple[int, int, int]:
    kind = length = padding = 0
    while (mark := reader.take("<B")) != END_OF_ENTRY:
        if mark == 0x02:
            kind = reader.take("<B")
        elif mark == 0x03:
            length = reader.take("<Q")
        elif mark == 0x04:
            padding = 1 if reader.take("<B") == 0x02 else 0
        else:
            raise FormatError(f"unknown field {mark:#x} of a blob section")
    return kind, length, padding


def _read_resource(reader: _Reader) -> Resource:
    resource = Resource("")
    while (kind := reader.take("<B")) != END_OF_ENTRY:
        if kind == NAME:
            resource.name = reader.blob(kind, reader.take("<H")).decode()
        elif kind in FLAGS:
            resource.flags.add(FLAGS[kind])
        elif kind in BLOBS:
            resource.blobs[kind] = reader.blob(kind, reader.take(BLOBS[kind]))
        elif kind in TABLES:
            table: dict[str, bytes] = {}
            for _ in range(reader.take("<I")):
                name = reader.blob(kind, reader.take("<H")).decode()
                table[name] = reader.blob(kind, reader.take("<Q"))
            resource.tables[kind] = table
        else:
            raise FormatError(f"`{resource.name}` has field {kind:#x}, which needs files on disk")
    return resource


def write(resources: list[Resource]) -> bytes:
    """Serialise resources; the order given is the order of the index."""
    index = bytearray()
    sections: dict[int, bytearray] = {}
    for resource in resources:
        _write_resource(resource, index, sections)
    index.append(END_OF_INDEX)
    head = bytearray()
    for kind in sorted(sections):
        head += struct.pack(
            "<BBBBQB", START_OF_ENTRY, 0x02, kind, 0x03, len(sections[kind]), END_OF_ENTRY
        )
    head.append(END_OF_INDEX)
    lengths = struct.pack("<BIII", len(sections), len(head), len(resources), len(index))
    return b"".join([HEADER, lengths, head, index, *(sections[kind] for kind in sorted(sections))])


def _write_resource(resource: Resource, index: bytearray, sections: dict[int, bytearray]) -> None:
    def put(kind: int, data: bytes) -> None:
        if data:
            sections.setdefault(kind, bytearray()).extend(data)

    name = resource.name.encode()
    index += struct.pack("<BBH", START_OF_ENTRY, NAME, len(name))
    # The reader asks for a section even where all blobs of it are empty.
    sections.setdefault(NAME, bytearray()).extend(name)
    numbers = {flag: number for number, flag in FLAGS.items()}
    for flag in sorted(resource.flags):
        index.append(numbers[flag])
    for kind, data in sorted(resource.blobs.items()):
        index += struct.pack("<B", kind) + struct.pack(BLOBS[kind], len(data))
        sections.setdefault(kind, bytearray())
        put(kind, data)
    for kind, table in sorted(resource.tables.items()):
        index += struct.pack("<BI", kind, len(table))
        sections.setdefault(kind, bytearray())
        for key, data in table.items():
            encoded = key.encode()
            index += struct.pack("<HQ", len(encoded), len(data))
            put(kind, encoded)
            put(kind, data)
    index.append(END_OF_ENTRY)
