r"""Tokens per second of local generation, beside llama-cpp-python and llama.cpp's own bench.

    CMAKE_ARGS=-DGGML_NATIVE=ON pip install --no-binary llama-cpp-python llama-cpp-python==0.3.36
    pip download --no-deps --no-binary :all: llama-cpp-python==0.3.36
    tar xf llama_cpp_python-0.3.36.tar.gz
    cmake -S llama_cpp_python-0.3.36/vendor/llama.cpp -B bench -DCMAKE_BUILD_TYPE=Release \
        -DBUILD_SHARED_LIBS=OFF -DGGML_NATIVE=ON -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_SERVER=OFF
    cmake --build bench --target llama-bench -j 2
    python release/bench/generation.py dist/agi-agent [--llama-bench bench/bin/llama-bench] \
        [--type q4_k] [-t 2]

The model has random weights (Llama's build, 0.7 billion of them) and is written here:
what it says is nonsense, what it costs is not. All sides read the same prompt and take
the likeliest token, in processes of their own, by turns. Processor time counts on a busy
machine (with one thread), wall time on an idle one; llama.cpp's bench tells wall time only,
chooses no tokens, and writes behind a prompt of the same length. Ratios are speeds, ours to
theirs: above 1 we are faster.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import statistics
import struct
import subprocess
import sys
import tempfile
from array import array
from collections.abc import Mapping
from pathlib import Path

import measure

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# The folder above has to be on the path first.
from machinery import gguf

WIDTH, BLOCKS, HEADS, KV_HEADS, FEED, VOCABULARY = 2048, 12, 32, 8, 5632, 32000
#: ggml's number of a type, values and bytes of a block, and the scales that stand in front of it.
TYPES = {
    "q8_0": (8, 32, 34, struct.pack("<e", 2.7e-4)),
    "q4_k": (12, 256, 144, struct.pack("<2e", 8e-5, 6e-4)),
}
OURS = """
import json, sys, time
import _agi_llama as L
job = json.loads(sys.argv[1])
context = L.Context(
    L.load(job["model"]).result(), n_ctx=job["room"], n_batch=512, n_threads=job["threads"]
)
def spent(tokens, most):
    wall, cpu = time.perf_counter(), time.process_time()
    generation = context.generate(tokens, max_tokens=most)
    while not generation.done:
        generation.wait(5)
        generation.take()  # else it has news at once
    assert generation.stats["output_tokens"] == most, generation.stats
    return time.perf_counter() - wall, time.process_time() - cpu
spent(job["prompt"][:8], 2)
context.forget()
# The second call finds all of the prompt but its last token: as many computations as tokens.
print(json.dumps([spent(job["prompt"], 1), spent(job["prompt"], job["output"])]))
"""
THEIRS = """
import json, sys, time
import llama_cpp
job = json.loads(sys.argv[1])
model = llama_cpp.Llama(
    job["model"], n_ctx=job["room"], n_batch=512, n_threads=job["threads"],
    n_threads_batch=job["threads"], verbose=False,
)
def spent(tokens, most):
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(most):
        model.eval(tokens)
        tokens = [model.sample(temp=0.0)]
    return time.perf_counter() - wall, time.process_time() - cpu
spent(job["prompt"][:8], 2)
model.reset()
first = spent(job["prompt"], 1)
print(json.dumps([first, spent([model.sample(temp=0.0)], job["output"])]))
"""


def write_model(path: Path, kind: str) -> None:
    """A file of random weights; the same each time."""
    writer = gguf.Writer()
    writer.add("general.architecture", "llama")
    keys: Mapping[str, int | float] = {
        "context_length": 4096,
        "embedding_length": WIDTH,
        "block_count": BLOCKS,
        "feed_forward_length": FEED,
        "attention.head_count": HEADS,
        "attention.head_count_kv": KV_HEADS,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.dimension_count": WIDTH // HEADS,
        "vocab_size": VOCABULARY,
    }
    for key, value in keys.items():
        writer.add(f"llama.{key}", value)
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    kinds = [2, 3, 3] + [6] * 256
    tokens += [f"\u2581w{number}" for number in range(len(tokens), VOCABULARY)]
    writer.add("tokenizer.ggml.model", "llama")
    writer.add_texts("tokenizer.ggml.tokens", tokens)
    writer.add_integers("tokenizer.ggml.token_type", kinds + [1] * (VOCABULARY - len(kinds)))
    for name, token in {"unknown": 0, "bos": 1, "eos": 2}.items():
        writer.add(f"tokenizer.ggml.{name}_token_id", token)
    _add_tensors(writer, kind)
    writer.write(path)


def _add_tensors(writer: gguf.Writer, kind: str) -> None:
    number, values, size, scales = TYPES[kind]
    draw = random.Random(6)
    # A pool of blocks that is read from another place for each tensor: any bits are weights.
    pool = b"".join(scales + draw.randbytes(size - len(scales)) for _ in range(1 << 15))

    def matrix(name: str, rows: int, columns: int) -> None:
        length = rows * columns // values * size
        start = draw.randrange(1 << 15) * size
        data = (pool[start:] + pool * (length // len(pool) + 1))[:length]
        writer.tensors.append((name, (columns, rows), number, data))

    def norm(name: str) -> None:
        writer.tensor(name, [WIDTH], array("f", [1.0] * WIDTH), gguf.F32)

    narrow = WIDTH // HEADS * KV_HEADS
    matrix("token_embd.weight", VOCABULARY, WIDTH)
    matrix("output.weight", VOCABULARY, WIDTH)
    norm("output_norm.weight")
    for block in (f"blk.{number}" for number in range(BLOCKS)):
        norm(f"{block}.attn_norm.weight")
        norm(f"{block}.ffn_norm.weight")
        for part, rows in {"q": WIDTH, "k": narrow, "v": narrow, "output": WIDTH}.items():
            matrix(f"{block}.attn_{part}.weight", rows, WIDTH)
        for part in ("gate", "up"):
            matrix(f"{block}.ffn_{part}.weight", FEED, WIDTH)
        matrix(f"{block}.ffn_down.weight", WIDTH, FEED)


def run(command: list[str]) -> str:
    """What a program prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command[0]}: {done.stderr.strip()[-600:]}")
    return done.stdout


