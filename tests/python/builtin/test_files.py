"""Finding, searching, showing, ranking and hashing files."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

import pytest
from executor import Executor, ask


@pytest.mark.parametrize(
    ("task", "found"),
    [
        ("files bigger than 1 MB", ["data/big.bin"]),
        ("find all files larger than 1MB", ["data/big.bin"]),
        ("which files are over 1000k?", ["data/big.bin"]),
        ("list files of more than 1 MiB", ["data/big.bin"]),
        (
            "which files are smaller than 15 bytes",
            ["Makefile", "python/a.py", "src/lib.rs"],
        ),
        ("find files in python smaller than 10 bytes", ["python/a.py"]),
        ("files modified in the last 3 hours", ["docs/guide.md", "src/main.rs"]),
        ("which files were changed in the last 2 hours in src", ["src/main.rs"]),
        ("modified in the last 3 hours", ["docs/guide.md", "src/main.rs"]),
        ("find files older than 30 days", ["Makefile", "data/big.bin"]),
        ("list markdown files newer than 3 days", ["docs/guide.md"]),
        ("files not modified in the last 30 days", ["Makefile", "data/big.bin"]),
        ("all *.py under python", ["python/a.py", "python/pkg/b.py"]),
        ("find *.py", ["python/a.py", "python/pkg/b.py"]),
        ("list python/*.py", ["python/a.py"]),
        ("List all Python files, please.", ["python/a.py", "python/pkg/b.py"]),
        ("show me all the Rust files in src", ["src/lib.rs", "src/main.rs"]),
        ("which rust files are there?", ["src/lib.rs", "src/main.rs"]),
        ("what files are in docs", ["docs/guide.md", "docs/my notes.md"]),
        ("ls docs", ["docs/guide.md", "docs/my notes.md"]),
        ("list the docs folder", ["docs/guide.md", "docs/my notes.md"]),
        ("find main.rs", ["src/main.rs"]),
        ("where is guide.md?", ["docs/guide.md"]),
        ("find the file called 'my notes.md'", ["docs/my notes.md"]),
        ("find files named *.rs in src", ["src/lib.rs", "src/main.rs"]),
        ("find all files ending in .txt", ["log.txt"]),
        ("files with the extension txt", ["log.txt"]),
        ("files starting with my in docs", ["docs/my notes.md"]),
        ("find files whose name contains guide", ["docs/guide.md"]),
        ("list all folders", ["data", "docs", "python", "python/pkg", "src"]),
        ("get me the toml files", []),
        ("do we have a Makefile?", ["Makefile"]),
        ("is there a guide.md", ["docs/guide.md"]),
        ("what changed in the last 3 hours", ["docs/guide.md", "src/main.rs"]),
        ("which rust files were modified since yesterday", ["src/main.rs"]),
        (
            "files bigger than 10 bytes and older than 15 days",
            ["Makefile", "data/big.bin", "python/pkg/b.py"],
        ),
    ],
)
def test_finding(tools: Executor, task: str, found: list[str]) -> None:
    assert ask(task, tools) == ("\n".join(found) or "no files found")


@pytest.mark.parametrize(
    ("task", "found"),
    [
        ("which files mention tokio", "README.md\nsrc/lib.rs"),
        ("Which files contain 'tokio'?", "README.md\nsrc/lib.rs"),
        ("find files containing tokio in src", "src/lib.rs"),
        ("list all rust files that contain tokio", "src/lib.rs"),
        ("in which files does TODO occur", "README.md\ndocs/guide.md\nsrc/main.rs"),
        ("which md files mention TODO", "README.md\ndocs/guide.md"),
        ("files with 'unsafe'", "src/main.rs"),
        ("which files contain the word hello", "README.md"),
        ("show lines containing 'unsafe' in src", "src/main.rs:3:    unsafe {}"),
        ("grep tokio src", "src/lib.rs:1:use tokio;"),
        ("grep -rn tokio src", "src/lib.rs:1:use tokio;"),
        ("grep for tokio in *.rs", "src/lib.rs:1:use tokio;"),
        ("search src for tokio", "src/lib.rs:1:use tokio;"),
        ("search for 'use tokio' in all rust files", "src/lib.rs:1:use tokio;"),
        ("find 'use tokio' in src", "src/lib.rs:1:use tokio;"),
        ('search the docs folder for "More TODO"', "docs/guide.md:2:More TODO here."),
        ("where is 'unsafe' mentioned?", "src/main.rs:3:    unsafe {}"),
        (
            "lines containing MORE in docs, ignoring case",
            "docs/guide.md:2:More TODO here.",
        ),
        ("find all TODOs in docs", "docs/guide.md:2:More TODO here."),
        ("print all lines matching the regex '^use' in src", "src/lib.rs:1:use tokio;"),
        ("does README.md mention tokio", "yes, 1 line"),
        ("does src contain python?", "no"),
        ("which files mention nonsense", "no file contains `nonsense`"),
        ("search for nonsense in src", "no line contains `nonsense`"),
    ],
)
def test_searching(tools: Executor, task: str, found: str) -> None:
    assert ask(task, tools) == found


@pytest.mark.parametrize(
    ("task", "shown"),
    [
        ("show README.md", "# Title\nhello tokio world\nTODO: x"),
        ("cat README.md", "# Title\nhello tokio world\nTODO: x"),
        ("Please show me the contents of src/lib.rs", "use tokio;"),
        ("print 'src/lib.rs'", "use tokio;"),
        ("display the file src/lib.rs", "use tokio;"),
        ("what is in src/lib.rs?", "use tokio;"),
        ("what's in src/lib.rs", "use tokio;"),
        ("what does src/lib.rs say", "use tokio;"),
        ("read `src/lib.rs` for me", "use tokio;"),
        ("show the first 2 lines of README.md", "# Title\nhello tokio world"),
        ("first line of README.md", "# Title"),
        ("print the top two lines of log.txt", "first\nsecond"),
        ("show me the last line of log.txt", "third"),
        ("the last 2 lines of log.txt", "second\nthird"),
        ("head -n 1 log.txt", "first"),
        ("tail -1 log.txt", "third"),
        ("show the first line of the newest file in docs", "A guide."),
        ("show me the contents of the smallest Rust file", "use tokio;"),
        ("lines 2 to 3 of log.txt", "second\nthird"),
        ("show lines 2-3 of log.txt", "second\nthird"),
        ("show line 2 of log.txt", "second"),
        ("show Makefile", "all:\n\ttrue"),
        ("show the last 99 lines of log.txt", "first\nsecond\nthird"),
        ("show lines 9 to 12 of log.txt", "`log.txt` ends at line 3"),
    ],
)
def test_showing(tools: Executor, task: str, shown: str) -> None:
    assert ask(task, tools) == shown


def test_a_long_file_is_shown_in_pages(tools: Executor) -> None:
    text = "".join(f"line {number} {'.' * 90}\n" for number in range(1000))
    (tools.root / "long.txt").write_text(text)
    assert ask("show long.txt", tools) == text.removesuffix("\n")
    assert len(tools.calls) > 2


def test_a_file_beyond_all_pages_is_cut_and_says_so(tools: Executor) -> None:
    line = "." * 99 + "\n"
    (tools.root / "huge.txt").write_text(line * 9000)
    answer = ask("show huge.txt", tools)
    shown = answer.count("." * 99)
    assert answer.endswith(f"\n(cut: lines 1 to {shown} of 9000 are shown)")


@pytest.mark.parametrize(
    ("task", "found"),
    [
        ("what is the largest file", "data/big.bin (1500000 bytes)"),
        ("which file is the biggest?", "data/big.bin (1500000 bytes)"),
        ("biggest file here", "data/big.bin (1500000 bytes)"),
        ("find the largest file in src", "src/main.rs (49 bytes)"),
        ("which file in src is the largest", "src/main.rs (49 bytes)"),
        ("what's the smallest file in docs", "docs/guide.md (25 bytes)"),
        ("smallest markdown file", "docs/guide.md (25 bytes)"),
        (
            "show me the 2 largest Rust files",
            "src/main.rs (49 bytes)\nsrc/lib.rs (11 bytes)",
        ),
        ("top 2 largest *.rs files", "src/main.rs (49 bytes)\nsrc/lib.rs (11 bytes)"),
        (
            "list the two biggest files in src",
            "src/main.rs (49 bytes)\nsrc/lib.rs (11 bytes)",
        ),
        ("which Rust file has the most lines", "src/main.rs (4 lines)"),
        ("longest markdown file", "docs/my notes.md (20 lines)"),
    ],
)
def test_ranking_by_size(tools: Executor, task: str, found: str) -> None:
    assert ask(task, tools) == found


@pytest.mark.parametrize(
    ("task", "found"),
    [
        ("newest file", "src/main.rs"),
        ("what is the newest file?", "src/main.rs"),
        ("which file was modified last", "src/main.rs"),
        ("which file was changed most recently in docs?", "docs/guide.md"),
        ("the most recently modified file in docs", "docs/guide.md"),
        ("show the latest markdown file", "docs/guide.md"),
        ("last modified file", "src/main.rs"),
        ("oldest file", "data/big.bin"),
        ("What's the oldest Python file?", "python/pkg/b.py"),
        ("which is the oldest file in docs", "docs/my notes.md"),
        ("find the least recently modified file", "data/big.bin"),
        ("which python file is the newest", "python/a.py"),
    ],
)
def test_ranking_by_age(tools: Executor, task: str, found: str) -> None:
    path, _, when = ask(task, tools).partition(" (2")
    assert path == found
    assert when.endswith("Z)")


@pytest.mark.parametrize(
    "task",
    [
        "sha256 of README.md",
        "sha256sum README.md",
        "what is the sha256 of README.md?",
        "compute the SHA-256 hash of README.md",
        "hash README.md",
        "checksum of README.md",
        "give me the checksum of the file README.md",
        "SHA256 README.md",
        "please calculate the sha256 checksum for 'README.md'",
        "show the sha 256 sum of `README.md`",
        "print the digest of README.md",
        "What's the SHA256 hash of README.md",
    ],
)
def test_hashing(tools: Executor, task: str) -> None:
    expected = hashlib.sha256((tools.root / "README.md").read_bytes()).hexdigest()
    assert ask(task, tools) == expected


def test_hashes_of_several_files_are_listed(tools: Executor) -> None:
    lines = ask("hash all rust files", tools).splitlines()
    assert [line.split("  ")[1] for line in lines] == ["src/lib.rs", "src/main.rs"]


def test_today_begins_at_midnight_here(tools: Executor) -> None:
    ask("which files were modified today", tools)
    newer = tools.calls[0][1]["newer_than"]
    began = datetime.fromisoformat(newer)
    now = datetime.now().astimezone()
    assert (began.hour, began.minute, began.second) == (0, 0, 0)
    assert timedelta(0) <= now - began < timedelta(hours=25)
    assert began.utcoffset() == now.utcoffset()


def test_a_line_that_is_empty_is_said_to_be(tools: Executor) -> None:
    (tools.root / "gap.txt").write_text("a\n\n\nb\n")
    assert ask("give me line 2 of gap.txt", tools) == "line 2 of `gap.txt`: empty"
    assert ask("show lines 2-3 of gap.txt", tools) == "lines 2 to 3 of `gap.txt`: empty"
