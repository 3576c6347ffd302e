"""Numbers by range: integers digit by digit, decimals around them.

No exponents, no `-0`, no leading zeros: what is written is what any JSON reader takes
for the same number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from agi_agent.local.grammar._caps import Caps, ImpossibleError, UnsupportedSchemaError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from agi_agent.local.grammar._rules import Rules

_EXACT = 15
"""Digits that every decimal keeps in a double."""
_LARGEST = 10**300
_WHOLE = 2**53
"""From here on readers round whole numbers, upwards too."""


def integer(rules: Rules, low: int | None, high: int | None, caps: Caps) -> str:
    """Give an expression for the integers from `low` to `high`, both included.

    An open end is bounded by `caps.digits`, or by as many digits as the other end has.
    """
    if low is None and high is None:
        more = f"[0-9]{{0,{caps.digits - 1}}}"
        return rules.add("integer", f'"0" | "-"? [1-9] {more}')
    widest = max(len(str(abs(end))) for end in (low, high) if end is not None)
    bound = 10 ** max(caps.digits, widest + 1) - 1
    low = -bound if low is None else low
    high = bound if high is None else high
    if low > high:
        raise ImpossibleError(f"no integer from {low} to {high}", "")
    choices = []
    if low < 0:
        least = max(1, -high)
        choices += [f'"-" {part}' for part in _positive(least, -low)]
    if high >= 0:
        choices += _positive(max(low, 0), high)
    return rules.add(f"integer-{low}-{high}", " | ".join(choices))


def number(rules: Rules, bounds: Bounds, caps: Caps, place: str) -> str:
    """Give an expression for decimals within bounds."""
    if bounds.low is None and bounds.high is None:
        whole = f'("0" | [1-9] [0-9]{{0,{caps.digits - 1}}})'
        # Without a fraction that is all zeros `-0.0` cannot be written either.
        fraction = f'"." [0-9]{{0,{caps.fraction - 1}}} [1-9]'
        body = f'"-"? {whole} {fraction} | "0" | "-"? [1-9] '
        return rules.add("number", body + f"[0-9]{{0,{caps.digits - 1}}}")
    low, high = bounds.low, bounds.high
    single = bounds.above or bounds.below
    if (
        low is not None
        and high is not None
        and (low > high or (single and low == high))
    ):
        raise ImpossibleError(f"no number from {low} to {high}", place)
    first, last = bounds.integers()
    choices = []
    if first is None or last is None or first <= last:
        choices.append(integer(rules, first, last, caps))
    choices += _between(rules, bounds, caps)
    if not choices:
        raise UnsupportedSchemaError("a range of numbers this narrow", place)
    return rules.add("number-in", " | ".join(choices))


def whole(schema: dict[str, Any], place: str) -> bool:
    """Say whether `multipleOf` wants whole numbers.

    Raises:
        UnsupportedSchemaError: It wants something else.
    """
    step = schema.get("multipleOf")
    if step is not None and step != 1:
        raise UnsupportedSchemaError(f"`multipleOf` {step}", place)
    return step is not None


class Bounds:
    """The ends of a range as a schema gives them.

    Attributes:
        low: The lower end, None where it is open.
        high: The upper end.
        above: The lower end itself is not in the range.
        below: The upper end itself is not.
    """

    def __init__(self, schema: dict[str, Any], place: str) -> None:
        """Read `minimum`, `maximum` and their exclusive forms."""
        self.low: Fraction | None = None
        self.high: Fraction | None = None
        self.above = self.below = False
        for key in ("minimum", "exclusiveMinimum"):
            end = _end(schema, key, place)
            if end is not None and (self.low is None or end >= self.low):
                self.low, self.above = (
                    end,
                    key != "minimum" or (self.above and end == self.low),
                )
        for key in ("maximum", "exclusiveMaximum"):
            end = _end(schema, key, place)
            if end is not None and (self.high is None or end <= self.high):
                self.high, self.below = (
                    end,
                    key != "maximum" or (self.below and end == self.high),
                )

    def integers(self) -> tuple[int | None, int | None]:
        """Give the first and the last integer of the range."""
        first = last = None
        if self.low is not None:
            first = -((-self.low.numerator) // self.low.denominator)
            first += self.above and first == self.low
        if self.high is not None:
            last = self.high.numerator // self.high.denominator
            last -= self.below and last == self.high
        return first, last


def _between(rules: Rules, bounds: Bounds, caps: Caps) -> list[str]:
    """Decimals that are not whole."""
    low, high = bounds.low, bounds.high
    choices = []
    if high is None or high > 0:
        start = _Edge(max(low or Fraction(0), Fraction(0)), bounds.above)
        stop = None if high is None else _Edge(high, bounds.below)
        choices += _positive_decimals(rules, start, stop, caps)
    if low is None or low < 0:
        start = _Edge(max(-(high or Fraction(0)), Fraction(0)), bounds.below)
        stop = None if low is None else _Edge(-low, bounds.above)
        choices += [f'"-" ({t})' for t in _positive_decimals(rules, start, stop, caps)]
    return choices


@dataclass(frozen=True)
class _Edge:
    """One end of a range, `open` where it is not in it itself."""

    at: Fraction
    open: bool


def _positive_decimals(
    rules: Rules, start: _Edge, stop: _Edge | None, caps: Caps
) -> list[str]:
    """Expressions for the decimals of a range from 0 upwards that are not whole."""
    first = math.floor(start.at)
    last = None if stop is None else math.floor(stop.at)
    choices = []
    if first == last:
        return _cell(first, start, stop, caps)
    if start.at != first:
        choices += _cell(first, start, None, caps)
        first += 1
    if stop is not None and last is not None and stop.at != last:
        choices += _cell(last, None, stop, caps)
    end = 10**_EXACT - 1 if last is None else min(last - 1, 10**_EXACT - 1)
    while first <= end:
        places = _places(first, caps)
        # Numbers of one length have room for one number of decimals.
        same = end if places == 0 else _last_with(first, places, caps)
        if places > 0:
            whole = integer(rules, first, min(same, end), caps)
            choices.append(f'{whole} "." [0-9]{{0,{places - 1}}} [1-9]')
        first = min(same, end) + 1
    return choices


def _places(whole: int, caps: Caps) -> int:
    """How many decimals behind a whole number are told apart by a double.

    Decimals of up to 15 digits keep their order when they are read; longer ones can be
    rounded out of the range.
    """
    return min(caps.fraction, _EXACT - (len(str(whole)) if whole else 0))


def _last_with(whole: int, places: int, caps: Caps) -> int:
    """The last number that has room for as many decimals as `whole`."""
    digits = len(str(whole))
    while _places(10**digits, caps) == places:
        digits += 1
    # 0 has room for one more than 1 to 9.
    return 0 if whole == 0 and _places(1, caps) != places else 10**digits - 1


def _cell(whole: int, start: _Edge | None, stop: _Edge | None, caps: Caps) -> list[str]:
    """Decimals behind one whole number, by the ends that lie within it."""
    places = _places(whole, caps)
    if places <= 0:
        return []
    least, most = 1, 10**places - 1
    if start is not None:
        scaled = (start.at - whole) * 10**places
        least = max(least, math.ceil(scaled) + (start.open and scaled.denominator == 1))
    if stop is not None:
        scaled = (stop.at - whole) * 10**places
        most = min(most, math.floor(scaled) - (stop.open and scaled.denominator == 1))
    if least > most:
        return []
    low, high = (str(end).zfill(places) for end in (least, most))
    return [f'"{whole}." ({" | ".join(_decimals(low, high))})']


def _decimals(low: str, high: str) -> list[str]:
    """Expressions for decimals from `low` to `high`, of so many digits or fewer."""
    if not low:
        return ['""']
    rest = len(low) - 1
    more = f" [0-9]{{0,{rest}}}" if rest else ""
    first, last = int(low[0]), int(high[0])
    zeros, nines = "0" * rest, "9" * rest
    choices = []
    if first == last:
        return _after(low[0], _decimals(low[1:], high[1:]), low[1:])
    if low[1:] != zeros:
        choices += _after(low[0], _decimals(low[1:], nines), low[1:])
        first += 1
    if high[1:] != nines:
        choices += _after(high[0], _decimals(zeros, high[1:]), zeros)
        last -= 1
    if first <= last:
        choices.append(_digits(str(first), str(last)) + more)
    return choices


def _after(digit: str, parts: list[str], low: str) -> list[str]:
    found = [f'"{digit}"' if part == '""' else f'"{digit}" {part}' for part in parts]
    alone = f'"{digit}"'
    if low and not low.strip("0") and alone not in found:
        found.append(alone)
    return list(dict.fromkeys(found))


def _end(schema: dict[str, Any], key: str, place: str) -> Fraction | None:
    value = schema.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnsupportedSchemaError(f"`{key}` that is not a number", place)
    if not abs(value) < _LARGEST or (
        key.startswith("exclusive") and abs(value) >= _WHOLE
    ):
        raise UnsupportedSchemaError(f"`{key}` this large", place)
    return Fraction(str(value))


def _positive(low: int, high: int) -> list[str]:
    """Expressions for the integers from `low` (at least 0) to `high`."""
    choices = []
    start = low
    while start <= high:
        stop = min(high, 10 ** len(str(start)) - 1)
        choices += _same_length(str(start), str(stop))
        start = stop + 1
    return choices


def _same_length(low: str, high: str) -> list[str]:
    """Expressions for the digit strings from `low` to `high`, of one length."""
    shared = 0
    while shared < len(low) and low[shared] == high[shared]:
        shared += 1
    head = f'"{low[:shared]}" ' if shared else ""
    low, high = low[shared:], high[shared:]
    if not low:
        return [head.strip()]
    rest = len(low) - 1
    if low == "0" * len(low) and high == "9" * len(high):
        return [head + _digits("0", "9") + _free(rest)]
    if shared == 0 and low == "1" + "0" * rest and high == "9" * (rest + 1):
        return [_digits("1", "9") + _free(rest)]
    if rest == 0:
        return [head + _digits(low, high)]
    choices = []
    first, last = int(low[0]), int(high[0])
    if low[1:] != "0" * rest:
        lower = _same_length(low[1:], "9" * rest)
        choices += [f'{head}"{first}" {part}' for part in lower]
        first += 1
    upper = []
    if high[1:] != "9" * rest:
        parts = _same_length("0" * rest, high[1:])
        upper = [f'{head}"{last}" {part}' for part in parts]
        last -= 1
    if first <= last:
        choices.append(head + _digits(str(first), str(last)) + _free(rest))
    return choices + upper


def _digits(low: str, high: str) -> str:
    return f'"{low}"' if low == high else f"[{low}-{high}]"


def _free(count: int) -> str:
    if count == 0:
        return ""
    return " [0-9]" if count == 1 else f" [0-9]{{{count}}}"