def bench(program: str, job: Mapping[str, object]) -> list[list[float]]:
    """Seconds of llama.cpp's own bench for prompt and output; it tells no processor time."""
    prompt = len(job["prompt"])  # type: ignore[arg-type]
    same = ["-m", job["model"], "-t", job["threads"], "-b", 512, "-ub", 512, "-r", 1, "-o", "json"]
    seconds = []
    for options in (["-p", prompt, "-n", 0], ["-p", 0, "-n", job["output"], "-d", prompt]):
        [row] = json.loads(run([program, *map(str, same), *map(str, options)]))
        seconds.append([row["avg_ns"] / 1e9, float("nan")])
    return seconds


def report(name: str, sides: Mapping[str, list[list[list[float]]]], counts: list[int]) -> None:
    """Two rows per side: reading and writing."""
    ours = sides["agi-agent"]
    for part, (what, count) in enumerate(zip(("prompt", "output"), counts, strict=True)):
        wall, cpu = (statistics.median(count / one[part][f] for one in sides[name]) for f in (0, 1))
        pairs = zip(ours, sides[name], strict=True)
        ratios = [[b[part][f] / a[part][f] for f in (0, 1)] for a, b in pairs]
        to_wall, to_cpu = (statistics.median(pair[f] for pair in ratios) for f in (0, 1))
        print(
            f"{name:18} {what}: {wall:8.2f} tokens/s wall, {cpu:8.2f} per s of processor; "
            f"ours beside it: {to_wall:.3f} wall, {to_cpu:.3f} processor"
        )


def main() -> None:
    """Write the model, run all sides by turns, print every row."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("program")
    parser.add_argument("--python", default=sys.executable, help="that has llama_cpp")
    parser.add_argument("--llama-bench", help="llama.cpp's own bench")
    parser.add_argument("--model", type=Path, help="a GGUF instead of the random one")
    parser.add_argument("--type", choices=list(TYPES), default="q8_0")
    parser.add_argument("-t", "--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("-p", "--prompt", type=int, default=256, help="tokens to read")
    parser.add_argument("-n", "--output", type=int, default=64, help="tokens to write")
    parser.add_argument("-r", "--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = options.model
        if model is None:
            model = Path(folder) / f"random-{options.type}.gguf"
            write_model(model, options.type)
        prompt = random.Random(1).choices(range(300, VOCABULARY), k=options.prompt)
        job = {"model": str(model.resolve()), "prompt": prompt, "output": options.output,
               "threads": options.threads, "room": options.prompt + options.output + 64}  # fmt: skip
        text = json.dumps(job)
        commands = {"agi-agent": [options.program, "python", "-c", OURS, text]}
        if options.python != sys.executable or importlib.util.find_spec("llama_cpp"):
            commands["llama-cpp-python"] = [options.python, "-c", THEIRS, text]
        else:
            print("llama-cpp-python is not installed and left out")
        sides: dict[str, list[list[list[float]]]] = {name: [] for name in commands}
        if options.llama_bench:
            sides["llama-bench"] = []
        for _ in range(options.runs):
            for name, command in commands.items():
                sides[name].append(json.loads(run(command)))
            if options.llama_bench:
                sides["llama-bench"].append(bench(options.llama_bench, job))
        size = model.stat().st_size / 1e9
        print(f"{model.name}, {size:.2f} GB, {options.threads} threads; {measure.machine()}")
    for name in sides:
        report(name, sides, [options.prompt, options.output])


if __name__ == "__main__":
    main()
