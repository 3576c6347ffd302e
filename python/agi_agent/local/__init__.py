"""Local models: everything about them but the arithmetic.

The kernel (`_agi_llama`, llama.cpp inside the file) computes; the chat template, the
grammar, the reading of what the model writes and the memory of prompts are here.
docs/local-models.md tells how the parts work together. Imported only when a local model
is used: a run with a remote model pays nothing.
"""

from __future__ import annotations
