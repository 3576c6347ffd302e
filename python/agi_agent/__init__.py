"""The Python side of agi-agent: model dialects and models, nothing else.

Rust owns the command line, the loop, tools, files, memory and every connection; it
calls `agi_agent._entry.handle` and nothing more. This file imports nothing: it is on
the way to the first byte of every model request.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
