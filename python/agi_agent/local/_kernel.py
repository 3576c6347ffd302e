"""The built-in module `_agi_llama`, and what its errors are to the agent."""

from __future__ import annotations

from contextlib import contextmanager

from agi_agent import _errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_SMALLER = (
    "a smaller or more strongly quantised model, or a lower `model.context_window`"
)


def module() -> ModuleType:
    """Give the kernel.

    Raises:
        ConfigurationError: This file was built without it.
    """
    try:
        import _agi_llama
    except ImportError:
        message = "this build of agi-agent has no kernel for local models"
        hint = "the released files have it; from source: `--features local`"
        raise _errors.ConfigurationError(message, hint) from None
    return _agi_llama


@contextmanager
def errors() -> Iterator[None]:
    """Turn the kernel's errors under it into those that Rust knows."""
    kernel = module()
    try:
        yield
    except kernel.TooLargeError as error:
        raise _errors.ServerError(str(error), f"try {_SMALLER}") from None
    except kernel.KernelError as error:
        raise _errors.ConfigurationError(str(error)) from None
