"""What `release/smoke` proves of the kernel and the sentence model in the binaries.

The processors are emulated by qemu-user from the distribution: an instruction that an
older one lacks ends the program there as it would on that machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .console import ReleaseError
from .prerequisites import install_packages

QEMU = "qemu-x86_64-static"
#: Processor and the kernel it has to get; qemu knows no AVX-512.
PROCESSORS = {"Nehalem": "sse42", "Haswell": "haswell", "max": "haswell"}
EMBED = """
import _agi_llama as L, array
encoder = L.Encoder(L.load("embedded:all-MiniLM-L6-v2").result())
vector = array.array("f")
vector.frombytes(encoder.encode(["The kernel runs here."]).result())
assert len(vector) == 384 and abs(sum(x * x for x in vector) - 1) < 1e-4
print(L.cpu()["kernel"])
"""
LOADS = """
import _agi_llama as L
def resident():
    return int(next(l for l in open("/proc/self/status") if l.startswith("VmRSS")).split()[1])
sizes = []
for number in range(400):
    L.load("embedded:all-MiniLM-L6-v2").result()
    sizes.append(resident())
least = [min(sizes[start:start + 40]) for start in range(0, 400, 40)]
grown = sorted(after - before for before, after in zip(least, least[1:]))
print(grown[len(grown) // 2], max(sizes))
"""
#: kB that the process may grow over 40 loads of 25 MB, in the median of nine stretches: what leaks
#: grows in each of them, what the allocator keeps is a step of megabytes in one or two.
GROWTH = 160
#: kB that it may ever hold: five models are more.
MOST = 131072


def _run(command: Sequence[str], what: str, timeout: float = 300) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=timeout, check=False,
        env={"PATH": os.defpath}, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode:
        raise ReleaseError(f"{what}: status {done.returncode}: {done.stderr.strip()[-400:]}")
    return done.stdout.strip()


def runs_on_older_processors(binary: Path, log: Path) -> str:
    """The file starts and embeds on each emulated processor, with the right kernel."""
    if shutil.which(QEMU) is None:
        install_packages(["qemu-user-static"], log)
    found = []
    for processor, wanted in PROCESSORS.items():
        prefix = [QEMU, "-cpu", processor, os.fspath(binary)]
        _run([*prefix, "--version"], f"--version on {processor}")
        kernel = _run([*prefix, "python", "-c", EMBED], f"embedding on {processor}")
        if kernel != wanted:
            raise ReleaseError(f"on {processor} the kernel is `{kernel}`, not `{wanted}`")
        found.append(f"{processor}: {kernel}")
    return ", ".join(found)


def embeds_without_a_network(binary: Path) -> str:
    """Nothing of it needs a network: there is no interface at all."""
    unshare = shutil.which("unshare")
    if unshare is None:
        raise ReleaseError("no program `unshare`")
    alone = [unshare, "--user", "--map-root-user", "--net", os.fspath(binary), "python", "-c"]
    return f"kernel {_run([*alone, EMBED], 'embedding without a network')}"


def loads_leave_nothing(binary: Path) -> str:
    """Loading again and again does not fill the memory."""
    text = _run([os.fspath(binary), "python", "-c", LOADS], "400 loads", timeout=600)
    grown, most = map(int, text.split())
    if grown > GROWTH or most > MOST:
        raise ReleaseError(f"40 loads of the sentence model took {grown} kB, in all {most} kB")
    return f"{grown} kB more after 40 loads, at most {most // 1024} MB"
