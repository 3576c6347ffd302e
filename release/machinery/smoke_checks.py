"""What `release/smoke` proves of the finished binaries.

Every check takes a `Bench` (binaries and scratch space) and either returns a remark
for the report or raises ReleaseError.  Nothing is skipped: a binary that lacks a
feature fails.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

from . import elf, roots, smoke_kernel
from .console import ReleaseError
from .pins import CHECKOUT, Pins
from .prerequisites import version_tuple

#: What the glibc flavour may need; the unwinder is allowed and not expected.
GLIBC_LIBRARIES = frozenset({"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "libgcc_s.so.1"})
#: Modules whose C side comes from a library that is linked in.
LINKED_MODULES = "ssl, sqlite3, ctypes, decimal, lzma, bz2, zlib, uuid, pyexpat, asyncio"
SOURCE_ID = "select sqlite_source_id(), sqlite_version()"


@dataclass(frozen=True)
class Bench:
    """Binaries, pins and a directory that is gone afterwards."""

    static: Path
    gnu: Path
    pins: Pins
    scratch: Path
    log: Path
    #: Folder with the wheels of requirements-smoke.txt.
    wheels: Callable[[], Path]


def call(
    command: Sequence[str],
    *,
    cwd: Optional[Path] = None,
    env: Optional[Mapping[str, str]] = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program with an environment of its own and no input."""
    try:
        return subprocess.run(
            command,
            cwd=cwd,
            env={"PATH": os.defpath, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=120,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ReleaseError(f"`{' '.join(command)}`: {error}") from error


def expect(
    done: subprocess.CompletedProcess[str], wanted: Optional[str] = None, code: int = 0
) -> str:
    """Standard output of a run that ended as it should.

    Args:
        done: The finished process.
        wanted: Text that the output must hold.
        code: The exit status it must have.

    Raises:
        ReleaseError: Another status, or the text is not there.
    """
    if done.returncode != code or (wanted is not None and wanted not in done.stdout):
        raise ReleaseError(
            f"`{' '.join(map(str, done.args))}` ended with {done.returncode}"
            + (f", without `{wanted}`" if wanted else "")
            + f"; stdout: {done.stdout[-500:]!r}; stderr: {done.stderr[-1500:]!r}"
        )
    return done.stdout


def static_needs_nothing(bench: Bench) -> str:
    """No interpreter, no needed library, no executable stack."""
    facts = elf.read(bench.static)
    if facts.interpreter or facts.needed or facts.executable_stack:
        raise ReleaseError(f"`{bench.static}` is not fully static: {facts}")
    return ""


def gnu_needs_glibc_only(bench: Bench) -> str:
    """Needed libraries are glibc's; the Python API is exported and nothing of ours."""
    facts = elf.read(bench.gnu)
    if not facts.needed <= GLIBC_LIBRARIES or facts.executable_stack:
        raise ReleaseError(f"`{bench.gnu}` needs {sorted(facts.needed)}")
    listing = call(["ldd", str(bench.gnu)]).stdout
    if "not found" in listing:
        raise ReleaseError(f"ldd of `{bench.gnu}`: {listing}")
    for name in ("PyObject_Call", "PyModuleDef_Init", "_Py_Dealloc", "PyType_FromSpec"):
        if name not in facts.exported:
            raise ReleaseError(f"`{bench.gnu}` does not export `{name}`: wheels would not load")
    foreign = sorted(facts.exported & {"sqlite3_open", "SSL_new", "inflate", "ffi_call"})
    if foreign:
        raise ReleaseError(f"`{bench.gnu}` exports {foreign}: wheels would be bound to our copies")
    return f"needs {', '.join(sorted(facts.needed))}; glibc {facts.glibc} or newer"


def checksums_match(bench: Bench) -> str:
    """`sha256sum -c` agrees."""
    for binary in (bench.static, bench.gnu):
        recorded = (binary.parent / f"{binary.name}.sha256").read_text().split()
        found = hashlib.sha256(binary.read_bytes()).hexdigest()
        if recorded != [found, binary.name]:
            raise ReleaseError(f"`{binary}` has sha256 {found}, its file says {recorded}")
    return ""


def size_within_limit(bench: Bench) -> str:
    """The static flavour stays below its limit."""
    size = bench.static.stat().st_size
    if size > bench.pins.size_limit_bytes:
        raise ReleaseError(f"{size} bytes, the limit is {bench.pins.size_limit_bytes}")
    return f"{size / 1e6:.1f} MB, gnu {bench.gnu.stat().st_size / 1e6:.1f} MB"


def serves_bundled_data(bench: Bench) -> str:
    """`importlib.resources` lists and reads data of our own packages; all of it is in the file."""
    own = CHECKOUT / "python"
    code = (
        "import sys; from importlib import resources; package, *below = sys.argv[1:];"
        " place = resources.files(package)\n"
        "for name in below:\n"
        "    assert name in [entry.name for entry in place.iterdir()], (place, name)\n"
        "    place = place / name\n"
        "assert place.is_file() and not place.is_dir()\n"
        "with resources.as_file(place) as path: assert path.read_bytes() == place.read_bytes()\n"
        "sys.stdout.buffer.write(place.read_bytes())"
    )
    data = sorted((own / "agi_agent").rglob("*.jinja"))
    if not data:
        raise ReleaseError("there is no data in `python/agi_agent` to look for")
    for binary in (bench.static, bench.gnu):
        for path in data:
            *packages, folder, name = path.relative_to(own).parts
            for at in range(1, len(packages) + 1):
                package, below = ".".join(packages[:at]), [*packages[at:], folder, name]
                printed = expect(call([str(binary), "python", "-c", code, package, *below]))
                if printed != path.read_text():
                    raise ReleaseError(f"`{binary}` has another `{path}`: {printed[:200]}")
    return f"{len(data)} files"


def runs_in_an_empty_root(bench: Bench) -> str:
    """No /proc, /tmp, libc or home: version, Python, sentence model, a task on a file."""
    root = roots.empty(bench.scratch / "empty", bench.static)
    expect(root.run(["/agi-agent", "--version"]), "agi-agent ")
    code = f"import {LINKED_MODULES}; print(6 * 7)"
    expect(root.run(["/agi-agent", "python", "-c", code]), "42\n")
    # In a child this file is started again, which is found without /proc.
    args = json.dumps({"code": "print(6 * 7)"})
    expect(root.run(["/agi-agent", "tool", "run", "python_exec", "--args", args]), "42")
    # The model is behind the end of the program's own file.
    for command in (["/agi-agent"], ["./agi-agent", "-C", "/empty"]):
        (root.place / "empty").mkdir(exist_ok=True)
        row = expect(root.run([*command, "model", "embed"], text="The kernel runs here.\n"))
        if len(json.loads(row)["embedding"]) != 384:
            raise ReleaseError(f"`{' '.join(command)} model embed` wrote: {row[:200]}")
    (root.place / "empty").rmdir()
    lines = 37
    (root.place / "notes.txt").write_text("line\n" * lines)
    task = "how many lines does notes.txt have"
    done = root.run(["/agi-agent", "run", "--ephemeral", task])
    expect(done, str(lines))
    left = sorted(path.name for path in root.place.iterdir())
    if left != ["agi-agent", "notes.txt"]:
        raise ReleaseError(f"the run left files in the root directory: {left}")
    return ""


def runs_on_alpine(bench: Bench) -> str:
    """Musl and busybox instead of glibc: a task on a file, and a shell call."""
    root = roots.alpine(bench.scratch / "alpine", bench.static, bench.log)
    expect(root.run(["/bin/sh", "-c", "agi-agent --version"], env={"PATH": "/usr/bin"}))
    lines = 23
    (root.place / "root" / "notes.txt").write_text("line\n" * lines)
    env = {"PATH": "/bin:/usr/bin", "HOME": "/root"}
    in_home = "cd /root && exec agi-agent run --ephemeral"
    counted = f"{in_home} 'how many lines does notes.txt have'"
    expect(root.run(["/bin/sh", "-c", counted], env=env), str(lines))
    flags = "--approve auto --sandbox danger-full-access"
    command = f"{in_home} {flags} 'run `cat /etc/alpine-release`'"
    expect(root.run(["/bin/sh", "-c", command], env=env), "3.22.0")
    return ""


def one_sqlite(bench: Bench) -> str:
    """Rust and Python report the same library, and the file holds one copy."""
    code = f"import sqlite3; print(*sqlite3.connect(':memory:').execute('{SOURCE_ID}').fetchone())"
    for binary in (bench.static, bench.gnu):
        printed = expect(call([str(binary), "python", "-c", code])).strip()
        source_id, version = printed.rsplit(" ", 1)
        if version_tuple(version) < version_tuple(bench.pins.sqlite_at_least):
            raise ReleaseError(f"SQLite {version} is older than {bench.pins.sqlite_at_least}")
        home = bench.scratch / f"sqlite-{binary.name}"
        home.mkdir()
        env = {"HOME": str(home)}
        expect(call([str(binary), "memory", "add", "one"], env=env))
        expect(call([str(binary), "memory", "check", "--json"], env=env), source_id)
        # FTS5 names the library that it is part of.
        image = binary.read_bytes()
        copies = image.count(source_id.encode()) - image.count(f"fts5: {source_id}".encode())
        if copies != 1:
            raise ReleaseError(f"`{binary}` holds {copies} copies of SQLite")
    return f"{version}, {source_id.split()[-1][:12]}"


def gnu_loads_wheels(bench: Bench) -> str:
    """Numpy and onnxruntime from a directory import, compute and raise."""
    script = bench.scratch / "wheels.py"
    script.write_text(WHEELS)
    wheels = str(bench.wheels())
    done = call([str(bench.gnu), "python", str(script), wheels])
    return expect(done, "computed").split("computed", 1)[1].strip()


def static_says_that_it_cannot_load_wheels(bench: Bench) -> str:
    """An ImportError, no crash."""
    wheels = str(bench.wheels())
    code = f"import sys; sys.path.insert(0, {wheels!r}); import numpy"
    done = call([str(bench.static), "python", "-c", code])
    expect(done, code=1)
    for wanted in ("ImportError", "agi-agent-gnu"):
        if wanted not in done.stderr:
            raise ReleaseError(f"no `{wanted}` in: {done.stderr[-1500:]}")
    library = "import ctypes; ctypes.CDLL('libc.so.6')"
    done = call([str(bench.static), "python", "-c", library])
    if "agi-agent-gnu" not in done.stderr or done.returncode != 1:
        raise ReleaseError(f"ctypes.CDLL ended with {done.returncode}: {done.stderr[-800:]}")
    return ""


#: Runs in the glibc flavour: matrix product, an ONNX model with one Add (its protobuf
#: bytes written by hand), and a C++ exception that arrives as a Python one.
WHEELS = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy, onnxruntime

def field(number, payload):
    if isinstance(payload, int):
        return bytes([number << 3, payload])
    payload = payload.encode() if isinstance(payload, str) else payload
    return bytes([number << 3 | 2, len(payload)]) + payload

def value(name):
    shape = field(1, field(1, 3))
    tensor = field(1, 1) + field(2, shape)
    return field(1, name) + field(2, field(1, tensor))

node = field(1, "a") + field(1, "b") + field(2, "c") + field(4, "Add")
graph = (field(1, node) + field(2, "g") + field(11, value("a")) + field(11, value("b"))
         + field(12, value("c")))
model = field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13))

