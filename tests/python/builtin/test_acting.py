"""Writing files, running commands, remembering; and several steps in one request."""

from __future__ import annotations

from hashlib import sha256

import pytest
from executor import TOOLS, Executor, ask, converse, request

from agi_agent._errors import OutsideBuiltinError


@pytest.mark.parametrize(
    ("task", "path", "text"),
    [
        ("write 'hello' to notes.txt", "notes.txt", "hello\n"),
        ('Write "hello world" into notes.txt.', "notes.txt", "hello world\n"),
        ("save 'x y' in the file out.txt", "out.txt", "x y\n"),
        ('put "it\'s here" in a.txt', "a.txt", "it's here\n"),
        ("write hello to notes.txt", "notes.txt", "hello\n"),
        ("write 42 to n.txt", "n.txt", "42\n"),
        ("append 'fourth' to log.txt", "log.txt", "first\nsecond\nthird\nfourth\n"),
        (
            "add 'fourth' to the end of log.txt",
            "log.txt",
            "first\nsecond\nthird\nfourth\n",
        ),
        ("create a file x.txt containing 'abc'", "x.txt", "abc\n"),
        ("create a new file called 'my file.txt' with 'abc'", "my file.txt", "abc\n"),
        ("make a file named x.txt with the text 'abc'", "x.txt", "abc\n"),
        ("create x.txt with the text hello there", "x.txt", "hello there\n"),
        ("create an empty file called e.txt", "e.txt", ""),
        ("touch e.txt", "e.txt", ""),
        ("write to notes.txt: hello there, world", "notes.txt", "hello there, world\n"),
        (
            "please write the text 'a, b; c' to 'sub dir/n.txt'",
            "sub dir/n.txt",
            "a, b; c\n",
        ),
        ("write 'two\nlines' to n.txt", "n.txt", "two\nlines\n"),
        ("write 'x' to README.md", "README.md", "x\n"),
        ("overwrite README.md with 'x'", "README.md", "x\n"),
        ("create a file c.txt with content 'x'", "c.txt", "x\n"),
    ],
)
def test_writing(tools: Executor, task: str, path: str, text: str) -> None:
    answer = ask(task, tools)
    assert (tools.root / path).read_text() == text
    assert answer.endswith(f" to {path}")


def test_creating_does_not_overwrite(tools: Executor) -> None:
    answer = ask("create a file README.md containing 'abc'", tools)
    assert answer == "cannot create `README.md`: it exists already"
    assert (tools.root / "README.md").read_text().startswith("# Title")


@pytest.mark.parametrize(
    "task",
    [
        "run `printf out`",
        "Run the command `printf out`",
        "please execute `printf out`",
        "execute the command `printf out`.",
        "run ```printf out```",
        "run this: `printf out`",
        "what does `printf out` print?",
        "what is the output of `printf out`",
        "show me the output of `printf out`",
        "can you run `printf out` for me",
        "run the shell command `printf out` and show me the output",
        "output of `printf out`",
        "RUN `printf out`",
        "do `printf out`",
        "start `printf out`",
    ],
)
def test_commands(tools: Executor, task: str) -> None:
    assert ask(task, tools) == "out"
    assert tools.calls == [("shell", {"command": "printf out"})]


def test_commands_one_after_the_other(tools: Executor) -> None:
    assert ask("run `printf a`, `printf b` and then `printf c`", tools) == "a\nb\nc"


def test_a_failing_command_says_how_it_ended(tools: Executor) -> None:
    answer = ask("run `echo no >&2; exit 3`", tools)
    assert answer == "`echo no >&2; exit 3` failed with exit code 3\nno"


