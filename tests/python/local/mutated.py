"""Headers that lie: each number of a model's header changed to what cannot be meant.

Runs inside the product, where the kernel is: `agi-agent python mutated.py DIR FAMILY
[RANDOM]` loads, uses and forgets each changed model in children, so that one that ends
the whole process is told and not suffered. A lie is refused, or does no harm. Every key
is tried with every number of `LIES`; RANDOM more have several changes at once.
"""

from __future__ import annotations

import random
import struct
import subprocess
import sys
from pathlib import Path

#: Bytes of the types of a value that is no text and no array.
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
UNSIGNED, SIGNED, FLOAT, BOOL, TEXT, ARRAY = 4, 5, 6, 7, 8, 9
LIES = (
    0,
    1,
    2,
    3,
    6,
    7,
    8,
    15,
    17,
    63,
    64,
    65,
    511,
    513,
    1 << 16,
    (1 << 31) - 1,
    (1 << 32) - 1,
)
FLOATS = (0.0, -1.0, 1e-38, 1e38, float("nan"), float("inf"))
#: Seconds for one child; a load takes milliseconds.
PATIENCE = 600


def tell(line: str) -> None:
    """Print a line that is out before the next lie is tried."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Places:
    """Where the numbers of a header stand, with a name for each."""

    def __init__(self, data: bytes) -> None:
        """Read the header."""
        self.data, self.at = data, 24
        self.found: list[tuple[str, int, str]] = []
        tensors, keys = struct.unpack_from("<QQ", data, 8)
        for _ in range(keys):
            name = self._text()
            self._value(name, *self._take("<I"))
        for _ in range(tensors):
            name = self._text()
            (sides,) = self._take("<I")
            for side in range(sides):
                self._note(f"{name} side {side}", "<Q")
            self._note(f"{name} type", "<I")
            self._note(f"{name} offset", "<Q")

    def _take(self, form: str) -> tuple[int, ...]:
        values = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return values

    def _note(self, name: str, form: str) -> None:
        self.found.append((name, self.at, form))
        self.at += struct.calcsize(form)

    def _text(self) -> str:
        (length,) = self._take("<Q")
        self.at += length
        return self.data[self.at - length : self.at].decode(errors="replace")

    def _value(self, name: str, kind: int) -> None:
        if kind == TEXT:
            self._text()
        elif kind == ARRAY:
            inner, count = self._take("<IQ")
            for number in range(count):
                # Of a long array the first and the last entries are as good as all.
                if inner == TEXT or 3 < number < count - 2:
                    self._skip(inner)
                else:
                    self._value(f"{name}[{number}]", inner)
        elif kind in (UNSIGNED, SIGNED, FLOAT, BOOL):
            self._note(name, {FLOAT: "<f", BOOL: "<B"}.get(kind, "<I"))
        else:
            self._skip(kind)

    def _skip(self, kind: int) -> None:
        if kind == TEXT:
            self._text()
        else:
            self.at += SIZES[kind]


Change = tuple[str, int, str, float]


def changes(places: Places, more: int, family: str) -> list[list[Change]]:
    """All single lies, then so many of two to four."""
    single: list[Change] = []
    for name, at, form in places.found:
        lies = FLOATS if form == "<f" else (0, 2) if form == "<B" else LIES
        single += [(name, at, form, lie) for lie in lies]
    draw = random.Random(family)
    return [[one] for one in single] + [
        draw.sample(single, draw.randrange(2, 5)) for _ in range(more)
    ]


def compute(path: str) -> str:
    """Load, use, forget; gives how it went."""
    import _agi_llama as kernel

    try:
        model = kernel.load(path).result()
        if kernel.header(path)["architecture"] == "bert":
            kernel.Encoder(model).encode(["what is it", "a"]).result()
        else:
            context = kernel.Context(model, n_ctx=64, n_threads=1)
            tokens = model.tokenize("what is it")
            generation = context.generate(tokens, max_tokens=3)
            while not generation.done:
                generation.wait(1)
                generation.take()
            generation.finish  # noqa: B018  (raises what went wrong)
    except (kernel.KernelError, OSError, ValueError) as error:
        return f"refused: {error}"
    return "computed"


def work(directory: Path, family: str, more: int, start: int) -> None:
    """The child: a line before each lie, so that the last one names what ended it."""
    data = (directory / f"{family}.gguf").read_bytes()
    path = directory / f"mutated-{family}.gguf"
    for number, change in enumerate(changes(Places(data), more, family)):
        if number < start:
            continue
        told = ", ".join(f"{name} = {lie}" for name, _, _, lie in change)
        tell(f"{number}\t{told}")
        changed = bytearray(data)
        for _, at, form, lie in change:
            struct.pack_into(form, changed, at, lie)
        path.write_bytes(changed)
        compute(str(path))


def ended(stderr: str) -> str:
    """What a child's last words say."""
    words = [line for line in stderr.splitlines() if line.strip()]
    asserted = [line for line in words if "GGML_ASSERT" in line]
    return (asserted or words or [""])[-1]


def main(directory: str, family: str, more: str = "0", start: str | None = None) -> int:
    """The parent, or with a number to start at the child."""
    if start is not None:
        work(Path(directory), family, int(more), int(start))
        return 0
    data = (Path(directory) / f"{family}.gguf").read_bytes()
    total = len(changes(Places(data), int(more), family))
    following, deaths = 0, 0
    command = [sys.executable, "python", __file__, directory, family, more]
    while True:
        done = subprocess.run(
            [*command, str(following)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
        if done.returncode == 0:
            break
        lines = [line for line in done.stdout.splitlines() if "\t" in line]
        if done.returncode > 0 or not lines:
            tell(done.stdout[-300:] + done.stderr[-3000:])
            return 1
        number, told = lines[-1].split("\t", 1)
        following, deaths = int(number) + 1, deaths + 1
        tell(f"ended by {done.returncode}: {told}: {ended(done.stderr)}")
    tell(f"{family}: {total} lies, {deaths} ended the process")
    return int(deaths != 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
