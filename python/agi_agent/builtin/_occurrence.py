"""How often a text occurs: "how many TODOs are in src", "how many lines contain x"."""

from __future__ import annotations

from agi_agent.builtin._pattern import pattern
from agi_agent.builtin._search import (
    COUNT_LINES,
    COUNT_MATCHES,
    SearchText,
    scope,
    todo_marker,
)
from agi_agent.builtin._selection import Selection, location
from agi_agent.builtin._vocabulary import phrases

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agi_agent.builtin._language import Phrase
    from agi_agent.builtin._step import Step

CONTAIN = phrases(
    """
    contain | contains | containing | mention | mentions | mentioning | include |
    including | match | matching | that contain | which contain | that mention |
    that match | which mention | that include
    """
)
_OCCUR = phrases(
    """
    occur | occurs | appear | appears | show up | come up | mentioned | found | used
    """
)


def verbs(phrase: Phrase) -> None:
    """Takes the words between what is counted and where."""
    phrase.says("are there", "is there", "there are", "are", "is", "do we have",
        "do i have", "exist", "can be found", "do you see", "can you find",
        "have we got")  # fmt: skip
    phrase.says(
        "in total", "altogether", "present", "contained", "there", "total", "found"
    )


def matching_lines(phrase: Phrase) -> Step | None:
    """`lines contain X`, `lines in src contain X`."""
    selection = Selection()
    if not phrase.word("lines", "line"):
        return None
    phrase.says("are there", "are")
    start = phrase.at
    if not location(phrase, selection):
        phrase.at = start
    phrase.says("are there", "are")
    if not phrase.says(*CONTAIN, "with", "have", "that have"):
        return None
    wanted = pattern(phrase)
    if wanted is None or not scope(phrase, wanted, selection):
        return None
    return SearchText(wanted, selection, COUNT_LINES)


def occurrences(phrase: Phrase) -> Step | None:
    """`occurrences of X`, `TODOs`."""
    selection = Selection()
    if phrase.says("occurrences of", "matches for", "matches of", "instances of",
            "mentions of", "hits for", "occurrences for"):  # fmt: skip
        wanted = pattern(phrase)
    else:
        wanted = todo_marker(phrase)
    verbs(phrase)
    if wanted is None or not scope(phrase, wanted, selection):
        return None
    return SearchText(wanted, selection, COUNT_MATCHES)


def times(phrase: Phrase) -> Step | None:
    return how_often(phrase) if phrase.word("times") else None


def how_often(phrase: Phrase) -> Step | None:
    """`does X occur in src`, `is X mentioned in a.txt`."""
    selection = Selection()
    phrase.word("does", "do", "is", "are", "did")
    wanted = pattern(phrase)
    if wanted is None or not phrase.says(*_OCCUR):
        return None
    if not scope(phrase, wanted, selection):
        return None
    return SearchText(wanted, selection, COUNT_MATCHES)
