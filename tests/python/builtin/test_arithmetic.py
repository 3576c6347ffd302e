"""Arithmetic: words to an expression, and the calculator's number back."""

from __future__ import annotations

import pytest
from executor import Executor, ask

from agi_agent._errors import OutsideBuiltinError


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
        ("10/4", "2.5"),
        ("7/2?", "3.5"),
        ("what is 10/4", "2.5"),
        ("1.5/3", "0.5"),
        ("1e3*2", "2000"),
        ("2.5E-1 * 4", "1"),
        ("what is 1e3 + 1e+2", "1100"),
        ("log(100)", "2"),
        ("what is log(100)?", "2"),
        ("log(8, 2) + 1", "4"),
        ("max(1, 2+3, 4)", "5"),
        ("max(1,200)", "200"),
        ("calculate 2 * max(3, sqrt(16))", "8"),
        ("4*pi - 3*pi - pi + 1", "1"),
    ],
)
def test_phrasings(tools: Executor, task: str, answer: str) -> None:
    assert ask(task, tools) == answer
    assert [name for name, _ in tools.calls] == ["calculator"]


def test_an_error_of_the_calculator_is_the_answer(tools: Executor) -> None:
    assert ask("what is 1 / 0", tools).startswith("cannot calculate `1 / 0`: ")


@pytest.mark.parametrize("task", ["1/0", "what is 1 / 0", "10/0"])
def test_a_fraction_alone_is_a_task(tools: Executor, task: str) -> None:
    assert ask(task, tools).startswith("cannot calculate `")


@pytest.mark.parametrize(
    "task",
    ["2024/11/05", "555-1234", "1e3", "log(", "log(100", "logs(2)", "max()", "e"],
)
def test_what_only_looks_like_arithmetic_is_refused(tools: Executor, task: str) -> None:
    with pytest.raises(OutsideBuiltinError):
        ask(task, tools)
