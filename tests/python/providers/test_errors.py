"""Error bodies of real servers: a kind, and one line."""

from __future__ import annotations

from typing import Any

import pytest

from agi_agent import _json_text, providers

CASES: list[tuple[int, Any, str, str]] = [
    (
        401,
        {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}},
        "authentication",
        "HTTP 401: Incorrect API key",
    ),
    (
        403,
        {"type": "error", "error": {"type": "permission_error", "message": "no"}},
        "authentication",
        "HTTP 403: no",
    ),
    (429, {"error": {"message": "Rate limit"}}, "rate_limited", "HTTP 429: Rate limit"),
    (
        400,
        {"error": {"message": "too long", "code": "context_length_exceeded"}},
        "context_too_long",
        "HTTP 400: too long",
    ),
    (
        400,
        {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": "prompt is too long: 210000 tokens > 200000 maximum",
            },
        },
        "context_too_long",
        "HTTP 400: prompt is too long: 210000 tokens > 200000 maximum",
    ),
    (
        400,
        {"object": "error", "message": "This model's maximum context length is 4096"},
        "context_too_long",
        "HTTP 400: This model's maximum context length is 4096",
    ),
    (
        413,
        {"error": {"type": "request_too_large", "message": "big"}},
        "context_too_long",
        "HTTP 413: big",
    ),
    (
        404,
        {"error": "model 'x' not found, try pulling it first"},
        "invalid_request",
        "HTTP 404: model 'x' not found, try pulling it first",
    ),
    (
        422,
        {"detail": [{"loc": ["body"], "msg": "field required"}]},
        "invalid_request",
        'HTTP 422: [{"loc":["body"],"msg":"field required"}]',
    ),
    (500, "", "server", "HTTP 500 without a message"),
    (529, {"error": {"message": "Overloaded"}}, "server", "HTTP 529: Overloaded"),
    (
        502,
        "<html><title>Bad gateway</title></html>",
        "server",
        "HTTP 502: an HTML page instead of an error message",
    ),
    (503, "upstream\nis\tdown", "server", "HTTP 503: upstream is down"),
    (400, [{"error": {"message": "listed"}}], "invalid_request", "HTTP 400: listed"),
]


@pytest.mark.parametrize(("status", "body", "kind", "message"), CASES)
def test_error(status: int, body: Any, kind: str, message: str) -> None:
    text = body if isinstance(body, str) else _json_text.dumps(body)
    answer = providers.error(
        {"provider": "openai", "status": status, "headers": {}, "body": text}
    )
    assert answer["kind"] == kind
    assert answer["message"] == message


def test_long_texts_are_cut_to_a_line() -> None:
    answer = providers.error(
        {"provider": "openai", "status": 500, "headers": {}, "body": "x\n" * 5000}
    )
    assert len(answer["message"]) < 320
    assert "\n" not in answer["message"]


def test_an_empty_account_is_not_asked_again() -> None:
    body = '{"error":{"message":"You exceeded your quota","code":"insufficient_quota"}}'
    answer = providers.error(
        {"provider": "openai", "status": 429, "headers": {}, "body": body}
    )
    assert answer["retry"] is False
    assert "credit" in answer["hint"]
