"""Searching text: "which files mention tokio", "lines containing 'unsafe' in src"."""

from __future__ import annotations

from agi_agent.builtin._nouns import is_glob_word, looks_like_path
from agi_agent.builtin._pattern import Pattern, case_words, pattern
from agi_agent.builtin._selection import Selection, location, modifiers, nouns, places
from agi_agent.builtin._step import (
    ITEMS,
    NUMBER,
    PATHS,
    TEXT,
    Call,
    Step,
    Value,
    checked,
    left_out,
    notes,
    unread,
)
from agi_agent.builtin._vocabulary import phrases

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from agi_agent.builtin._language import Phrase, Token
    from agi_agent.builtin._step import Result, Run

# What is asked for: the lines, the files, a yes or no, or one of three numbers.
LINES = "lines"
FILES = "files"
WHETHER = "whether"
COUNT_MATCHES = "total_matches"
COUNT_LINES = "total"
COUNT_FILES = "files_with_matches"

_SHOW = phrases(
    """
    show me | show | find me | find | list | print | display | give me | get |
    output | return | search for | look for | look up | locate | tell me
    """
)
_CONTAIN = phrases(
    """
    contain | contains | containing | that contain | that contains | which contain |
    which contains | mention | mentions | mentioning | that mention |
    that mentions | which mention | which mentions | include | includes |
    including | that include | that includes | match | matching | that match |
    that matches | matches | having | that have | which have | have | has | that has
    """
)
_OCCUR = phrases(
    """
    occur | occurs | appear | appears | show up | mentioned | found | come up
    """
)
_MAX_LINES = 1000
_MAX_EARLIER = 200


class SearchText(Step):
    """Searches files for a text."""

    tools = ("file_search",)

    def __init__(self, wanted: Pattern, selection: Selection, ask: str) -> None:
        """Searches `selection` for `wanted`; `ask` is one of the constants above."""
        self.wanted = wanted
        self.selection = selection
        self.ask = ask
        self.needs = (PATHS,) if selection.refers else ()
        self.gives = {
            LINES: (ITEMS, TEXT, NUMBER),
            FILES: (ITEMS, TEXT, PATHS, NUMBER),
            WHETHER: (TEXT,),
        }.get(ask, (NUMBER, TEXT))

    def run(self, given: Value | None) -> Run:
        """See `Step.run`."""
        roots: list[str | None] = [*self.selection.places] or [None]
        if given is not None:
            roots = [*given.whole().paths[:_MAX_EARLIER]]
        mode = self.ask if self.ask in (LINES, FILES) else "count"
        results = yield [
            Call(
                "file_search",
                pattern=self.wanted.text,
                path=root,
                glob=self.selection.name,
                literal=self.wanted.literal or None,
                ignore_case=self.wanted.ignore_case or None,
                mode=mode,
                limit=_MAX_LINES if mode != "count" else None,
            )
            for root in roots
        ]
        done = checked(results, f"search for `{self.wanted.shown}`")
        if self.ask == LINES:
            return self.lines(done)
        if self.ask == FILES:
            return self.files(done)
        if self.ask == WHETHER:
            total = sum(result.count(COUNT_LINES) for result in done)
            answer = f"yes, {total} line{'s' if total != 1 else ''}" if total else "no"
            fields = {"count": total, "answer": bool(total)}
            return Value(answer, fields=fields, missing=unread(done))
        number = sum(result.count(self.ask) for result in done)
        text, missing = str(number), unread(done)
        return Value(text, number=text, fields={"count": number}, missing=missing)

    def lines(self, results: Sequence[Result]) -> Value:
        """The matching lines as `path:line:text`."""
        rows = [row for result in results for row in result.rows("matches")]
        found = [
            f"{row.get('path')}:{row.get('line')}:{str(row.get('text')).rstrip()}"
            for row in rows
        ]
        total = sum(result.count(COUNT_LINES) for result in results)
        return Value(
            "\n".join(found) or f"no line contains `{self.wanted.shown}`",
            number=str(total),
            items=found,
            fields={"count": total, "lines": found, "matches": found},
            missing=notes(
                left_out(total, len(found), "matching lines"), unread(results)
            ),
        )

    def files(self, results: Sequence[Result]) -> Value:
        """The files with a match, one per line."""
        rows = [row for result in results for row in result.rows("files")]
        found = [str(row.get("path")) for row in rows]
        total = sum(result.count(COUNT_FILES) for result in results)
        return Value(
            "\n".join(found) or f"no file contains `{self.wanted.shown}`",
            number=str(total),
            items=found,
            paths=found,
            fields={"count": total, "files": found, "paths": found},
            missing=notes(left_out(total, len(found), "files"), unread(results)),
        )


def _place_first(phrase: Phrase, selection: Selection) -> bool:
    """Takes an optional place before the verb: `which files in src mention X`."""
    start = phrase.at
    if not location(phrase, selection):
        phrase.at = start
    return True


