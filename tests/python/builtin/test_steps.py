"""Several steps answer one after the other, save what only went into a later one."""

from __future__ import annotations

import pytest
from executor import Executor, ask

README = "# Title\nhello tokio world\nTODO: x"


@pytest.mark.parametrize(
    "task",
    [
        "show README.md; hash it",
        "show README.md and then hash it",
        "show README.md and hash it",
        "show README.md, then hash it",
        "first show README.md, then hash it",
        "please show me README.md and then hash it",
        "print README.md; hash it",
        "cat README.md and then hash it",
        "display README.md. Then hash it",
        "show the contents of README.md and then hash it",
        "read README.md and then hash it",
        "lines 1 to 3 of README.md; hash it",
        "the first 3 lines of README.md and then hash it",
    ],
)
def test_a_file_is_shown_whatever_is_done_with_it(tools: Executor, task: str) -> None:
    *shown, digest = ask(task, tools).split("\n")
    assert "\n".join(shown) == README
    assert digest == ask("hash README.md", tools)


def test_shown_text_is_counted_and_written_as_well(tools: Executor) -> None:
    assert ask("show README.md and count its lines", tools) == README + "\n3"
    answer = ask("show README.md and write it to out.txt", tools)
    assert answer.startswith(README + "\nwrote ")


@pytest.mark.parametrize(
    ("task", "answer"),
    [
        ("find all Rust files and count them", "2"),
        ("the first 2 lines of README.md, write them to out.txt", "wrote "),
        ("run `printf 'a\nb\n'` and write the output to out.txt", "wrote "),
    ],
)
def test_what_went_into_a_later_step_is_not_repeated(
    tools: Executor, task: str, answer: str
) -> None:
    assert ask(task, tools).startswith(answer)
