"""Writes a random small model as `save_pretrained` does: `hub_models.py DIR`.

Runs in an interpreter that has real wheels of torch, transformers and tokenizers.
"""

from __future__ import annotations

import sys

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

_MARKS = ["<|endoftext|>", "<|im_end|>"]
_TEXTS = ["the quick brown fox", '{"name": "calculator", "arguments": {}}'] * 10


def main() -> None:
    """Make a tokenizer of bytes and a llama of two layers."""
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
    transformers.LlamaForCausalLM(config).save_pretrained(sys.argv[1])
    whole.save_pretrained(sys.argv[1])


if __name__ == "__main__":
    main()
