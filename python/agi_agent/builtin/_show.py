"""Showing a file: "cat README.md", "first 5 lines of src/main.rs", "lines 3 to 9"."""

from __future__ import annotations

from agi_agent.builtin._nouns import is_glob, path, whole_number
from agi_agent.builtin._selection import reference
from agi_agent.builtin._step import (
    ITEMS,
    PATHS,
    TEXT,
    Call,
    Step,
    StepFailed,
    Value,
    checked,
)
from agi_agent.builtin._vocabulary import phrases, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agi_agent.builtin._language import Phrase
    from agi_agent.builtin._step import Result, Run

_HEADS = phrases(
    """
    show me | show | print | display | cat | read me | read | output | view |
    give me | get | dump | type | let me see | return | list | tell me | what are |
    what is | echo
    """
)
_CONTENTS = phrases(
    """
    the entire contents of | the full contents of | the whole contents of |
    the contents of | the content of | contents of | content of | the text of |
    the text in | the contents in | all of | everything in | the whole of |
    the entire | the whole | its contents | its content
    """
)
# Whoever says so wants to read it, whatever is done with it then.
_SEEN = frozenset(words("show print display cat view dump type"))
# Pages of one `file_read` each: some 240 KB, more than a person reads.
_MAX_PAGES = 8
_FIRST = ("first", "top")
_LAST = ("last", "bottom", "final")


class ShowFile(Step):
    """Shows a file or a range of its lines."""

    tools = ("file_read",)
    gives = (TEXT, PATHS, ITEMS)

    def __init__(
        self,
        file: str | None,
        *,
        first: int = 1,
        lines: int | None = None,
        last: int = 0,
    ) -> None:
        """Takes what to show.

        Args:
            file: The path; None for the file of an earlier step.
            first: Number of the first line, from 1.
            lines: How many lines; None for all.
            last: If not 0, the last so many lines instead.
        """
        self.file = file
        # "the first 5 lines of x, write them to y" asks for nothing to be seen.
        self.stays: tuple[str, ...] = (PATHS,)
        self.first = first
        self.wanted = lines
        self.last = last
        self.needs = () if file is not None else (PATHS,)

    def run(self, given: Value | None) -> Run:
        """See `Step.run`."""
        file = self.file or ""
        if given is not None:
            if len(given.whole().paths) != 1:
                message = (
                    f"cannot show `it`: that means {len(given.paths)} files, not one"
                )
                raise StepFailed(message)
            file = given.paths[0]
        doing = f"read `{file}`"
        first, wanted = self.first, self.wanted
        if self.last:
            results = yield [Call("file_read", path=file, limit=1)]
            total = checked(results, doing)[0].count("lines")
            first, wanted = max(1, total - self.last + 1), self.last
        content: list[str] = []
        at, result = first, None
        for _ in range(_MAX_PAGES):
            room = None if wanted is None else first + wanted - at
            results = yield [Call("file_read", path=file, offset=at, limit=room)]
            result = checked(results, doing)[0]
            page = result.string("content")
            content.append(page)
            at += page.count("\n")
            # A page that ends within a line was cut there; it has no rest to ask for.
            due = result.count("lines") if wanted is None else first + wanted - 1
            if not page.endswith("\n") or at > min(due, result.count("lines")):
                break
        value = _value(file, result, "".join(content), first, wanted)
        value.stays = self.stays
        return value


def _value(
    file: str, result: Result | None, content: str, first: int, wanted: int | None
) -> Value:
    """The lines that were read, and whether they are all that were asked for."""
    total = result.count("lines") if result is not None else 0
    shown = content.removesuffix("\n").split("\n") if content else []
    due = max(0, total - first + 1)
    due = due if wanted is None else min(due, wanted)
    cut = result is not None and result.flag("truncated") and not content.endswith("\n")
    missing = ""
    if content and (len(shown) < due or cut):
        end = first + len(shown) - 1
        missing = f"(cut: lines {first} to {end} of {total} are shown)"
    text = content.removesuffix("\n")
    if result is not None and result.flag("binary"):
        message = f"cannot show `{file}`: it is not text ({result.count('size')} bytes)"
        raise StepFailed(message)
    if content and not text.strip("\r\n"):
        # An answer of nothing would look like none.
        end = first + len(shown) - 1
        lines = f"line {first}" if len(shown) == 1 else f"lines {first} to {end}"
        text = f"{lines} of `{file}`: empty"
    if not content:
        # Not how many it has: a last line without a line break is shown, not counted.
        text = f"`{file}` ends at line {total}" if total else f"`{file}` is empty"
    fields: dict[str, object] = {"path": file, "file": file, "content": content}
    fields["lines"] = shown
    return Value(text, items=shown, paths=[file], fields=fields, missing=missing)


