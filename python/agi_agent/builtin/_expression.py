"""From "15% of 80" or "the sum of 1, 2 and 3" to an expression for the calculator.

Only translates: the numbers are worked out by the calculator tool, which is exact. The
output uses numbers, `+ - * / % ^`, parentheses and the calculator's own functions, in
parentheses where the words were not an expression already.
"""

from __future__ import annotations

from agi_agent.builtin._language import MARK, WORD, is_grouped_number
from agi_agent.builtin._nouns import NUMBER_WORDS
from agi_agent.builtin._vocabulary import phrases, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from agi_agent.builtin._language import Phrase, Token

# Stands for the number of an earlier step; no number or operator contains it.
EARLIER = "@"

_MAX_DEPTH = 40
_MAX_LEXEMES = 1000
_SYMBOLS = {
    "\N{MULTIPLICATION SIGN}": "*",
    "\N{MIDDLE DOT}": "*",
    "\N{DIVISION SIGN}": "/",
    "\N{MINUS SIGN}": "-",
    "\N{SQUARE ROOT}": "sqrt",
}
_VOCABULARY = frozenset(
    words(
        """
    plus minus times x multiplied divided by over mod modulo remainder to the power
    of raised squared cubed percent per cent off sqrt square root cube sum product
    difference between and average mean half double twice triple a third quarter it
    result answer number total count that this add added up subtract from multiply
    divide with halve increase decrease what is
    """
    )
)
_SUMS = {"+": "+", "plus": "+", "-": "-", "minus": "-"}
_PRODUCTS = {
    "*": "*", "times": "*", "x": "*", "multiplied by": "*", "/": "/", "divided by": "/",
    "over": "/", "mod": "%", "modulo": "%", "%": "%",
}  # fmt: skip
# With its parenthesis a function is no English word.
_FUNCTIONS = tuple(
    f"{name}("
    for name in words("abs round floor ceil min max sum log ln exp sin cos tan")
)
_CONSTANTS = ("pi", "e")
_SHARES = {"half of": 2, "half": 2, "a half of": 2, "a third of": 3, "a quarter of": 4,
           "one half of": 2, "one third of": 3, "one quarter of": 4}  # fmt: skip
_MULTIPLES = {"double": 2, "twice": 2, "triple": 3}
_EARLIER_WORDS = phrases(
    """
    it | the result | that | this | the answer | the number | the total |
    the count | the sum | this number | that number
    """
)


class NotArithmeticError(Exception):
    """The words are not an expression that has one meaning."""


def expression(phrase: Phrase) -> str | None:
    """Takes an arithmetic expression of at least one operation.

    Args:
        phrase: Stands at the expression; moved behind it on success.

    Returns:
        The expression for the calculator, with `EARLIER` where a number of an earlier
        step belongs, or None.
    """
    parser = _Parser(_lexemes(phrase))
    try:
        text = parser.request()
    except NotArithmeticError:
        return None
    end = parser.token_end()
    if end is None or parser.operations == 0:
        return None
    phrase.at = end
    return text


def _lexemes(phrase: Phrase) -> list[tuple[str, int]]:
    """The arithmetic lexemes that come next, each with the index of its token."""
    found: list[tuple[str, int]] = []
    for index in range(phrase.at, len(phrase.tokens)):
        token = phrase.tokens[index]
        parts = _token_lexemes(token)
        if parts is None or len(found) > _MAX_LEXEMES:
            break
        found.extend((part, index) for part in parts)
    return found


def _token_lexemes(token: Token) -> list[str] | None:
    if token.kind == MARK:
        return [","] if token.text == "," else None
    if token.kind != WORD:
        return None
    inner = token.lower.strip("()")
    word = _word_lexeme(inner)
    if word is None:
        return _symbols(token.lower)
    before, _, after = token.lower.partition(inner)
    return [*before, word, *after]


def _word_lexeme(text: str) -> str | None:
    """A number in words as digits, or a word of the vocabulary."""
    if text in NUMBER_WORDS:
        return str(NUMBER_WORDS[text])
    tens, hyphen, ones = text.partition("-")
    tens_value, ones_value = NUMBER_WORDS.get(tens, 0), NUMBER_WORDS.get(ones, 0)
    if hyphen and tens_value >= 20 and 0 < ones_value < 10:
        return str(tens_value + ones_value)
    return text if text in _VOCABULARY else None


