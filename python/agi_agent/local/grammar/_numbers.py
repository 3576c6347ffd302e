"""Numbers by range: integers digit by digit, decimals around them.

No exponents, no `-0`, no leading zeros: what is written is what any JSON reader takes
for the same number.
"""

from __future__ import annotations

from fractions import Fraction

from agi_agent.local.grammar._caps import Caps, ImpossibleError, UnsupportedSchemaError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from agi_agent.local.grammar._rules import Rules


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
        body = f'"-"? {whole} {_fraction(caps)} | "0" | "-"? [1-9] '
        return rules.add("number", body + f"[0-9]{{0,{caps.digits - 1}}}")
    first, last = bounds.integers()
    choices = []
    if first is None or last is None or first <= last:
        choices.append(integer(rules, first, last, caps))
    choices += _between(rules, bounds, caps)
    if not choices:
        raise UnsupportedSchemaError("a range of numbers without a whole one", place)
    return rules.add("number-in", " | ".join(choices))


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
    """Decimals that lie between two neighbouring integers of the range.

    Their fraction is not zero, so that it does not matter whether the ends are in.
    """
    low, high = bounds.low, bounds.high
    floor = None if low is None else -((-low.numerator) // low.denominator)
    ceiling = None if high is None else high.numerator // high.denominator
    choices = []
    if ceiling is None or ceiling >= 1:
        first = max(floor or 0, 0)
        last = None if ceiling is None else ceiling - 1
        if last is None or first <= last:
            choices.append(f"{integer(rules, first, last, caps)} {_fraction(caps)}")
    if floor is None or floor <= -1:
        first = max(-ceiling if ceiling is not None else 0, 0)
        last = None if floor is None else -floor - 1
        if last is None or first <= last:
            choices.append(f'"-" {integer(rules, first, last, caps)} {_fraction(caps)}')
    return choices


def _fraction(caps: Caps) -> str:
    return f'"." [0-9]{{0,{caps.fraction - 1}}} [1-9]'


def _end(schema: dict[str, Any], key: str, place: str) -> Fraction | None:
    value = schema.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnsupportedSchemaError(f"`{key}` that is not a number", place)
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
