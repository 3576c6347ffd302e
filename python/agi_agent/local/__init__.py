"""Local models: everything about them but the arithmetic.

The kernel (`_agi_llama`, llama.cpp inside the file) computes; the chat template, the
grammar, the reading of what the model writes and the memory of prompts are here;
docs/local-models.md tells how the parts work together. Nothing is imported here, since
vectors (`embedding`) need no templates and no grammars.
"""
