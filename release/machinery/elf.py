"""Reads from a binary what the loader would: interpreter, needed libraries, exports."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from .console import capture


@dataclass(frozen=True)
class Elf:
    """Facts of one executable, as `readelf` gives them."""

    interpreter: str
    needed: frozenset[str]
    exported: frozenset[str]
    #: Newest symbol version of glibc that is asked for, `2.35`; empty when none is.
    glibc: str
    executable_stack: bool


def read(path: Path) -> Elf:
    """Run readelf on an executable."""
    segments = capture(["readelf", "--wide", "--program-headers", path])
    dynamic = capture(["readelf", "--wide", "--dynamic", path])
    symbols = capture(["readelf", "--wide", "--dyn-syms", path])
    interpreter = re.search(r"Requesting program interpreter: ([^\]]+)", segments)
    exported = re.findall(
        r"^\s*\d+: [0-9a-f]+\s+\S+ \S+\s+(?:GLOBAL|WEAK)\s+DEFAULT\s+\d+ ([\w.]+)",
        symbols,
        re.MULTILINE,
    )
    versions = re.findall(r"@GLIBC_(\d+)\.(\d+)", symbols)
    newest = max(((int(major), int(minor)) for major, minor in versions), default=None)
    return Elf(
        interpreter=interpreter.group(1) if interpreter else "",
        needed=frozenset(re.findall(r"\(NEEDED\).*\[([^\]]+)\]", dynamic)),
        exported=frozenset(exported),
        glibc=f"{newest[0]}.{newest[1]}" if newest else "",
        executable_stack=bool(re.search(r"GNU_STACK.*RWE", segments)),
    )