assert (numpy.arange(6.0).reshape(2, 3) @ numpy.ones((3, 2))).tolist() == [[3, 3], [12, 12]]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
ones = numpy.ones(3, numpy.float32)
(total,) = session.run(None, {"a": ones, "b": ones * 2})
assert total.tolist() == [3, 3, 3], total
try:
    onnxruntime.InferenceSession(b"no model", providers=["CPUExecutionProvider"])
except Exception as error:
    assert "Protobuf" in type(error).__name__ or "InvalidProtobuf" in str(error), error
else:
    raise AssertionError("a broken model was accepted")
print("computed", "numpy", numpy.__version__, "onnxruntime", onnxruntime.__version__)
"""

CHECKS: Mapping[str, Callable[[Bench], str]] = {
    "static needs nothing": static_needs_nothing,
    "gnu needs glibc only": gnu_needs_glibc_only,
    "checksums match": checksums_match,
    "size within limit": size_within_limit,
    "serves bundled data": serves_bundled_data,
    "runs in an empty root": runs_in_an_empty_root,
    "runs on alpine": runs_on_alpine,
    "one sqlite": one_sqlite,
    "gnu loads wheels": gnu_loads_wheels,
    "static refuses wheels": static_says_that_it_cannot_load_wheels,
    "older processors": lambda b: smoke_kernel.runs_on_older_processors(b.static, b.log),
    "embeds without a network": lambda bench: smoke_kernel.embeds_without_a_network(bench.static),
    "loads leave nothing": lambda bench: smoke_kernel.loads_leave_nothing(bench.static),
}
