"""Arithmetic: "what is 15% of 80", "2^10", "multiply it by 3"."""

from __future__ import annotations

from agi_agent.builtin._expression import EARLIER, expression
from agi_agent.builtin._step import NUMBER, TEXT, Call, Step, StepFailed, Value, checked
from agi_agent.builtin._vocabulary import phrases

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agi_agent.builtin._language import Phrase
    from agi_agent.builtin._step import Run

_HEADS = phrases(
    """
    what do you get if you | what do i get if i | what is the answer to |
    what is the result of | what is the value of | what is | what are | what does |
    how much is | how much are | how much does | calculate | compute | evaluate |
    work out | calc | the result of | the value of | figure out | find
    """
)
_TAILS = ("=", "equals", "equal", "make", "come to", "equal to", "give")


class Calculate(Step):
    """Works out one expression."""

    tools = ("calculator",)
    gives = (NUMBER, TEXT)

    def __init__(self, text: str) -> None:
        """Takes calculator text, with `EARLIER` for the number of an earlier step."""
        self.text = text
        self.needs = (NUMBER,) if EARLIER in text else ()

    def run(self, given: Value | None) -> Run:
        """See `Step.run`."""
        text = self.text
        if given is not None:
            text = text.replace(EARLIER, f"({given.whole().number})")
        results = yield [Call("calculator", expression=text)]
        result = checked(results, f"calculate `{text}`")[0]
        number = result.string("value")
        if not number:
            message = f"cannot calculate `{text}`: the calculator gave no value"
            raise StepFailed(message)
        return Value(number, number=number, fields={"expression": text})


def calculation(phrase: Phrase) -> Step | None:
    """Takes an arithmetic question, command or bare expression."""
    head = phrase.says(*_HEADS)
    phrase.skip("the") if head.endswith("of") else None
    start = phrase.at
    text = expression(phrase)
    if text is None:
        return None
    if not head and _is_date_or_number(phrase, start):
        return None
    phrase.says(*_TAILS)
    return Calculate(text)


def _is_date_or_number(phrase: Phrase, start: int) -> bool:
    """Whether a bare `2024-11-05` or `555-1234` was taken, which asks for nothing."""
    text = phrase.raw(start, phrase.at)
    if phrase.at - start != 1 or any(mark in text for mark in "+*^%(x"):
        return False
    # `10/4` is a fraction; `2024/11/05` is none.
    return "-" in text or text.count("/") > 1