def _symbols(text: str) -> list[str] | None:
    """Splits `(2+3)*4` or `12x7`; None if anything else is in it."""
    parts: list[str] = []
    at = 0
    while at < len(text):
        size = _number_size(text, at)
        if size:
            parts.append(text[at : at + size].replace(",", ""))
        elif text.startswith("**", at):
            parts.append("^")
            size = 2
        elif name := _name(text, at):
            parts.append(name)
            size = len(name)
        elif text[at] in "+-*/^()%" or text[at] in _SYMBOLS:
            parts.append(_SYMBOLS.get(text[at], text[at]))
            size = 1
        elif text[at] == "x" and 0 < at < len(text) - 1 and text[at + 1].isdigit():
            parts.append("*")
            size = 1
        else:
            return None
        at += size
    return parts


def _name(text: str, start: int) -> str:
    """The function or constant that stands here; empty if there is none."""
    for name in ("sqrt", *_FUNCTIONS):
        if text.startswith(name, start):
            return name
    for name in _CONSTANTS:
        end = start + len(name)
        if text.startswith(name, start) and not text[end : end + 1].isalnum():
            return name
    return ""


def _number_size(text: str, start: int) -> int:
    end = start
    while end < len(text) and (text[end] in "0123456789.,"):
        end += 1
    number = text[start:end]
    if "," in number and not is_grouped_number(number):
        return 0
    digits = number.replace(",", "")
    whole, _, fraction = digits.partition(".")
    written = (whole.isdigit() or (not whole and fraction != "")) and (
        not fraction or fraction.isdigit()
    )
    # 007 and 2024-01-15 are not numbers to calculate with.
    plain = not (len(whole) > 1 and whole[0] == "0") and not digits.endswith(".")
    return _exponent_end(text, end) - start if written and plain else 0


def _exponent_end(text: str, end: int) -> int:
    """Behind the `e-9` of `1e-9`, or where the number ends without one."""
    digits = end + 1
    if text[end : end + 1] == "e" and text[digits : digits + 1] in ("+", "-"):
        digits += 1
    last = digits
    while text[last : last + 1].isdigit():
        last += 1
    return last if text[end : end + 1] == "e" and last > digits else end