def scope(phrase: Phrase, wanted: Pattern, selection: Selection) -> bool:
    """Takes where to search, and how; false for what a search cannot honour."""
    while case_words(phrase, wanted) or location(phrase, selection):
        pass
    modifiers(phrase, selection)
    case_words(phrase, wanted)
    return not (selection.filtered or selection.folders)


def _built(
    phrase: Phrase, wanted: Pattern | None, selection: Selection, ask: str
) -> Step | None:
    if wanted is None or not scope(phrase, wanted, selection):
        return None
    return SearchText(wanted, selection, ask)


def files_that_mention(phrase: Phrase) -> Step | None:
    """`which files mention X`, `find all Rust files containing X`."""
    selection = Selection()
    asks = bool(phrase.word("which", "what"))
    if not asks:
        phrase.says(*_SHOW)
        phrase.says("the names of", "the name of")
    if not nouns(phrase, selection) or selection.folders:
        return None
    _place_first(phrase, selection)
    if phrase.says("with"):
        token = phrase.peek()
        if token is None or not (
            token.kind in ("quoted", "code") or token.lower == "the"
        ):
            return None
        if phrase.says("the extension", "the name", "the suffix", "the prefix"):
            return None
    elif not phrase.says(*_CONTAIN):
        return None
    return _built(phrase, pattern(phrase), selection, FILES)


def where_it_occurs(phrase: Phrase) -> Step | None:
    """`in which files does X occur`, `where is X mentioned`, `does a.txt contain X`."""
    selection = Selection()
    if phrase.says("in which files", "in what files"):
        ask = FILES
    elif phrase.says("where"):
        ask = LINES
    elif phrase.says("does", "do"):
        if not places(phrase, selection) or not phrase.says(
            "contain", "mention", "include"
        ):
            return None
        return _built(phrase, pattern(phrase), selection, WHETHER)
    else:
        return None
    if not phrase.word("does", "do", "is", "are"):
        return None
    wanted = pattern(phrase)
    return _built(phrase, wanted, selection, ask) if phrase.says(*_OCCUR) else None


def lines_that_contain(phrase: Phrase) -> Step | None:
    """`show lines containing X in src`, `which lines of a.txt mention X`."""
    selection = Selection()
    if not phrase.says("which", "what"):
        phrase.says(*_SHOW)
    phrase.skip("all", "the", "every", "each", "of", "any")
    if phrase.word("lines", "line", "rows"):
        _place_first(phrase, selection)
        if not phrase.says("with", *_CONTAIN):
            return None
        return _built(phrase, pattern(phrase), selection, LINES)
    if phrase.says("occurrences of", "matches for", "matches of", "mentions of",
                   "instances of", "occurrence of", "places that mention"):  # fmt: skip
        return _built(phrase, pattern(phrase), selection, LINES)
    marker = todo_marker(phrase)
    return _built(phrase, marker, selection, LINES) if marker else None


def todo_marker(phrase: Phrase) -> Pattern | None:
    """Takes `TODOs` or `FIXME`, as people call what they search for."""
    token = phrase.peek()
    text = token.text.removesuffix("s") if token is not None else ""
    if text not in ("TODO", "FIXME", "XXX", "HACK"):
        return None
    phrase.at += 1
    return Pattern(text, literal=True)


def search_for(phrase: Phrase) -> Step | None:
    """`grep X in src`, `search the docs folder for X`, `find 'X' in src`."""
    selection = Selection()
    verb = phrase.says("grep", "search", "look", "rg", "find", "scan")
    if not verb:
        return None
    start = phrase.at
    if verb in ("search", "look", "scan", "find"):
        phrase.says("in", "through", "inside")
        if verb != "find" and _searched_place(phrase, selection):
            return _built(phrase, pattern(phrase), selection, LINES)
        phrase.at = start
        selection = Selection()
    flags = (
        phrase.word("-r", "-n", "-rn", "-nr", "-R", "-i", "-F")
        if verb in ("grep", "rg")
        else ""
    )
    asked = phrase.says("for")
    if verb == "look" and not asked:
        return None
    token = phrase.peek()
    wanted = pattern(phrase)
    if wanted is None or token is None:
        return None
    if verb in ("find", "search", "look") and wanted.literal and _names_a_file(token):
        return None
    if flags == "-i":
        wanted.ignore_case = True
    before = phrase.at
    if verb in ("grep", "rg") and places(phrase, selection):
        return _built(phrase, wanted, selection, LINES)
    phrase.at = before
    step = _built(phrase, wanted, selection, LINES)
    # "find X" with neither place nor quotes could as well mean a file of that name.
    placed = bool(selection.places or selection.refers or selection.name)
    return step if placed or verb != "find" else None


def _searched_place(phrase: Phrase, selection: Selection) -> bool:
    """Takes `src for`, `all Rust files for`."""
    start = phrase.at
    for parse in (nouns, places):
        phrase.at = start
        if parse(phrase, selection):
            modifiers(phrase, selection)
            if phrase.says("for"):
                return True
    return False


def _names_a_file(token: Token) -> bool:
    """Whether what is looked for could be the name of a file."""
    text = token.text
    return is_glob_word(text) or (" " not in text.strip() and looks_like_path(text))
