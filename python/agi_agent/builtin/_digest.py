"""Hashes: "sha256 of README.md", "hash all *.toml files"."""

from __future__ import annotations

from agi_agent.builtin._selection import Selection, modifiers, nouns, places
from agi_agent.builtin._step import (
    ITEMS,
    PATHS,
    TEXT,
    Call,
    Step,
    Value,
    checked,
    left_out,
)
from agi_agent.builtin._vocabulary import phrases

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agi_agent.builtin._language import Phrase
    from agi_agent.builtin._step import Run

_HEADS = phrases(
    """
    what is | what are | give me | show me | show | print | get | compute |
    calculate | tell me | generate | find | output | display | determine | take |
    make
    """
)
_NAMES = phrases(
    """
    sha256 hashes | sha256 checksums | sha256 sums | sha256 hash | sha256 checksum |
    sha256 digest | sha256 sum | sha256sum | sha256 | sha 256 hash |
    sha 256 checksum | sha 256 sum | sha 256 | sha2 hash | checksums | checksum |
    hashes | hash | digest | hash value | hash sum
    """
)


class HashFiles(Step):
    """SHA-256 of files."""

    tools = ("file_stats",)
    gives = (TEXT, ITEMS, PATHS)

    def __init__(self, selection: Selection) -> None:
        """Hashes `selection`."""
        self.selection = selection
        self.needs = (PATHS,) if selection.refers else ()

    def run(self, given: Value | None) -> Run:
        """See `Step.run`."""
        roots = self.selection.roots if given is None else list(given.whole().paths)
        name = self.selection.name
        results = yield [
            Call("file_stats", path=root, name=name, hash="sha256") for root in roots
        ]
        what = self.selection.describe() if given is None else "it"
        checked(results, f"hash {what}")
        rows = [row for result in results for row in result.rows("files")]
        pairs = [(str(row.get("sha256") or ""), str(row.get("path"))) for row in rows]
        pairs = [pair for pair in pairs if pair[0]]
        totals = [result.data.get("total") for result in results]
        known = sum(
            int(total.get("files", 0)) for total in totals if isinstance(total, dict)
        )
        listed = [f"{digest}  {file}" for digest, file in pairs]
        hashes = [digest for digest, _ in pairs]
        text = "\n".join(listed) or "no files found"
        fields: dict[str, object] = {
            "hashes": hashes,
            "files": [file for _, file in pairs],
        }
        if len(pairs) == 1 and name is None:
            text = hashes[0]
            fields.update(sha256=text, hash=text, path=pairs[0][1], checksum=text)
        missing = left_out(known, len(pairs), "files")
        files = [file for _, file in pairs]
        return Value(text, items=hashes, paths=files, fields=fields, missing=missing)


def hashing(phrase: Phrase) -> Step | None:
    """Takes a request for the SHA-256 of files."""
    selection = Selection()
    start = phrase.at
    headed = phrase.says(*_HEADS)
    phrase.word("the", "a", "its")
    its = bool(
        phrase.tokens
        and phrase.at > start
        and phrase.tokens[phrase.at - 1].lower == "its"
    )
    if not phrase.says(*_NAMES):
        return None
    if its:
        selection.refers = True
        return HashFiles(selection)
    of = phrase.word("of", "for", "on")
    if not of and headed:
        return None
    phrase.says("the contents of", "the content of")
    after = phrase.at
    if not nouns(phrase, selection):
        phrase.at = after
        if not places(phrase, selection):
            return None
    modifiers(phrase, selection)
    # Without a name a folder cannot be told from a file here, and the tool says so.
    return None if selection.filtered or selection.folders else HashFiles(selection)