class _Parser:
    """Recursive descent over lexemes; every method returns calculator text."""

    def __init__(self, lexemes: list[tuple[str, int]]) -> None:
        self.lexemes = lexemes
        self.at = 0
        self.operations = 0
        self.depth = 0

    def token_end(self) -> int | None:
        """Index of the token behind what was used; None in the middle of a token."""
        if self.at == 0:
            return None
        last = self.lexemes[self.at - 1][1]
        if self.at < len(self.lexemes) and self.lexemes[self.at][1] == last:
            return None
        return last + 1

    def says(self, *choices: str) -> str:
        for choice in choices:
            words = choice.split()
            coming = self.lexemes[self.at : self.at + len(words)]
            if [lexeme for lexeme, _ in coming] == words:
                self.at += len(words)
                return choice
        return ""

    def need(self, *choices: str) -> str:
        found = self.says(*choices)
        if not found:
            raise NotArithmeticError
        return found

    def operation(self, text: str) -> str:
        self.operations += 1
        return text

    def request(self) -> str:
        """An imperative (`add 2 and 3`) or an expression."""
        if self.says("add up", "sum up"):
            return self.aggregate("+")
        for verb, between, form in (
            ("subtract", ("from",), "({1} - {0})"),
            ("multiply", ("by", "and", "with", "times"), "({0} * {1})"),
            ("divide", ("by",), "({0} / {1})"),
        ):
            if self.says(verb):
                first = self.total()
                self.need(*between)
                return self.operation(form.format(first, self.total()))
        if self.says("add"):
            return self.addition()
        if self.says("halve"):
            return self.operation(f"({self.total()} / 2)")
        if changed := self.says("increase", "decrease"):
            return self.change("+" if changed == "increase" else "-")
        if self.says("what percent of", "what percent is"):
            raise NotArithmeticError
        return self.total()

    def addition(self) -> str:
        start = self.at
        first = self.total()
        if self.says("to"):
            return self.operation(f"({self.total()} + {first})")
        self.at = start
        return self.aggregate("+")

    def change(self, sign: str) -> str:
        """`increase 80 by 15%`: of the number itself."""
        first = self.total()
        self.need("by")
        share = self.primary()
        self.need("%", "percent", "per cent")
        return self.operation(f"({first} * (1 {sign} {share}/100))")

    def total(self) -> str:
        text = self.product()
        while sign := self.says(*_SUMS):
            text = self.operation(f"{text} {_SUMS[sign]} {self.product()}")
        return text

    def product(self) -> str:
        text = self.signed()
        while True:
            start = self.at
            sign = self.says(*_PRODUCTS)
            if not sign:
                return text
            if sign == "%" and not self.starts_value():
                self.at = start
                return text
            text = self.operation(f"{text} {_PRODUCTS[sign]} {self.signed()}")

    def starts_value(self) -> bool:
        coming = self.lexemes[self.at][0] if self.at < len(self.lexemes) else ""
        return coming[:1].isdigit() or coming[:1] in (".", "(")

    def signed(self) -> str:
        if self.says("-", "minus"):
            return f"-{self.deeper(self.signed)}"
        return self.power()

    def power(self) -> str:
        base = self.percentage()
        while True:
            if self.says("squared"):
                base = self.operation(f"({base})^2")
            elif self.says("cubed"):
                base = self.operation(f"({base})^3")
            elif self.says("^", "to the power of", "to the power",
                    "raised to the power of", "raised to"):  # fmt: skip
                exponent = self.deeper(self.signed)
                base = base if base.replace(".", "").isdigit() else f"({base})"
                return self.operation(f"{base}^{exponent}")
            else:
                return base

    def percentage(self) -> str:
        start = self.at
        value = self.primary()
        mark = self.at
        if self.says("%", "percent", "per cent"):
            if self.says("of"):
                return self.operation(f"({value}/100 * {self.deeper(self.signed)})")
            if self.says("off", "off of"):
                whole = self.deeper(self.signed)
                return self.operation(f"({whole} * (1 - {value}/100))")
            self.at = mark
            # `10 % 3` is a remainder; a percentage of nothing is no number.
            if not (self.says("%") and self.starts_value()):
                self.at = start
                raise NotArithmeticError
            self.at = mark
        return value

    def primary(self) -> str:
        if self.says("("):
            inner = self.deeper(self.total)
            self.need(")")
            return f"({inner})"
        if self.says("the square root of", "square root of", "sqrt of", "sqrt"):
            return self.operation(f"sqrt({self.deeper(self.primary)})")
        if function := self.says(*_FUNCTIONS):
            return self.function(function)
        if constant := self.says(*_CONSTANTS):
            return constant
        if self.says("the sum of", "sum of"):
            return self.aggregate("+")
        if self.says("the product of", "product of"):
            return self.aggregate("*")
        if self.says("the average of", "average of", "the mean of", "mean of"):
            return self.average()
        if self.says("the difference between", "difference between",
                     "the difference of", "difference of"):  # fmt: skip
            first = self.deeper(self.total)
            self.need("and")
            return self.operation(f"({first} - {self.deeper(self.total)})")
        if share := self.says(*_SHARES):
            return self.operation(f"({self.deeper(self.primary)} / {_SHARES[share]})")
        if multiple := self.says(*_MULTIPLES):
            number = self.deeper(self.primary)
            return self.operation(f"({number} * {_MULTIPLES[multiple]})")
        if self.says(*_EARLIER_WORDS):
            return EARLIER
        return self.number()

    def function(self, name: str) -> str:
        """Takes what follows `name(`; the calculator judges how many there are."""
        arguments = [self.deeper(self.total)]
        while self.says(","):
            arguments.append(self.deeper(self.total))
        self.need(")")
        return self.operation(f"{name}{', '.join(arguments)})")

    def number(self) -> str:
        if self.at < len(self.lexemes):
            text = self.lexemes[self.at][0]
            if text[:1].isdigit() or text[:1] == ".":
                self.at += 1
                return text
        raise NotArithmeticError

    def aggregate(self, sign: str) -> str:
        return f"({f' {sign} '.join(self.listed())})"

    def average(self) -> str:
        numbers = self.listed()
        return f"(({' + '.join(numbers)}) / {len(numbers)})"

    def listed(self) -> list[str]:
        """Two or more numbers: `1, 2 and 3`."""
        numbers = [self.deeper(self.total)]
        while True:
            start = self.at
            if not (self.says(", and", ",", "and")):
                break
            try:
                numbers.append(self.deeper(self.total))
            except NotArithmeticError:
                self.at = start
                break
            self.operations += 1
        if len(numbers) < 2:
            raise NotArithmeticError
        return numbers

    def deeper(self, parse: Callable[[], str]) -> str:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise NotArithmeticError
        text = parse()
        self.depth -= 1
        return text
