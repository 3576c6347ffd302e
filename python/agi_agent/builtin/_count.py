"""Counting: "how many lines are in README.md", "count the words in all .md files"."""

from __future__ import annotations

from agi_agent.builtin._listing import find_calls, found_total
from agi_agent.builtin._nouns import KINDS
from agi_agent.builtin._occurrence import (
    CONTAIN,
    how_often,
    matching_lines,
    occurrences,
    times,
    verbs,
)
from agi_agent.builtin._pattern import pattern
from agi_agent.builtin._search import (
    COUNT_FILES,
    SearchText,
    scope,
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
    unread,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from agi_agent.builtin._language import Phrase
    from agi_agent.builtin._step import Run

_UNITS = {
    "line": "lines", "lines": "lines", "word": "words", "words": "words",
    "char": "chars", "chars": "chars", "character": "chars", "characters": "chars",
    "byte": "bytes", "bytes": "bytes",
}  # fmt: skip
_WC = {"wc -l": "lines", "wc -w": "words", "wc -c": "bytes", "wc -m": "chars"}
_MAX_EARLIER = 200


class CountText(Step):
    """Counts lines, words, characters or bytes of files."""

    tools = ("file_stats",)

    def __init__(self, units: list[str], selection: Selection) -> None:
        """Counts `units` (`lines`, `words`, `chars`, `bytes`) over `selection`."""
        self.units = units
        self.selection = selection
        self.needs = (PATHS, TEXT) if selection.refers else ()
        self.gives = (TEXT, PATHS) if len(units) > 1 else (NUMBER, TEXT, PATHS)

    def run(self, given: Value | None) -> Run:
        """See `Step.run`."""
        roots = self.selection.roots
        if given is not None:
            if not given.paths:
                whole = given.whole()
                listed = whole.items
                text = whole.text if listed is None else "\n".join(listed)
                return self.of_text(text, verbatim=whole.verbatim)
            roots = list(given.whole().paths)
            if len(roots) > _MAX_EARLIER:
                message = f"cannot count {len(roots)} files one by one"
                raise StepFailed(message)
        name = self.selection.name
        results = yield [Call("file_stats", path=root, name=name) for root in roots]
        checked(
            results, f"count {self.selection.describe() if given is None else 'them'}"
        )
        rows = []
        for result in results:
            total = result.data.get("total")
            if not isinstance(total, dict):
                message = "the tool's result has no totals"
                raise StepFailed(message)
            rows.append({unit: int(total.get(unit, 0)) for unit in self.units})
        sums = {unit: sum(row[unit] for row in rows) for unit in self.units}
        text = self.say(sums)
        if len(rows) > 1:
            listed = [
                f"{self.say(row)} {root}" for row, root in zip(rows, roots, strict=True)
            ]
            text = "\n".join([*listed, f"{text} total"])
        value = self.value(text, sums, roots if name is None else [])
        value.missing = unread(results)
        return value

    def of_text(self, text: str, *, verbatim: bool) -> Value:
        """Counts what an earlier step printed, or what came with the task."""
        bare = not verbatim and bool(text) and not text.endswith("\n")
        counts = {
            "lines": text.count("\n") + bare,
            "words": len(text.split()),
            "chars": len(text),
            "bytes": len(text.encode("utf-8", "surrogatepass")),
        }
        sums = {unit: counts[unit] for unit in self.units}
        return self.value(self.say(sums), sums, [])

    def say(self, counts: dict[str, int]) -> str:
        """A bare number for one unit, else each with its name."""
        if len(self.units) == 1:
            return str(counts[self.units[0]])
        return ", ".join(f"{counts[unit]} {unit}" for unit in self.units)

    def value(self, text: str, sums: dict[str, int], paths: list[str]) -> Value:
        """The answer with its fields."""
        number = str(sums[self.units[0]]) if len(self.units) == 1 else ""
        fields: dict[str, object] = {**sums}
        if number:
            fields["count"] = sums[self.units[0]]
        return Value(text, number=number, paths=paths, fields=fields)


class CountFiles(Step):
    """Counts files or folders."""

    tools = ("file_find",)
    gives = (NUMBER, TEXT)

    def __init__(self, selection: Selection) -> None:
        """Counts `selection`."""
        self.selection = selection

    def run(self, given: Value | None) -> Run:
        """See `Step.run`."""
        results = yield find_calls(self.selection, limit=1)
        checked(results, f"count {self.selection.describe()}")
        number = found_total(results)
        text, fields = str(number), {"count": number, "files": number}
        return Value(text, number=text, fields=fields, missing=unread(results))


class CountItems(Step):
    """Counts what an earlier step listed: "count them"."""

    needs = (ITEMS,)
    gives = (NUMBER, TEXT)

    def run(self, given: Value | None) -> Run:
        """See `Step.run`."""
        yield from ()
        number = "0"
        if given is not None:
            number = given.number or str(len(given.whole().items or ()))
        return Value(number, number=number, fields={"count": int(number)})


def counting(phrase: Phrase) -> Step | None:
    """Takes any request for a number of something."""
    start = phrase.at
    if phrase.says("count how often", "count how frequently"):
        return how_often(phrase)
    if phrase.says("how many", "count how many"):
        return _first(
            phrase, times, matching_lines, occurrences, _units, _files, _items
        )
    phrase.at = start
    if phrase.says("how often", "how frequently"):
        return how_often(phrase)
    phrase.at = start
    if _number_of(phrase):
        return _first(phrase, matching_lines, occurrences, _units, _files, _items)
    phrase.at = start
    return _first(phrase, _terse, _size, _place_first)


def _first(phrase: Phrase, *parsers: Callable[[Phrase], Step | None]) -> Step | None:
    start = phrase.at
    for parse in parsers:
        phrase.at = start
        step = parse(phrase)
        if step is not None:
            return step
    return None


def _number_of(phrase: Phrase) -> bool:
    """Takes `count the`, `what is the number of`, `give me the total number of`."""
    if phrase.says("count up", "count"):
        phrase.skip("the", "all", "number", "of", "total", "up")
        return True
    phrase.says("what is", "give me", "get", "get me", "print", "show", "show me",
        "compute", "determine", "find out", "find", "report", "calculate")  # fmt: skip
    phrase.word("the")
    phrase.word("total", "exact", "overall")
    if phrase.says("number of", "count of", "amount of"):
        phrase.skip("the", "all")
        return True
    return False


def _implied(phrase: Phrase, selection: Selection) -> bool:
    """Nothing more is said: "run `ls` and count the lines" counts those it printed."""
    selection.refers = phrase.done or phrase.next_word() in (
        ",", ".", ";", "?", "!", "\n", "and", "then",
    )  # fmt: skip
    return selection.refers


def _asked(phrase: Phrase, selection: Selection) -> bool:
    """Takes `are in X`, `does X have`, `X`; false where nothing tells which files."""
    start = phrase.at
    if phrase.word("does", "do", "has", "have", "did"):
        if places(phrase, selection):
            if phrase.word(
                "have", "contain", "include", "hold", "has", "contains", "got"
            ):
                phrase.says("in total", "altogether", "in it")
                return True
            phrase.at = start
            return False
        selection.places, selection.refers = [], False
        phrase.at = start
    verbs(phrase)
    modifiers(phrase, selection)
    phrase.says("in total", "altogether", "total", "combined")
    said = bool(selection.places or selection.refers or selection.name)
    return said and not selection.filtered


def _unit_list(phrase: Phrase) -> list[str]:
    """Takes `lines`, or `lines, words and characters`."""
    units: list[str] = []
    while True:
        start = phrase.at
        if units:
            phrase.skip(",", "and", "&", "the")
        unit = phrase.word(*_UNITS)
        if not unit or _UNITS[unit] in units:
            phrase.at = start
            return units
        units.append(_UNITS[unit])


def _units(phrase: Phrase) -> Step | None:
    its = bool(phrase.word("its", "their"))
    units = _unit_list(phrase)
    if not units:
        return None
    selection = Selection()
    if its:
        selection.refers = True
        return CountText(units, selection)
    phrase.says("of code", "of text", "in total", "altogether")
    if phrase.says("of"):
        kind = phrase.word(*KINDS)
        if kind:
            selection.name = KINDS[kind]
            phrase.says("source code", "code", "source", "text")
        else:
            phrase.at -= 1
    after = phrase.at
    if not _asked(phrase, selection):
        phrase.at = after
        phrase.word("is", "are")
        if places(phrase, selection):
            phrase.says("have", "has", "contains", "contain")
        elif selection.name is None:
            phrase.at = after
            phrase.says("are there", "there are", "is that")
            if not _implied(phrase, selection):
                return None
    if selection.filtered or selection.folders:
        return None
    return CountText(units, selection)


def _files(phrase: Phrase) -> Step | None:
    selection = Selection()
    if not nouns(phrase, selection):
        return None
    start = phrase.at
    located = location(phrase, selection)
    if phrase.says(*CONTAIN) and not selection.folders:
        wanted = pattern(phrase)
        if wanted is None or not scope(phrase, wanted, selection):
            return None
        return SearchText(wanted, selection, COUNT_FILES)
    if not located:
        phrase.at = start
    if phrase.word("does", "do", "has"):
        if places(phrase, selection):
            if selection.refers or not phrase.word(
                "have", "contain", "include", "hold"
            ):
                return None
            modifiers(phrase, selection)
            return CountFiles(selection)
        phrase.at = start
    verbs(phrase)
    modifiers(phrase, selection)
    phrase.says("are there", "there", "in total", "altogether", "exist", "do we have")
    return None if selection.refers else CountFiles(selection)


def _items(phrase: Phrase) -> Step | None:
    """`count them`, `how many are there`."""
    if phrase.says("them", "those", "these", "the results", "the matches", "the files",
                   "results", "matches", "files", "are there", "of them are there",
                   "are they", "entries", "the entries"):  # fmt: skip
        return CountItems()
    return None


def _terse(phrase: Phrase) -> Step | None:
    """`line count of X`, `lines in X`, `words of X`."""
    phrase.says("what is", "give me", "get", "show me", "print")
    phrase.word("the")
    phrase.word("total")
    selection = Selection()
    if option := phrase.says(*_WC):
        return (
            CountText([_WC[option]], selection) if places(phrase, selection) else None
        )
    unit = phrase.word(*_UNITS)
    if not unit:
        return None
    counted = phrase.word("count", "counts")
    if not counted and not unit.endswith("s"):
        return None
    phrase.word(":")
    start = phrase.at
    if location(phrase, selection) or (counted and phrase.says("for")):
        if not (selection.places or selection.name or selection.refers):
            phrase.at = start + 1
            if not places(phrase, selection):
                return None
    elif not (counted and places(phrase, selection)):
        return None
    modifiers(phrase, selection)
    if selection.filtered or selection.folders:
        return None
    return CountText([_UNITS[unit]], selection)


def _place_first(phrase: Phrase) -> Step | None:
    """`README.md: how many lines?`, `in src, how many words are there`."""
    selection = Selection()
    if not location(phrase, selection) and not places(phrase, selection):
        return None
    phrase.word(":", ",")
    if selection.refers or not phrase.says("how many"):
        return None
    units = _unit_list(phrase)
    phrase.says("are there", "does it have", "are in it")
    return CountText(units, selection) if units and not selection.folders else None


def _size(phrase: Phrase) -> Step | None:
    """`how big is X`, `what is the size of X`."""
    selection = Selection()
    if not phrase.says("how big is", "how large is"):
        phrase.says("what is", "give me", "get", "show me", "tell me", "print")
        if not phrase.says("the size of", "the file size of", "size of", "file size of",
                           "the size in bytes of"):  # fmt: skip
            return None
    if not places(phrase, selection) or selection.name:
        return None
    return CountText(["bytes"], selection)
