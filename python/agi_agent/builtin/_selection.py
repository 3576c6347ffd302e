"""Which files a request is about: "all *.py under src bigger than 1 MB".

A selection is parsed completely or not at all: a word that is not understood is left to
the plan, which then refuses the request. Nothing here looks at the file system.
"""

from __future__ import annotations

from agi_agent.builtin._filters import by_age, by_name, by_size
from agi_agent.builtin._language import MARK, WORD
from agi_agent.builtin._nouns import (
    VERBS,
    file_kind,
    is_bare_glob,
    is_bare_name,
    is_glob,
    is_glob_word,
    looks_like_path,
    path,
)
from agi_agent.builtin._superlative import SUPERLATIVE_WORDS
from agi_agent.builtin._vocabulary import phrases, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agi_agent.builtin._language import Phrase

_INTO = words(
    """
    in inside within under underneath below from of across throughout at beneath
    through
    """
)
_ALL = words(
    """
    all every each any the of my our available existing different regular
    """
)
_FILE_NOUNS = ("files", "file", "scripts", "script", "sources", "modules")
_FOLDER_NOUNS = words(
    """
    folders directories subfolders subdirectories dirs folder directory subdirs
    """
)
_PLACE_NOUNS = words(
    """
    folder directory dir tree subtree subdirectory subfolder
    """
)
_HERE = phrases(
    """
    here | this folder | this directory | this dir | this project | this repo |
    this repository | this workspace | this tree | this codebase | this code base |
    the current folder | the current directory | the current working directory |
    the current dir | the working directory | the workspace | the project |
    the repo | the repository | the codebase | the code base | the whole project |
    the whole repo | the whole repository | the whole tree | the entire project |
    the entire repo | the entire repository | the source tree | the tree |
    current directory | current folder | cwd | my project | my repo | our repo |
    our project | project | repo | the current project | the current repo |
    the folder | the directory
    """
)
_REFERENCES = phrases(
    """
    it | them | this text | that text | that file | this file | those files |
    these files | the files |
    each of them | all of them | each file | the file | that one | that | this |
    these | those | the result | the results | the output | the text | the input |
    standard input | stdin
    """
)


class Selection:
    """Files or folders by place, name, size and age.

    Attributes:
        places: Files or folders to look in; empty means the working directory.
        refers: Whether it means files of an earlier step ("them", "in it").
        name: Glob of the file name; one with a slash is matched against the path.
        folders: Folders are meant, not files.
        min_size: Bytes, inclusive.
        max_size: Bytes, inclusive.
        newer: Changed since: a span (`2d`) or a date.
        older: Not changed since, likewise.
    """

    __slots__ = ("folders", "max_size", "min_size", "name", "newer", "older",
                 "places", "refers")  # fmt: skip

    def __init__(self) -> None:
        """Everything in the working directory."""
        self.places: list[str] = []
        self.refers = False
        self.name: str | None = None
        self.folders = False
        self.min_size: int | None = None
        self.max_size: int | None = None
        self.newer: str | None = None
        self.older: str | None = None

    @property
    def filtered(self) -> bool:
        """Whether size or age matter: only `file_find` can do that."""
        bounds = (self.min_size, self.max_size, self.newer, self.older)
        return any(bound is not None for bound in bounds)

    @property
    def roots(self) -> list[str]:
        """Where to look; at least one."""
        return self.places or ["."]

    def describe(self) -> str:
        """The selection in a few words, for messages."""
        places = ", ".join(f"`{place}`" for place in self.places) or "this folder"
        if self.name is None and not self.folders and not self.filtered:
            return places
        what = f"`{self.name}`" if self.name else "folders" if self.folders else "files"
        return f"{what} in {places}"


def reference(phrase: Phrase) -> bool:
    """Takes words that mean the files or value of an earlier step."""
    start = phrase.at
    if phrase.says(*_HERE):
        phrase.at = start
        return False
    if _ranked(phrase):
        return True
    phrase.at = start
    found = phrase.says(*_REFERENCES)
    if found in ("the file", "that", "this", "these", "those"):
        token = phrase.peek()
        named = token is not None and (
            token.kind not in (WORD, MARK)
            or (token.kind == WORD and looks_like_path(token.text))
            or is_bare_name(token)
        )
        if named and not (token and token.lower in VERBS):
            phrase.at = start
            return False
    return bool(found)


def _ranked(phrase: Phrase) -> bool:
    """Takes `the largest Rust file in src`; the plan finds that file first."""
    start = phrase.at
    phrase.word("the")
    word = phrase.says(*SUPERLATIVE_WORDS)
    inner = Selection()
    if not word or not nouns(phrase, inner) or inner.folders:
        return False
    modifiers(phrase, inner)
    phrase.ranked = (start, word, inner)
    return True