@pytest.mark.parametrize(
    ("task", "fact"),
    [
        ("remember that my favourite colour is blue", "my favourite colour is blue"),
        ("Remember: the server is called zeus", "the server is called zeus"),
        ("please remember my dog is called Rex.", "my dog is called Rex"),
        ("note that the build takes 5 minutes", "the build takes 5 minutes"),
        ("keep in mind that we use tabs", "we use tabs"),
        ("don't forget that the demo is on Monday", "the demo is on Monday"),
        ("memorize that 42 is the answer", "42 is the answer"),
        ("remember 'the key is under the mat'", "the key is under the mat"),
        ("make a note that Anna likes tea and cake", "Anna likes tea and cake"),
        ("add to memory: backups run at 3", "backups run at 3"),
        ("could you remember that I live in Ulm?", "I live in Ulm"),
        ("take note that main.rs is old", "main.rs is old"),
        (
            "remember that v1.2 is broken. It was released in May.",
            "v1.2 is broken. It was released in May",
        ),
    ],
)
def test_remembering(tools: Executor, task: str, fact: str) -> None:
    answer = ask(task, tools)
    assert tools.memory == [fact]
    assert answer == f"remembered: {fact}"


@pytest.mark.parametrize(
    "task",
    [
        "what is my favourite colour?",
        "what's my favourite colour",
        "Do you remember my favourite colour",
        "tell me my favourite colour",
        "what do you know about my favourite colour",
        "what do you remember about colour",
        "what did I tell you about my favourite colour?",
        "tell me what you know about the favourite colour",
        "recall my favourite colour",
        "search your memory for colour",
        "remind me of my favourite colour",
        "what have I told you about colour",
        "do you know my favourite colour",
    ],
)
def test_recalling(tools: Executor, task: str) -> None:
    fact = "my favourite colour is blue"
    tools.memory += ["my favourite food is rice", fact]
    assert fact in ask(task, tools)


def test_something_similar_is_not_the_answer(tools: Executor) -> None:
    tools.memory.append("my favourite food is rice")
    answer = ask("what is my favourite colour", tools)
    assert answer == "nothing is remembered about `favourite colour`"


@pytest.mark.parametrize(
    ("task", "path", "text"),
    [
        (
            "count the lines in README.md and write the result to out.txt",
            "out.txt",
            "3\n",
        ),
        (
            "first count the words in README.md, then write it to out.txt",
            "out.txt",
            "7\n",
        ),
        ("Compute 6*7; then write the result to out.txt.", "out.txt", "42\n"),
        ("What is 6*7? Then save the answer in out.txt", "out.txt", "42\n"),
        (
            "search TODO in docs, then write the matches to t.txt",
            "t.txt",
            "docs/guide.md:2:More TODO here.\n",
        ),
        (
            "find all Rust files, count them and save the number to n.txt",
            "n.txt",
            "2\n",
        ),
        (
            "run `printf 'a\\nb\\n'`, count the lines and save the result to n.txt",
            "n.txt",
            "2\n",
        ),
        (
            "1. count lines in README.md\n2. write the result to out.txt",
            "out.txt",
            "3\n",
        ),
        (
            "- compute 2+2\n- multiply it by 3\n- write the result to out.txt",
            "out.txt",
            "12\n",
        ),
        ("write 'a' to a.txt, append 'b' to a.txt", "a.txt", "a\nb\n"),
        (
            "list the python files and then write the list to l.txt",
            "l.txt",
            "python/a.py\npython/pkg/b.py\n",
        ),
        ("find files mentioning nonsense and write them to none.txt", "none.txt", ""),
        (
            "how many lines are in README.md? please append the answer to log.txt",
            "log.txt",
            "first\nsecond\nthird\n3\n",
        ),
    ],
)
def test_steps_that_end_in_a_file(
    tools: Executor, task: str, path: str, text: str
) -> None:
    ask(task, tools)
    assert (tools.root / path).read_text() == text


