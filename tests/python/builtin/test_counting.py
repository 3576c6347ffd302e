"""Counting lines, words, characters, files and matches."""

from __future__ import annotations

import pytest
from executor import Executor, ask

LINES = [
    "how many lines are in README.md",
    "How many lines are there in README.md?",
    "how many lines does README.md have",
    "Could you please tell me how many lines README.md has?",
    "count the lines in README.md",
    "count lines README.md",
    "HOW MANY LINES ARE IN  README.md ???",
    "howmany lines in README.md",
    "line count of README.md",
    "README.md: how many lines?",
    "lines in README.md",
    "what is the number of lines in README.md",
    "number of lines in the file README.md",
    "give me the total number of lines in `README.md`, please",
    "wc -l README.md",
    "I want to know how many lines there are in 'README.md'.",
    "Hi! Count the lines of README.md, thanks",
]


@pytest.mark.parametrize("task", LINES)
def test_lines_of_a_file(tools: Executor, task: str) -> None:
    assert ask(task, tools) == "3"


@pytest.mark.parametrize(
    ("task", "answer"),
    [
        ("count the words in all .md files", "72"),
        ("how many words are in the markdown files", "72"),
        ("how many words are in *.md?", "72"),
        ("word count of docs", "65"),
        ("word count for README.md", "7"),
        ("words in README.md", "7"),
        ("how many characters does README.md contain", "34"),
        ("count the bytes in src/lib.rs", "11"),
        ("how big is src/lib.rs", "11"),
        ("How many bytes is src/lib.rs?", "11"),
        ("how many lines does the largest file in src have?", "4"),
        ("how many words are in the newest markdown file", "5"),
        ("what is the size of src/lib.rs?", "11"),
        ("count the lines of 'docs/my notes.md'", "20"),
        ('how many lines are in "docs/my notes.md"', "20"),
        ("how many lines of code are in src", "5"),
        ("how many lines of Rust are there in this repo", "5"),
        ("how many lines of Python code are in python", "3"),
        ("how many lines are in the src folder", "5"),
        ("how many lines in all Rust files under src", "5"),
        ("how many lines are in src/*.rs", "5"),
        ("how many src/*.rs are there", "2"),
        (
            "count lines, words and characters in README.md",
            "3 lines, 7 words, 34 chars",
        ),
        (
            "how many lines are in README.md and Makefile",
            "3 README.md\n2 Makefile\n5 total",
        ),
        ("how many lines are in Makefile", "2"),
    ],
)
def test_other_units_and_places(tools: Executor, task: str, answer: str) -> None:
    assert ask(task, tools) == answer


@pytest.mark.parametrize(
    ("task", "answer"),
    [
        ("how many Rust files are there", "2"),
        ("how many rust files are in src?", "2"),
        ("how many files are in the docs directory", "2"),
        ("How many files does docs contain?", "2"),
        ("count the .py files", "2"),
        ("count all *.py files under python", "2"),
        ("how many *.py are under python", "2"),
        ("number of python files", "2"),
        ("what is the number of files in src", "2"),
        ("how many files bigger than 1 MB are there", "1"),
        ("how many files are larger than 1MB?", "1"),
        ("how many files were modified in the last 3 hours", "2"),
        ("how many markdown files do we have", "3"),
        ("count files in src and docs", "4"),
        ("how many folders are in python", "1"),
        ("how many files are there in total", "10"),
        ("how many files mention tokio", "2"),
        ("Count the files in this folder.", "10"),
        ("Count the Python files in this project.", "2"),
        ("count how many files contain the word hello", "1"),
        ("how many files contain 'TODO' in docs", "1"),
    ],
)
def test_files(tools: Executor, task: str, answer: str) -> None:
    assert ask(task, tools) == answer


@pytest.mark.parametrize(
    ("task", "answer"),
    [
        ("how often does TODO occur in src", "2"),
        ("how many times does TODO appear in src/main.rs?", "2"),
        ("how many times does 'fn main' appear in src", "1"),
        ("how often is tokio mentioned", "2"),
        ("count occurrences of TODO in src", "2"),
        ("count the occurrences of `TODO`", "4"),
        ("number of matches for TODO in docs", "1"),
        ("how many TODOs are in src?", "2"),
        ("how many TODOs are there", "4"),
        ("count how many times 'TODO' appears in src", "2"),
        ("how many lines contain TODO in src", "1"),
        ("how many lines in src contain TODO", "1"),
        ("count the lines containing 'print' in python", "2"),
        ("how many occurrences of print are there in all python files", "2"),
        ("how often does todo occur, ignoring case", "4"),
        ("how many times does the word one occur in docs", "20"),
        ("how many lines match the regex 'TOD.' in README.md", "1"),
    ],
)
def test_matches(tools: Executor, task: str, answer: str) -> None:
    assert ask(task, tools) == answer


def test_the_number_follows_the_tree(tools: Executor) -> None:
    before = ask("how many lines are in src", tools)
    (tools.root / "src" / "new.rs").write_text("a\nb\nc\n")
    assert int(ask("how many lines are in src", tools)) == int(before) + 3
