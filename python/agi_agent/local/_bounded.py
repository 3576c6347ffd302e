"""Jinja's sandbox with bounds: a stranger's program writes so much, and no more.

Jinja bounds ranges only; `'x' * 2000000000` is a valid template. Here what multiplies
texts and lists is measured before it is done, and everything that a run makes counts.
"""

from __future__ import annotations

import functools
import re
import types

import jinja2
from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedFormatter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from jinja2.runtime import Context

_LONGEST = 16 << 20
"""Characters of one text, and elements of one list."""
_TOTAL = 256 << 20
"""Of everything that one run makes."""
_WIDEST = 1 << 20
"""Of a width, an indentation, a count."""
_MOST_STEPS = 1 << 20
"""Turns of loops, calls, operations and outputs of one run."""
_BITS = 1 << 16
"""Of a number: what is computed with larger ones takes seconds that nothing ends."""
_PADDING = ("center", "indent", "batch", "slice", "truncate", "wordwrap", "tojson")


class TooMuchError(jinja2.TemplateError):
    """The template makes more text than any conversation has."""

    def __init__(self) -> None:
        """Say how much is too much."""
        super().__init__(f"it makes texts of more than {_LONGEST >> 20} MiB")


class TooLongError(jinja2.TemplateError):
    """The template does more than any conversation needs."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__("it takes too many steps")


class _Generator(CodeGenerator):
    """`~` as a call that can be measured, and loops that count their steps."""

    def visit_For(self, node: nodes.For, frame: Frame) -> None:  # noqa: N802 - Jinja's name
        steps = nodes.EnvironmentAttribute("steps")
        node.iter = nodes.Call(steps, [node.iter], [], None, None)
        super().visit_For(node, frame)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802 - Jinja's name
        self.write("environment.concat((str(part) for part in (")
        for part in node.nodes:
            self.write("environment.weighed(")
            self.visit(part, frame)
            self.write("), ")
        self.write(")))")


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """The sandbox in which chat templates run."""

    code_generator_class = _Generator
    intercepted_binops = frozenset({"+", "*", "%", "**", "//"})

    def __init__(self, **options: Any) -> None:
        """Take Jinja's own options."""
        # Nothing is computed while a template is compiled.
        super().__init__(optimized=False, finalize=self.weighed, **options)
        self._spent = self._taken = 0
        # A writer of filler texts of any length.
        self.globals.pop("lipsum", None)
        for name, function in list(self.filters.items()):
            self.bound(name, function)

    def begin(self) -> None:
        """Start to count anew."""
        self._spent = self._taken = 0

    def bound(self, name: str, function: Callable[..., Any]) -> None:
        """Add a filter, measured."""
        # Jinja marks filters that want its context: their first argument is not data.
        hidden = 1 if getattr(function, "jinja_pass_arg", None) else 0

        @functools.wraps(function)
        def measured(*args: Any, **named: Any) -> Any:
            self._measure(name, list(args[hidden:]), named)
            return self._made(function(*args, **named))

        self.filters[name] = measured

    def weighed(self, value: Any) -> Any:
        """Give a value back that can be written as a text of bounded length."""
        self._spend(_weight(value))
        return value

    def concat(self, parts: Iterable[str]) -> str:
        """Join what is written, as far as it may go."""
        found, length = [], 0
        for part in parts:
            length += len(part)
            if length > _LONGEST:
                raise TooMuchError
            found.append(part)
        self._spend(length)
        return "".join(found)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Do `+`, `*`, `%`, `**` or `//`, if what comes of it is not too large."""
        if isinstance(left, int) and isinstance(right, int):
            _require_few_bits(operator, left.bit_length(), right.bit_length(), right)
        if operator == "+":
            _require(_size(left) + _size(right))
        elif operator == "*":
            for one, other in ((left, right), (right, left)):
                if isinstance(other, int):
                    _require(_size(one) * max(other, 1))
        elif operator == "%" and isinstance(left, str | bytes):
            self._measure("format", [left, right], {})
        return self._made(super().call_binop(context, operator, left, right))

    def call(self, context: Context, function: Any, *args: Any, **named: Any) -> Any:
        """Call what a template calls; methods of texts are measured first."""
        owner = getattr(function, "__self__", None)
        if isinstance(function, types.BuiltinMethodType) and isinstance(
            owner, str | bytes | int
        ):
            for value in (*args, *named.values()):
                if isinstance(value, int) and value > _WIDEST:
                    raise TooMuchError
            self._measure(function.__name__, [owner, *args], named)
            if function.__name__ == "join" and args:
                # A generator is looked at once only.
                args = (self._several(args[0], _size(owner)), *args[1:])
        return self._made(super().call(context, function, *args, **named))

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Give `format` of a text, with widths and the whole bounded."""
        if super().wrap_str_format(value) is None:
            return None
        text = str(value.__self__)

        def written(*args: Any, **named: Any) -> str:
            if value.__name__ == "format_map":
                named, args = args[0], ()
            return str(self._made(_Formatter(self).vformat(text, args, named)))

        return written

    def steps(self, values: Iterable[Any]) -> Iterator[Any]:
        """Give the values of a loop, each of which is a step."""
        for value in values:
            self._spend(0)
            yield value

    def _several(self, values: Any, separator: int) -> list[Any]:
        found, length = [], 0
        for value in values:
            length += _weight(value) + separator
            _require(length)
            found.append(value)
        return found

    def _measure(self, name: str, args: list[Any], named: dict[str, Any]) -> None:
        """Refuse what would multiply texts beyond measure."""
        for value in (*args, *named.values()):
            _require(_weight(value))
        given = [*args[1:], *named.values()]
        texts = [value for value in args if isinstance(value, str | bytes)]
        if name in _PADDING and any(isinstance(v, int) and v > _WIDEST for v in given):
            raise TooMuchError
        length = len(args[0]) if args and isinstance(args[0], str | bytes) else 0
        if name in ("replace", "expandtabs", "indent", "wordwrap"):
            # Each character at most gives way to the longest of the arguments.
            widest = max([8, *(v if isinstance(v, int) else _size(v) for v in given)])
            marks = _marks(name, args, named, length)
            _require(length + marks * widest)
        elif name == "join" and isinstance(args[0], list | tuple):
            _require(len(args[0]) * max([0, *map(_size, given)]))
        elif name == "format" and texts:
            pattern = texts[0] if isinstance(texts[0], str) else repr(texts[0])
            fields = re.findall(r"%(?:\([^)]*\))?([^a-zA-Z%]*)", pattern)
            for field in fields:
                if "*" in field or any(
                    len(d) > 6 for d in re.findall(r"[0-9]+", field)
                ):
                    raise TooMuchError
            _require(len(fields) * max([0, *map(_weight, given)]))
            _require(sum(int(d) for f in fields for d in re.findall(r"[0-9]+", f)))

    def _made(self, value: Any) -> Any:
        if isinstance(value, str | bytes | list | tuple):
            _require(len(value))
            self._spend(len(value))
        else:
            self._spend(0)
            if isinstance(value, int) and value.bit_length() > _BITS:
                raise TooMuchError
        return value

    def _spend(self, count: int) -> None:
        _require(count)
        self._spent += count
        self._taken += 1
        if self._spent > _TOTAL:
            raise TooMuchError
        if self._taken > _MOST_STEPS:
            raise TooLongError


