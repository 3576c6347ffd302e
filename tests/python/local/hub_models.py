"""Writes random small models as `save_pretrained` does: `hub_models.py DIR`.

`DIR/tiny` is as it should be, `DIR/pickled` has its weights in a `.bin` file, and
`DIR/own` brings code of its own, which leaves `DIR/own/ran` behind where it runs. For
an interpreter that has real wheels of torch, transformers and tokenizers.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

_MARKS = ["<|endoftext|>", "<|im_end|>"]
_TEXTS = ["the quick brown fox", '{"name": "calculator", "arguments": {}}'] * 10

_CODE = """
from pathlib import Path
from transformers import LlamaConfig, LlamaForCausalLM
Path({ran!r}).write_text("it ran")
class OwnConfig(LlamaConfig):
    model_type = "own"
class OwnModel(LlamaForCausalLM):
    config_class = OwnConfig
"""


def main() -> None:
    """Make a tokenizer of bytes and a llama of two layers, three times."""
    tiny, pickled, own = (
        Path(sys.argv[1]) / name for name in ("tiny", "pickled", "own")
    )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=320, initial_alphabet=letters, special_tokens=_MARKS
    )
    tokenizer.train_from_iterator(_TEXTS, trainer)
    whole = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=_MARKS[0], eos_token=_MARKS[1]
    )
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        vocab_size=len(whole),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=16384,
        bos_token_id=whole.bos_token_id,
        eos_token_id=whole.eos_token_id,
    )
    model = transformers.LlamaForCausalLM(config)
    for directory in (tiny, pickled, own):
        model.save_pretrained(directory)
        whole.save_pretrained(directory)
    (pickled / "model.safetensors").unlink()
    torch.save(model.state_dict(), pickled / "pytorch_model.bin")
    facts = json.loads((own / "config.json").read_text())
    facts["model_type"] = "own"
    facts["auto_map"] = {
        "AutoConfig": "code.OwnConfig",
        "AutoModelForCausalLM": "code.OwnModel",
    }
    (own / "config.json").write_text(json.dumps(facts))
    (own / "code.py").write_text(_CODE.format(ran=str(own.resolve() / "ran")))


if __name__ == "__main__":
    main()
