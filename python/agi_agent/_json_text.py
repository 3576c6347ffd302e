"""JSON text to values and back without importing `json`.

`json` pulls in `re`, `enum` and `functools`: 6 ms of a start that may take 15. Its C
scanner and encoder live in the built-in module `_json` and need none of that. They are
private, so a trial at import decides: where they do not behave as expected, `json`
takes over and only the start gets slower.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_BLANKS = " \t\n\r"
_NUMBERS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


class _ScannerOptions:
    """What the C scanner reads from the decoder object it is made with."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    array_hook = None
    parse_float = float
    parse_int = int
    parse_constant = staticmethod(_NUMBERS.__getitem__)


def _refuse(value: object) -> object:
    message = f"a `{type(value).__name__}` cannot be written as JSON"
    raise TypeError(message)


def _with_builtin() -> tuple[Callable[[str], Any], Callable[[Any], str]]:
    """Build both directions from the C parts; raise where they differ from ours.

    Returns:
        `loads` and `dumps`.
    """
    from _json import encode_basestring, make_encoder, make_scanner

    scan: Callable[[str, int], tuple[Any, int]]
    scan = make_scanner(_ScannerOptions())  # type: ignore[arg-type]

    def loads(text: str) -> Any:
        start = len(text) - len(text.lstrip(_BLANKS))
        try:
            value, end = scan(text, start)
        except StopIteration as stop:
            message = f"not JSON: a value was expected at character {stop.value}"
            raise ValueError(message) from None
        except SystemError:
            # Python 3.11's scanner takes the class of its error from `json.decoder`
            # and fails where that is not loaded: only then it is worth its price.
            import json

            return json.loads(text)
        if text[end:].strip(_BLANKS):
            message = f"not JSON: more text after the value at character {end}"
            raise ValueError(message)
        return value

    def dumps(value: Any) -> str:
        # A scalar is written as the only element of a list: the C encoder starts at
        # containers. Markers find circular references.
        encode = make_encoder(
            {}, _refuse, encode_basestring, None, ":", ",", False, False, False
        )
        return "".join(encode([value], 0))[1:-1]

    sample = '{"a":[1,-2.5,"\u00e9\\n",null,true],"b":{}}'
    if dumps(loads(f" {sample}\n")) != sample or dumps("x") != '"x"':
        message = "`_json` behaves in a way this module does not know"
        raise ImportError(message)
    return loads, dumps


def _with_json() -> tuple[Callable[[str], Any], Callable[[Any], str]]:
    """Do the same through the public module.

    Returns:
        `loads` and `dumps`.
    """
    import json

    def dumps(value: Any) -> str:
        return json.dumps(
            value, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        )

    return json.loads, dumps


try:
    loads, dumps = _with_builtin()
except Exception:  # noqa: BLE001 - whatever a private interface does, `json` is there
    loads, dumps = _with_json()