def place(phrase: Phrase, *, bare: bool = True) -> str | None:
    """Takes one file or folder: `the src folder`, `README.md`, `this directory`."""
    start = phrase.at
    if phrase.says(*_HERE):
        token = phrase.peek()
        if token is None or token.kind == MARK:
            return "."
        if token.kind == WORD and not looks_like_path(token.text):
            return "."
        phrase.at = start
    phrase.skip("the", "my", "our", "this")
    named = bool(phrase.word("file", *_PLACE_NOUNS))
    if named:
        phrase.says("called", "named")
    found = path(phrase, bare=bare or named)
    if found is None:
        phrase.at = start
        return None
    if not named:
        phrase.word("file", *_PLACE_NOUNS)
    return found


def places(phrase: Phrase, selection: Selection) -> bool:
    """Takes a list of files or folders, or words for those of an earlier step."""
    if reference(phrase):
        selection.refers = True
        return not selection.places
    first = place(phrase)
    if first is None or selection.places:
        return False
    found = [first]
    while True:
        start = phrase.at
        comma = phrase.word(",")
        also = phrase.word("and", "&", "plus")
        token = phrase.peek()
        sure = token is not None and (token.kind != WORD or looks_like_path(token.text))
        listed = token is not None and token.lower not in VERBS and _ends_after(phrase)
        further = place(phrase) if (comma or also) and (sure or listed) else None
        if further is None:
            phrase.at = start
            break
        found.append(further)
    return _accept(selection, found)


def _ends_after(phrase: Phrase) -> bool:
    """Whether a bare name here would end the list."""
    token = phrase.peek(1)
    return token is None or token.lower in ("and", ",", "?", ".", ";", "\n", "then",
            "folder", "directory")  # fmt: skip


def _accept(selection: Selection, found: list[str]) -> bool:
    """Puts places into the selection; a wildcard among them becomes its name."""
    wild = [text for text in found if is_glob(text)]
    if not wild:
        selection.places = found
        return True
    if len(found) > 1 or selection.name is not None:
        return False
    name = wild[0].removeprefix("./")
    if name.startswith(("/", "..")):
        # A glob holds below its root, so the folder above has to be the root.
        folder, _, last = name.rpartition("/")
        root, _, inner = folder.rpartition("/")
        if not root or inner == ".." or is_glob(folder):
            return False
        name = f"{inner}/{last}"
        selection.places = [root]
    selection.name = name
    return bool(name)


def nouns(phrase: Phrase, selection: Selection) -> bool:
    """Takes `all Rust files`, `every *.py`, `the empty folders`."""
    start = phrase.at
    phrase.skip(*_ALL)
    if phrase.word("empty"):
        selection.max_size = 0
    token = phrase.peek()
    if token is not None and "/" in token.text and is_glob_word(token.text):
        phrase.at += 1
        phrase.word(*_FILE_NOUNS)
        return selection.name is None and _accept(selection, [token.text])
    bare_glob = is_bare_glob(token)
    kind = file_kind(phrase)
    bare_glob = bare_glob and kind is not None
    phrase.word("source", "text") if kind else phrase.skip("of")
    if kind and phrase.word("code"):
        noun = "files"
    else:
        noun = phrase.word(*_FILE_NOUNS, *_FOLDER_NOUNS)
    if (not noun and not bare_glob) or (kind and selection.name is not None):
        phrase.at = start
        selection.max_size = None
        return False
    if noun in ("file", "folder", "directory") and _names_one(phrase):
        phrase.at = start
        return False
    if noun in ("scripts", "script", "modules", "sources") and kind is None:
        phrase.at = start
        return False
    selection.folders = noun in _FOLDER_NOUNS
    selection.name = kind or selection.name
    return not (selection.folders and selection.max_size == 0)


def _names_one(phrase: Phrase) -> bool:
    """Whether a path follows directly: `the file README.md`."""
    token = phrase.peek()
    return token is not None and (
        token.kind in ("quoted", "code")
        or (
            token.kind == WORD
            and (looks_like_path(token.text) or is_glob_word(token.text))
        )
    )


def location(phrase: Phrase, selection: Selection) -> bool:
    """Takes `in src`, `under the docs folder`, `in all .md files`, `here`."""
    start = phrase.at
    if not selection.places and phrase.says("here", "in here"):
        selection.places = ["."]
        return True
    phrase.word(
        "located", "found", "stored", "living", "anywhere", "somewhere", "recursively"
    )
    if phrase.word(*_INTO):
        inner = phrase.at
        if nouns(phrase, selection):
            return True
        phrase.at = inner
        if places(phrase, selection):
            return True
    phrase.at = start
    return False


def modifiers(phrase: Phrase, selection: Selection) -> None:
    """Takes everything that narrows the selection, in any order."""
    while True:
        start = phrase.at
        phrase.word(",")
        phrase.word("and", "but")
        phrase.word("that", "which")
        phrase.skip(
            "are", "is", "were", "was", "have", "has", "been", "got", "weigh", "named"
        )
        again = phrase.at
        for parse in (by_size, by_age, by_name, location):
            phrase.at = again
            if parse(phrase, selection):
                break
        else:
            phrase.at = start
            if phrase.at < again and phrase.tokens[again - 1].lower == "named":
                phrase.at = again - 1
                if by_name(phrase, selection):
                    continue
            phrase.at = start
            if not phrase.word("recursively"):
                return
