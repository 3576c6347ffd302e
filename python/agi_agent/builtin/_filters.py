"""What narrows a selection: size, age and name, as people say them."""

from __future__ import annotations

import time

from agi_agent.builtin._language import WORD
from agi_agent.builtin._nouns import age_text, byte_size, is_glob, seconds, span
from agi_agent.builtin._vocabulary import phrases

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agi_agent.builtin._language import Phrase
    from agi_agent.builtin._selection import Selection

_BIGGER = phrases(
    """
    bigger than | larger than | greater than | heavier than | more than | over |
    above | exceeding | that exceed | of more than | of over | with more than |
    beyond
    """
)
_SMALLER = phrases(
    """
    smaller than | less than | lighter than | under | below | of less than |
    with less than | of under
    """
)
_AT_LEAST = ("at least", "of at least", "no smaller than", "not smaller than")
_AT_MOST = phrases(
    """
    at most | up to | no bigger than | no larger than | not bigger than |
    not larger than
    """
)
_CHANGED = ("modified", "changed", "edited", "updated", "touched", "written to")
_WITHIN = phrases(
    """
    in the last | in the past | within the last | within the past |
    during the last | in last | over the last | the last | less than | within |
    in the previous | during the past
    """
)


def by_size(phrase: Phrase, selection: Selection) -> bool:
    if phrase.word("empty") and selection.max_size is None:
        selection.max_size = 0
        return True
    if phrase.says("between"):
        low = byte_size(phrase)
        high = byte_size(phrase) if phrase.word("and") else None
        if low is None or high is None:
            return False
        selection.min_size, selection.max_size = low, high
        return True
    for said, shift, is_min in (
        (_BIGGER, 1, True),
        (_SMALLER, -1, False),
        (_AT_LEAST, 0, True),
        (_AT_MOST, 0, False),
    ):
        start = phrase.at
        if phrase.says(*said):
            size = byte_size(phrase)
            if size is not None:
                phrase.says("in size", "large", "big", "long")
                return _bound(selection, max(size + shift, 0), is_min=is_min)
        phrase.at = start
    return False


def _bound(selection: Selection, size: int, *, is_min: bool) -> bool:
    taken = selection.min_size if is_min else selection.max_size
    if taken is not None:
        return False
    if is_min:
        selection.min_size = size
    else:
        selection.max_size = size
    return True


def by_age(phrase: Phrase, selection: Selection) -> bool:
    negated = bool(phrase.says("not"))
    changed = bool(phrase.says(*_CHANGED))
    newer = older = None
    if not negated and phrase.says("newer than", "younger than", "more recent than"):
        newer = _moment(phrase)
    elif not negated and phrase.says("older than"):
        older = _moment(phrase)
    elif not changed:
        return False
    elif not negated and phrase.says("today"):
        newer = _midnight(0)
    elif phrase.says("since", "after"):
        newer = _moment(phrase)
    elif phrase.says("before"):
        older = _moment(phrase)
    elif phrase.says("more than"):
        older = age_text(length) if (length := seconds(phrase)) else None
        if not phrase.says("ago"):
            return False
    elif phrase.says(*_WITHIN) or (negated and phrase.says("for", "in")):
        length = span(phrase)
        newer = age_text(length) if length else None
        phrase.says("ago")
    if negated:
        newer, older = older, newer
    if (newer is None) == (older is None):
        return False
    if (newer and selection.newer) or (older and selection.older):
        return False
    selection.newer = newer or selection.newer
    selection.older = older or selection.older
    return True


def _midnight(days: int) -> str:
    """When the day that was so many days ago began here, in RFC 3339."""
    today = time.localtime()
    date_then = (today.tm_year, today.tm_mon, today.tm_mday - days)
    now = time.localtime(time.mktime((*date_then, 0, 0, 0, 0, 0, -1)))
    hours, minutes = divmod(abs(now.tm_gmtoff) // 60, 60)
    sign = "-" if now.tm_gmtoff < 0 else "+"
    date = f"{now.tm_year:04}-{now.tm_mon:02}-{now.tm_mday:02}"
    return f"{date}T00:00:00{sign}{hours:02}:{minutes:02}"


def _moment(phrase: Phrase) -> str | None:
    """Takes `2 days`, `a week ago`, `yesterday` or the date `2026-01-31`."""
    if phrase.says("yesterday"):
        return _midnight(1)
    if phrase.says("today"):
        return _midnight(0)
    token = phrase.peek()
    if token is not None and len(token.text) == 10 and token.text[4::3] == "--":
        if token.text.replace("-", "").isdigit():
            phrase.at += 1
            return token.text
        return None
    length = seconds(phrase)
    phrase.says("ago", "old")
    return age_text(length) if length else None


def by_name(phrase: Phrase, selection: Selection) -> bool:
    """Takes `named X`, `ending in .x`, `with the extension x`, `starting with x`."""
    before, after = "", ""
    said = phrase.says( "named", "called", "matching", "ending in", "ending with",
        "ends with", "end in", "end with", "with extension", "with the extension",
        "with an extension of", "whose name ends with", "whose names end with",
        "starting with", "beginning with", "whose name starts with",
        "whose names start with", "whose name contains", "whose names contain",
        "with a name containing", "whose name is", "with the name", "with suffix",
        "with the suffix", "with prefix", "with the prefix", )  # fmt: skip
    token = phrase.peek()
    if not said or token is None or token.kind == "mark" or selection.name is not None:
        return False
    text = token.text.strip()
    if (
        not text
        or "/" in text
        or (token.kind == WORD and text.lower() in ("a", "an", "the"))
    ):
        return False
    if "extension" in said:
        before, text = "*.", text.removeprefix("*").removeprefix(".")
    elif "end" in said.split()[-2:][0] or "suffix" in said:
        before, text = "*", text.removeprefix("*")
    elif "start" in said or "beginning" in said or "prefix" in said:
        after, text = "*", text.removesuffix("*")
    elif "contain" in said:
        before = after = "*"
    elif said == "matching" and not is_glob(text):
        return False
    phrase.at += 1
    selection.name = before + text + after
    return True
