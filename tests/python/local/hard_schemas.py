"""Schemas that a kernel could follow for minutes: each is answered within seconds.

Runs inside the product, where the kernel is: `agi-agent python hard_schemas.py DIR`,
with models of random weights in DIR. Prints a line for each; the first that is too slow
or gives what is not valid ends it non-zero.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import _agi_llama as kernel

from agi_agent.local import grammar

SECONDS = 10
"""For all seeds of one schema; it takes a tenth of that."""
SEEDS = (1, 2, 3)
KINDS = "abcdefgh"
LEFT = {"anyOf": [{"$ref": "#/$defs/top"}, {"type": "null"}]}


def node(**properties):
    return {
        "type": "object",
        "properties": {"left": LEFT, **properties},
        "required": ["left", *properties],
        "additionalProperties": False,
    }


def types(*nodes):
    """Any of these nodes."""
    named = {f"n{number}": part for number, part in enumerate(nodes)}
    top = {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in named]}
    return {"$ref": "#/$defs/top", "$defs": {"top": top, **named}}


HARD = {
    "kind behind what recurs": types(*(node(kind={"const": k}) for k in KINDS)),
    "no kind": types(*(node(**{k: {"type": "null"}}) for k in KINDS)),
    "20,000 values": {"enum": [f"{n * 2654435761 % 2**32:08x}" for n in range(20_000)]},
}


def depth(value):
    """Levels of `left`; each has one more property, which says what it is."""
    if value is None:
        return 0
    assert len(value) == 2, value
    assert value.keys() - {"left"} <= {"kind", *KINDS}, value
    return 1 + depth(value["left"])


def written(model, schema, seed):
    """The value that a model writes, as deep as it may."""
    context = kernel.Context(model, n_ctx=1024, n_threads=1)
    pieces = (model.detokenize([token]) for token in range(model.vocabulary_size))
    # Least likely is what would end the nesting.
    bias = {token: -1e9 for token, piece in enumerate(pieces) if piece[:1] == b"n"}
    job = context.generate(
        model.tokenize("Nodes: "),
        grammar=grammar.for_schema(schema),
        sampling={"temperature": 1.0, "seed": seed, "logit_bias": bias},
    )
    while not job.done:
        job.wait(5)
    assert job.finish == "stop", job.finish
    return json.loads(job.take())


def main(directory):
    """Ask for each schema with each seed."""
    model = kernel.load(str(Path(directory) / "qwen2.gguf")).result()
    for name, schema in HARD.items():
        begun = time.perf_counter()
        for seed in SEEDS:
            value = written(model, schema, seed)
            assert value in schema["enum"] if "enum" in schema else depth(value) > 1
        took = time.perf_counter() - begun
        assert took < SECONDS, (name, took)
        levels = "" if "enum" in schema else f", {depth(value)} levels"
        sys.stdout.write(f"{name}: {took:.2f} s{levels}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
