"""Finding files: "files bigger than 1 MB", "all *.py under python", "newest file"."""

from __future__ import annotations

from agi_agent.builtin._listing import MAX_LISTED, find_calls, found, found_total
from agi_agent.builtin._nouns import (
    is_bare_name,
    is_glob_word,
    looks_like_path,
    path,
    whole_number,
)
from agi_agent.builtin._selection import Selection, location, modifiers, nouns, places
from agi_agent.builtin._step import (
    ITEMS,
    NUMBER,
    PATHS,
    TEXT,
    Call,
    Step,
    StepFailed,
    Value,
    checked,
    left_out,
    notes,
    unread,
)
from agi_agent.builtin._superlative import PREDICATES, SUPERLATIVE_WORDS, SUPERLATIVES
from agi_agent.builtin._vocabulary import phrases

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agi_agent.builtin._language import Phrase
    from agi_agent.builtin._step import Run

_HEADS = phrases(
    """
    which are | what are | show me | show | give me | get me | get | find me |
    find | list | print | display | search for | look for | locate | ls | output |
    return | name | enumerate | are there | do we have | do i have | is there
    """
)
_LISTS = phrases(
    """
    a list of | the list of | the names of | the paths of | list of | out | me
    """
)


class FindFiles(Step):
    """Lists files or folders by name, size and age."""

    tools = ("file_find",)
    gives = (ITEMS, TEXT, PATHS, NUMBER)

    def __init__(self, selection: Selection) -> None:
        """Lists `selection`."""
        self.selection = selection

    def run(self, given: Value | None) -> Run:
        """See `Step.run`."""
        results = yield find_calls(self.selection, limit=MAX_LISTED)
        checked(results, f"list {self.selection.describe()}")
        listed = [entry.path for entry in found(results)]
        total = found_total(results)
        noun = "folders" if self.selection.folders else "files"
        return Value(
            "\n".join(listed) or f"no {noun} found",
            number=str(total),
            items=listed,
            paths=listed,
            fields={"count": total, "files": listed, "paths": listed},
            missing=notes(left_out(total, len(listed), noun), unread(results)),
        )


class Extreme(Step):
    """The largest, smallest, newest or oldest files."""

    tools = ("file_find",)
    gives = (ITEMS, TEXT, PATHS)

    def __init__(
        self, word: str, number: int, selection: Selection, *, quiet: bool = False
    ) -> None:
        """Takes what to rank.

        Args:
            word: A key of `SUPERLATIVES`.
            number: How many are wanted.
            selection: Among which files.
            quiet: Only another step asks: "how long is the largest file".
        """
        self.quiet = quiet
        self.sort, self.descending = SUPERLATIVES[word]
        self.number = number
        self.selection = selection
        if self.sort == "lines":
            self.tools = ("file_stats",)

    def run(self, given: Value | None) -> Run:
        """See `Step.run`."""
        if self.sort == "lines":
            return (yield from self.by_lines())
        results = yield find_calls(
            self.selection,
            limit=self.number,
            sort=self.sort,
            descending=self.descending,
        )
        checked(results, f"list {self.selection.describe()}")
        entries = found(results)
        if len(self.selection.roots) > 1:
            entries.sort(
                key=lambda entry: entry.size if self.sort == "size" else entry.modified,
                reverse=self.descending,
            )
        if self.sort == "size":
            ranked = [(entry.path, f"{entry.size} bytes") for entry in entries]
        else:
            ranked = [
                (entry.path, entry.modified or "time unknown") for entry in entries
            ]
        return self.value(ranked[: self.number], unread(results))

    def by_lines(self) -> Run:
        """By number of lines, which `file_find` does not know."""
        roots, name = self.selection.roots, self.selection.name
        results = yield [Call("file_stats", path=root, name=name) for root in roots]
        checked(results, f"count lines of {self.selection.describe()}")
        rows = [row for result in results for row in result.rows("files")]
        totals = [result.data.get("total") for result in results]
        known = sum(
            int(total.get("files", 0)) for total in totals if isinstance(total, dict)
        )
        if known > len(rows):
            message = (
                f"there are too many {self.selection.describe()} to compare ({known})"
            )
            raise StepFailed(message)
        counted = [
            (int(str(row.get("lines", 0))), str(row.get("path"))) for row in rows
        ]
        counted.sort(key=lambda pair: pair[0], reverse=self.descending)
        ranked = [(found, f"{lines} lines") for lines, found in counted]
        return self.value(ranked[: self.number], unread(results))

    def value(self, ranked: list[tuple[str, str]], missing: str) -> Value:
        """`path (why)` per line."""
        paths = [found for found, _ in ranked]
        text = "\n".join(f"{found} ({why})" for found, why in ranked)
        fields: dict[str, object] = {"files": paths, "paths": paths}
        if self.number == 1 and paths:
            fields.update(file=paths[0], path=paths[0], name=paths[0])
        if self.quiet and not paths:
            message = f"there are no {self.selection.describe()}"
            raise StepFailed(message)
        value = Value(text or "no files found", items=paths, paths=paths, fields=fields)
        value.quiet, value.missing = self.quiet, missing
        return value


def superlative(phrase: Phrase) -> Step | None:
    """`what is the largest file in src`, `top 5 newest Rust files`."""
    selection = Selection()
    phrase.says("which is", "what is", "where is", *_HEADS)
    phrase.says(*_LISTS)
    phrase.word("the")
    top = bool(phrase.word("top", "first"))
    number = whole_number(phrase)
    word = phrase.says(*SUPERLATIVE_WORDS)
    if not word or (top and number is None):
        return None
    if number is None:
        number = whole_number(phrase)
    if number == 0 or not nouns(phrase, selection) or selection.folders:
        return None
    modifiers(phrase, selection)
    phrase.says("by size", "by date", "by lines")
    return ranking(word, number or 1, selection)


