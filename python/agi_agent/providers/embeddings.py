"""Vectors from servers with the API `/v1/embeddings`: bodies written and read.

Opens no connection (Rust does) and knows no key. What comes back is brought to length
1, because not every server does, and given as one buffer.
"""

from __future__ import annotations

from agi_agent import _errors, _json_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from agi_agent._entry import Buffer


def request(payload: Any) -> Any:
    """Texts to path and body."""
    body = {
        "model": payload["name"],
        "input": payload["texts"],
        "encoding_format": "float",
    }
    return {"path": "/embeddings", "body": _json_text.dumps(body)}


def response(payload: Any, buffers: list[memoryview]) -> tuple[Any, list[Buffer]]:
    """Read the body of an answer; gives the dimension, and float32 little-endian.

    Raises:
        MalformedError: It is no list of so many vectors of one length.
    """
    import math
    from struct import pack

    try:
        entries = _json_text.loads(str(buffers[0], "utf-8"))["data"]
        # Servers may answer in another order; `index` tells.
        places = {entry.get("index", n): entry for n, entry in enumerate(entries)}
        vectors = [places[n]["embedding"] for n in range(payload["count"])]
        dimension = len(vectors[0]) if vectors else 0
        parts = []
        for vector in vectors:
            if len(vector) != dimension or dimension == 0:
                message = f"vectors of {dimension} and of {len(vector)} numbers"
                raise _errors.MalformedError(message)
            length = math.hypot(*vector) or 1.0
            parts.append(pack(f"<{dimension}f", *[x / length for x in vector]))
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        message = f"the server's answer is no list of vectors: {error!r}"
        raise _errors.MalformedError(message) from None
    return {"dimension": dimension}, [b"".join(parts)]