def showing(phrase: Phrase) -> Step | None:
    """Takes a request to see a file or some of its lines."""
    verb = phrase.next_word()
    step = _shown(phrase)
    if step is not None and verb in _SEEN:
        step.stays = step.gives
    return step


def _shown(phrase: Phrase) -> ShowFile | None:
    asked = phrase.says(*_HEADS)
    start = phrase.at
    step = _range(phrase)
    if step is not None:
        return step
    phrase.at = start
    if not asked:
        if phrase.says("what does"):
            file, refers = _file(phrase)
            if (file or refers) and phrase.says("say", "contain"):
                return ShowFile(file)
            return None
        return _head_or_tail(phrase)
    if asked in ("what is", "what are"):
        if not phrase.says("in", "inside", "the contents of", "the content of",
                           "written in"):  # fmt: skip
            return None
    elif asked in ("tell me", "list", "echo") and not phrase.says(*_CONTENTS):
        return None
    else:
        phrase.says(*_CONTENTS)
        if phrase.tokens[phrase.at - 1].lower in ("contents", "content"):
            return ShowFile(None)
    file, refers = _file(phrase)
    if not (file or refers):
        return None
    if phrase.says("from line", "lines", "line"):
        phrase.at -= 1
        return _numbered(phrase, file)
    phrase.says("to me", "on screen", "on the screen")
    return ShowFile(file)


def _file(phrase: Phrase) -> tuple[str | None, bool]:
    """Takes one file: its path, or whether it is that of an earlier step."""
    if reference(phrase):
        return None, True
    start = phrase.at
    phrase.skip("the", "my", "our")
    named = bool(phrase.says("file called", "file named", "file"))
    file = path(phrase, bare=named)
    if file is None or is_glob(file):
        phrase.at = start
        return None, False
    phrase.word("file")
    return file, False


def _range(phrase: Phrase) -> ShowFile | None:
    """Takes `the first 5 lines of X`, `its last line`, `lines 3 to 9 of X`."""
    phrase.says("all of")
    phrase.word("the")
    its = bool(phrase.word("its"))
    end = phrase.word(*_FIRST, *_LAST)
    if not end:
        return _numbered(phrase, None)
    number = whole_number(phrase)
    if not phrase.word("lines", "rows") and not (
        number in (None, 1) and phrase.word("line", "row")
    ):
        return None
    number = 1 if number is None else number
    if number == 0 or (number is None and phrase.tokens[phrase.at - 1].lower != "line"):
        return None
    file: str | None = None
    if not its:
        file, refers = (
            _file(phrase) if phrase.word("of", "from", "in") else (None, False)
        )
        if not (file or refers):
            return None
    if end in _LAST:
        return ShowFile(file, last=number)
    return ShowFile(file, lines=number)


def _numbered(phrase: Phrase, file: str | None) -> ShowFile | None:
    """Takes `lines 3 to 9 of X`; `of X` only if the file is not known."""
    several = phrase.word("lines", "line")
    if not several:
        return None
    first, last = _line_numbers(phrase)
    if first is None or last is None or not 0 < first <= last:
        return None
    if file is None:
        if not phrase.word("of", "from", "in"):
            return None
        file, refers = _file(phrase)
        if not (file or refers):
            return None
    return ShowFile(file, first=first, lines=last - first + 1)


def _line_numbers(phrase: Phrase) -> tuple[int | None, int | None]:
    token = phrase.peek()
    if token is not None and "-" in token.text:
        low, _, high = token.text.partition("-")
        if low.isdigit() and high.isdigit() and len(token.text) < 20:
            phrase.at += 1
            return int(low), int(high)
        return None, None
    first = whole_number(phrase)
    if phrase.word("to", "through", "until", "-", "and"):
        return first, whole_number(phrase)
    return first, first


def _head_or_tail(phrase: Phrase) -> ShowFile | None:
    """Takes `head X`, `tail -n 5 X`."""
    command = phrase.word("head", "tail")
    if not command:
        return None
    number: int | None = 10
    if phrase.word("-n"):
        number = whole_number(phrase)
    else:
        token = phrase.peek()
        if token is not None and token.text[:1] == "-" and token.text[1:].isdigit():
            number = int(token.text[1:6])
            phrase.at += 1
    phrase.word("of")
    file, refers = _file(phrase)
    if not number or not (file or refers):
        return None
    return (
        ShowFile(file, lines=number)
        if command == "head"
        else ShowFile(file, last=number)
    )