@pytest.mark.parametrize(
    ("task", "answer"),
    [
        ("what is 2+2 and multiply it by 3", "12"),
        ("find all Rust files and count them", "2"),
        ("find files mentioning tokio, then count them", "2"),
        ("write 'hi' to a.txt and then show it", "wrote 3 bytes to a.txt\nhi"),
        (
            "find the largest file in src and count its lines",
            "src/main.rs (49 bytes)\n4",
        ),
        ("show log.txt, then count the lines in it", "first\nsecond\nthird\n3"),
        ("count lines in README.md and count words in README.md", "3\n7"),
        (
            "remember that tea is hot and then show src/lib.rs",
            "remembered: tea is hot\nuse tokio;",
        ),
        ("add 1 and 2, then divide it by 2", "1.5"),
    ],
)
def test_steps_that_use_an_earlier_one(tools: Executor, task: str, answer: str) -> None:
    assert ask(task, tools) == answer


@pytest.mark.parametrize(
    ("task", "paths"),
    [
        ("show src/lib.rs and hash it", ["src/lib.rs"]),
        ("find the newest file in docs, then compute its sha256", ["docs/guide.md"]),
        ("list the python files and hash them", ["python/a.py", "python/pkg/b.py"]),
        ("write 'abc' to n.txt and then hash n.txt", ["n.txt"]),
    ],
)
def test_hashes_of_what_came_before(
    tools: Executor, task: str, paths: list[str]
) -> None:
    hashes = [
        sha256((tools.root / path).read_bytes()) for path in paths if path != "n.txt"
    ]
    answer = ask(task, tools)
    hashes = hashes or [sha256((tools.root / "n.txt").read_bytes())]
    for expected in hashes:
        assert expected.hexdigest() in answer


def test_the_hash_can_be_appended(tools: Executor) -> None:
    expected = sha256((tools.root / "README.md").read_bytes()).hexdigest()
    ask("hash README.md and after that append the hash to log.txt", tools)
    assert (tools.root / "log.txt").read_text().splitlines()[3:] == [expected]


FACTS = ("the door code is 4711", "Anna's phone number is 555", "lunch is at noon")


@pytest.mark.parametrize(
    ("task", "answer"),
    [
        ("what is the door code", FACTS[0]),
        ("What's the door code?", FACTS[0]),
        ("do you remember the door code", FACTS[0]),
        ("tell me the door code", FACTS[0]),
        ("please tell me the code of the door", FACTS[0]),
        ("can you tell me the door code?", FACTS[0]),
        ("do you know what the door code is", FACTS[0]),
        ("tell me what the door code is", FACTS[0]),
        ("remind me what the door code is", FACTS[0]),
        ("remind me of the door code", FACTS[0]),
        ("give me the door code", FACTS[0]),
        ("what is Anna's phone number", FACTS[1]),
        ("what was the phone number of Anna?", FACTS[1]),
        ("when is lunch", FACTS[2]),
    ],
)
def test_a_question_that_only_the_memory_answers(
    tools: Executor, task: str, answer: str
) -> None:
    tools.memory.extend(FACTS)
    assert ask(task, tools) == answer
    assert [name for name, _ in tools.calls] == ["memory_search"]


@pytest.mark.parametrize(
    "task",
    [
        "what is the door",
        "what is the area code of Anna",
        "tell me a joke about the door code",
        "what is the capital of France",
        "what is it",
        "what is the door code and why is the sky blue",
        "what is the door code. fix all bugs",
    ],
)
def test_what_the_memory_does_not_answer_word_for_word_is_refused(
    tools: Executor, task: str
) -> None:
    tools.memory.extend(FACTS[1:])
    with pytest.raises(OutsideBuiltinError, match="does not understand"):
        ask(task, tools)


@pytest.mark.parametrize("offered", [False, True])
def test_without_a_memory_such_a_question_is_refused(
    tools: Executor, offered: bool
) -> None:
    tools.denied = ("memory_search",)
    names = tuple(name for name in TOOLS if offered or name != "memory_search")
    with pytest.raises(OutsideBuiltinError, match="does not understand"):
        converse(request("what is the door code", tools=names), tools)
