"""What providers' errors mean: status and body to a kind and one line.

Context-too-long has no status of its own anywhere, so that it is told by the providers'
codes and, where they have none, by the words they are known to use.
"""

from __future__ import annotations

from agi_agent import _errors, _json_text
from agi_agent.providers import _base

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from agi_agent import _wire

_TOO_LONG_CODES = {
    "context_length_exceeded",  # OpenAI and most compatible servers
    "exceed_context_size_error",  # llama.cpp
    "request_too_large",  # Anthropic
    "string_above_max_length",
}
_TOO_LONG_WORDS = (
    "prompt is too long",  # Anthropic
    "maximum context length",  # OpenAI, vLLM, OpenRouter
    "context window",
    "exceeds the available context size",  # llama.cpp
    "exceed context limit",
    "context length exceeded",
    "input length and `max_tokens` exceed",  # Anthropic
)
_OUT_OF_CREDIT = {"insufficient_quota", "billing_hard_limit_reached", "billing_error"}
_STREAM_KINDS: dict[str, type[_errors.ModelCallError]] = {
    "authentication_error": _errors.AuthenticationError,
    "permission_error": _errors.AuthenticationError,
    "invalid_api_key": _errors.AuthenticationError,
    "rate_limit_error": _errors.RateLimitedError,
    "rate_limit_exceeded": _errors.RateLimitedError,
    "invalid_request_error": _errors.InvalidRequestError,
    "invalid_prompt": _errors.InvalidRequestError,
    "not_found_error": _errors.InvalidRequestError,
}


def describe(status: int, body: str) -> _wire.ErrorAnswer:
    """Read an HTTP error.

    Args:
        status: HTTP status, 300 or more.
        body: What came with it; JSON of any shape, HTML or text.

    Returns:
        Its kind and one line; `retry` is False where trying again cannot help although
        the status says otherwise.
    """
    error = _error_of(body)
    words, codes = _words(error), _codes(error)
    if not words and body.lstrip()[:1] == "<":
        words = "an HTML page instead of an error message"
    elif not words and not error:
        words = body
    line = _base.one_line(words)
    message = f"HTTP {status}: {line}" if line else f"HTTP {status} without a message"
    answer: _wire.ErrorAnswer = {
        "kind": _kind(status, words, codes),
        "message": message,
    }
    if codes & _OUT_OF_CREDIT or status == 402:
        answer["retry"] = False
        answer["hint"] = (
            "the account has no credit left: see the provider's billing page"
        )
    elif status == 404:
        answer["hint"] = "check model.name and model.base_url (`agi-agent model list`)"
    elif 300 <= status < 400:
        answer["hint"] = (
            "redirects are not followed: set model.base_url to the new place"
        )
    return answer


def in_stream(error: Any) -> _errors.ModelCallError:
    """Make the exception for an error event inside a stream."""
    details = error if isinstance(error, dict) else {"message": error}
    words, codes = _base.one_line(_words(details)), _codes(details)
    message = words or "the provider broke the answer off with an error"
    if _is_too_long(words, codes):
        return _errors.ContextTooLongError(message)
    for code in codes:
        if code in _STREAM_KINDS:
            return _STREAM_KINDS[code](message)
        if code.isdigit() and 400 <= int(code) < 500:
            kind = _kind(int(code), words, codes)
            for known in _errors.ModelCallError.__subclasses__():
                if known.kind == kind:
                    return known(message)
    return _errors.ServerError(message)


def _kind(status: int, words: str, codes: set[str]) -> _wire.ModelErrorKind:
    if status in (401, 403):
        return "authentication"
    if status == 429:
        return "rate_limited"
    if status == 413 or (status < 500 and _is_too_long(words, codes)):
        return "context_too_long"
    if status == 408 or status >= 500:
        return "server"
    return "invalid_request"


def _is_too_long(words: str, codes: set[str]) -> bool:
    lower = words.lower()
    return bool(codes & _TOO_LONG_CODES) or any(
        known in lower for known in _TOO_LONG_WORDS
    )


def _error_of(body: str) -> dict[str, Any]:
    """Find the object that describes the error."""
    try:
        value = _json_text.loads(body)
    except (ValueError, RecursionError):
        return {}
    if isinstance(value, list) and value:  # Google's compatible endpoint
        value = value[0]
    if not isinstance(value, dict):
        return {}
    error = value.get("error")
    if isinstance(error, dict):
        return error
    if isinstance(error, str):  # Ollama
        return {**value, "message": error}
    return value


def _words(error: dict[str, Any]) -> str:
    for key in ("message", "detail", "error_description", "msg"):
        value = error.get(key)
        if isinstance(value, str) and value.strip():
            return value
        if value:
            return _json_text.dumps(value)
    return ""


def _codes(error: dict[str, Any]) -> set[str]:
    found = (error.get(key) for key in ("code", "type", "status"))
    return {str(code).lower() for code in found if isinstance(code, str | int)}
