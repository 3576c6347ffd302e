"""Arithmetic: words to an expression, and the calculator's number back."""

from __future__ import annotations

import pytest
from executor import Executor, ask


@pytest.mark.parametrize(
    ("task", "answer"),
    [
        ("what is 15% of 80", "12"),
        ("What is 15 % of 80?", "12"),
        ("2^10", "1024"),
        ("2 ^10", "1024"),
        ("what do you get if you multiply 12 by 12", "144"),
        ("sum of 1, 2 and 3", "6"),
        ("12 times 7", "84"),
        ("What's 12x7?", "84"),
        ("(2+3)*4", "20"),
        ("how much is 3.5 * 2", "7"),
        ("calculate the square root of 144", "12"),
        ("divide 100 by 8", "12.5"),
        ("subtract 5 from 12", "7"),
        ("add 2, 3 and 4", "9"),
        ("add 5 to 7", "12"),
        ("please compute 1,250 + 3,000", "4250"),
        ("TWO PLUS TWO", "4"),
        ("twenty-five times four", "100"),
        ("25% off 80", "60"),
        ("10 mod 4", "2"),
        ("10 % 4", "2"),
        ("half of 30", "15"),
        ("average of 2, 4 and 9", "5"),
        ("2 to the power of 10", "1024"),
        ("5 squared", "25"),
        ("what is 2 + 2 =", "4"),
        ("what does 6 * 7 equal?", "42"),
        ("increase 80 by 15%", "92"),
        ("-3 + 5", "2"),
        ("2^3^2", "512"),
        ("the product of 6 and 7", "42"),
        ("what is the difference between 10 and 4", "6"),
        ("17 \N{MINUS SIGN} 4 \N{MULTIPLICATION SIGN} 2", "9"),
        ("(5 squared) ^ 2", "625"),
    ],
)
def test_phrasings(tools: Executor, task: str, answer: str) -> None:
    assert ask(task, tools) == answer
    assert [name for name, _ in tools.calls] == ["calculator"]


def test_an_error_of_the_calculator_is_the_answer(tools: Executor) -> None:
    assert ask("what is 1 / 0", tools).startswith("cannot calculate `1 / 0`: ")
