"""The built-in module `_agi_llama`, and what its errors are to the agent."""

from __future__ import annotations

from agi_agent import _errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType, TracebackType

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


class Errors:
    """Turns the kernel's errors under it into those that Rust knows."""

    def __enter__(self) -> None:
        self._kernel = module()

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if isinstance(error, self._kernel.TooLargeError):
            raise _errors.ServerError(str(error), f"try {_SMALLER}") from None
        if isinstance(error, self._kernel.KernelError):
            raise _errors.ConfigurationError(str(error)) from None