def which_is_superlative(phrase: Phrase) -> Step | None:
    """`which Rust file in src is the largest`, `which file was modified last`."""
    selection = Selection()
    if not phrase.word("which", "what") or not nouns(phrase, selection):
        return None
    start = phrase.at
    if not location(phrase, selection):
        phrase.at = start
    word = PREDICATES.get(phrase.says(*PREDICATES), "")
    if not word:
        if not phrase.word("is", "was", "are", "were", "has", "got"):
            return None
        phrase.skip("the", "been")
        word = PREDICATES.get(phrase.says(*PREDICATES), "")
        word = word or phrase.says(*SUPERLATIVE_WORDS)
    if not word or selection.folders:
        return None
    phrase.word("one")
    modifiers(phrase, selection)
    return ranking(word, 1, selection)


def ranking(
    word: str, number: int, selection: Selection, *, quiet: bool = False
) -> Extreme | None:
    """The step for a superlative; None where it cannot be ranked like that."""
    if selection.refers or number > MAX_LISTED:
        return None
    if SUPERLATIVES[word][0] == "lines" and selection.filtered:
        return None
    return Extreme(word, number, selection, quiet=quiet)


def finding(phrase: Phrase) -> Step | None:
    """`find all *.py files under python`, `which files are bigger than 1 MB`."""
    selection = Selection()
    start = phrase.at
    asks = bool(phrase.word("which", "what"))
    if asks and phrase.word("is", "are"):
        phrase.at, asks = start, False
    if not asks:
        phrase.says(*_HEADS)
        phrase.says(*_LISTS)
    before = phrase.at
    if not nouns(phrase, selection):
        phrase.at = before
        everything = not asks and phrase.says("everything", "anything")
        if not (everything or _age_first(phrase, asks)):
            return None
        modifiers(phrase, selection)
        return (
            FindFiles(selection)
            if selection.filtered and not selection.refers
            else None
        )
    if asks:
        phrase.says(
            "do i have", "do we have", "are there", "exist", "are", "do you see"
        )
    before = phrase.at
    modifiers(phrase, selection)
    phrase.says("are there", "there", "do we have", "do i have", "exist")
    if selection.refers or (phrase.at == before and not _asked(phrase, start)):
        return None
    return FindFiles(selection)


def _age_first(phrase: Phrase, asks: bool) -> bool:
    """Whether it begins like "modified in the last 2 days", after "what" too."""
    ways = ("modified", "changed") if asks else ("modified", "changed", "edited",
                                                 "newer", "older")  # fmt: skip
    return phrase.next_word() in ways


def _asked(phrase: Phrase, start: int) -> bool:
    """Whether a verb or a wildcard makes a request of it: "files" alone does not."""
    first = phrase.tokens[start]
    return any(
        first.lower == head.split()[0] for head in (*_HEADS, "which", "what")
    ) or (is_glob_word(first.text) or first.lower == "all")


def finding_by_name(phrase: Phrase) -> Step | None:
    """`find main.rs`, `where is Cargo.toml`, `is there a file called x.txt`."""
    selection = Selection()
    if phrase.says("is there", "do we have", "do i have", "are there"):
        if not phrase.says("a file called", "a file named", "any file called",
                "any file named", "any files called", "any files named"):  # fmt: skip
            phrase.skip("a", "an", "any")
            token = phrase.peek()
            # A Makefile or a LICENSE may be a file; a problem is none.
            if token is None or not (
                looks_like_path(token.text)
                or (is_bare_name(token) and token.text[0].isupper())
            ):
                return None
    elif phrase.says("where is", "where are", "locate", "find me", "find", "search for",
                     "look for"):  # fmt: skip
        phrase.skip("a", "the", "any", "all", "my", "our")
        named = phrase.says("file", "files")
        called = phrase.says("called", "named")
        token = phrase.peek()
        likely = token is not None and (
            looks_like_path(token.text) or is_glob_word(token.text)
        )
        if token is None or not (likely or (named and called)):
            return None
    else:
        return None
    name = path(phrase, bare=True)
    if name is None or "/" in name or name in (".", ".."):
        return None
    phrase.word("file", "files")
    selection.name = name
    modifiers(phrase, selection)
    return None if selection.refers else FindFiles(selection)


def listing_folder(phrase: Phrase) -> Step | None:
    """`ls docs`, `list the src folder`, `list everything in docs`."""
    selection = Selection()
    verb = phrase.word("ls", "list", "show")
    inside = phrase.says(
        "the contents of", "everything in", "contents of", "what is in"
    )
    if not verb or (verb == "show" and not inside):
        return None
    start = phrase.at
    if not places(phrase, selection) or selection.refers:
        return None
    if selection.name is not None:
        modifiers(phrase, selection)
        return FindFiles(selection)
    first, last = phrase.tokens[start], phrase.tokens[phrase.at - 1]
    # "list the planets" names no folder: more than a plain name is needed.
    folder = last.lower in ("folder", "directory", "dir") or selection.places == ["."]
    folder = (
        folder
        or first.text.endswith("/")
        or verb == "ls"
        or (bool(inside) and not looks_like_path(first.text))
    )
    return FindFiles(selection) if folder else None
