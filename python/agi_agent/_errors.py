"""The errors that mean something to Rust, each with the `kind` it arrives as.

    AgentError                     exception
     +-- PayloadError              payload
     +-- ModelCallError            exception
          +-- AuthenticationError  authentication
          +-- RateLimitedError     rate_limited
          +-- ServerError          server
          +-- InvalidRequestError  invalid_request
          +-- ContextTooLongError  context_too_long
          +-- MalformedError       malformed
          +-- OutsideBuiltinError  outside_builtin
          +-- ConfigurationError   configuration
          +-- CancelledError       cancelled

`src/bridge/python/error.rs` maps `kind` in one match; an exception without one is a
defect of ours and arrives as `exception` with its traceback. Messages are one line for
a person.
"""

from __future__ import annotations


class AgentError(Exception):
    """Base of everything that is raised on purpose.

    Attributes:
        kind: The word under which Rust knows this error.
        hint: What to do next, where we know.
    """

    kind: str = "exception"

    def __init__(self, message: str, hint: str | None = None) -> None:
        """Take one line of text and, where there is some, advice."""
        super().__init__(message)
        self.hint = hint


class PayloadError(AgentError):
    """What Rust sent is not what the operation takes: a defect on our side."""

    kind = "payload"


class ModelCallError(AgentError):
    """A model call failed in a way that has its own name."""


class AuthenticationError(ModelCallError):
    """The provider refused the key."""

    kind = "authentication"


class RateLimitedError(ModelCallError):
    """The provider asks to slow down."""

    kind = "rate_limited"


class ServerError(ModelCallError):
    """The provider failed."""

    kind = "server"


class InvalidRequestError(ModelCallError):
    """The provider refused the request itself."""

    kind = "invalid_request"


class ContextTooLongError(ModelCallError):
    """The conversation does not fit into the model's window."""

    kind = "context_too_long"


class MalformedError(ModelCallError):
    """The answer is cut, empty or not in the provider's own format."""

    kind = "malformed"


class OutsideBuiltinError(ModelCallError):
    """The builtin model cannot do what was asked."""

    kind = "outside_builtin"


class ConfigurationError(ModelCallError):
    """Settings that cannot work."""

    kind = "configuration"


class CancelledError(ModelCallError):
    """The caller has cancelled."""

    kind = "cancelled"