class _Formatter(SandboxedFormatter):
    """`str.format`, with fields of bounded width."""

    _length = 0

    def format_field(self, value: Any, format_spec: str) -> str:
        if any(len(digits) > 6 for digits in re.findall(r"\d+", format_spec)):
            raise TooMuchError
        _require(_weight(value))
        text = str(super().format_field(value, format_spec))
        self._length += len(text)
        _require(self._length)
        return text


def _marks(name: str, args: list[Any], named: dict[str, Any], length: int) -> int:
    """In how many places of a text something else is put."""
    text = args[0] if args and isinstance(args[0], str) else ""
    if name == "expandtabs":
        return text.count("\t") if text else length
    if name == "replace":
        old = args[1] if len(args) > 1 else named.get("old", "")
        return text.count(old) if text and isinstance(old, str) else length + 1
    if name == "indent":
        return len(text.splitlines()) + 1
    return 0 if name != "wordwrap" else length + 1


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str | bytes | list | tuple | dict) else 0


def _require_few_bits(operator: str, left: int, right: int, value: int) -> None:
    """Refuse numbers of more than `_BITS`, given and made."""
    made = {"*": left + right, "**": left * max(value, 1)}.get(operator, 0)
    if max(left, right, made) > _BITS:
        raise TooMuchError


def _require(size: int) -> None:
    if size > _LONGEST:
        raise TooMuchError


def _weight(value: Any) -> int:
    """Characters of a value with all that is in it, 16 for each element, or enough."""
    total, waiting = 0, [value]
    while waiting and total <= _LONGEST:
        part = waiting.pop()
        total += 16
        if isinstance(part, str | bytes):
            total += len(part)
        elif isinstance(part, dict):
            waiting += part.keys()
            waiting += part.values()
        elif isinstance(part, list | tuple | set | frozenset):
            waiting += part
        elif isinstance(part, int):
            total += part.bit_length() // 3
    return total
