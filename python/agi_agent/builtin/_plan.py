"""From a request to its steps: all of them are understood, or none is done.

Each family takes as many words as it understands; what is left must be a connective and
a further step, or nothing. A request of which only the beginning is understood is
refused as a whole, before anything has happened.
"""

from __future__ import annotations

from agi_agent.builtin._arithmetic import calculation
from agi_agent.builtin._command import running
from agi_agent.builtin._count import counting
from agi_agent.builtin._digest import hashing
from agi_agent.builtin._find import (
    finding,
    finding_by_name,
    listing_folder,
    ranking,
    superlative,
    which_is_superlative,
)
from agi_agent.builtin._language import Phrase
from agi_agent.builtin._memory import recalling, remembering
from agi_agent.builtin._search import (
    files_that_mention,
    lines_that_contain,
    search_for,
    where_it_occurs,
)
from agi_agent.builtin._show import showing
from agi_agent.builtin._step import PATHS
from agi_agent.builtin._vocabulary import phrases
from agi_agent.builtin._write import writing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from agi_agent.builtin._selection import Selection
    from agi_agent.builtin._step import Step

# A request may hold text to be written or remembered; beyond this it is not for us.
MAX_REQUEST = 200_000
# Without such text a request is short; longer ones are stories, not tasks.
_MAX_TOKENS = 2_000
_MAX_STEPS = 12
# Words before a step that say nothing; more of them are no request.
_MAX_POLITE = 12

_FAMILIES = (
    running,
    remembering,
    calculation,
    counting,
    writing,
    hashing,
    superlative,
    which_is_superlative,
    files_that_mention,
    lines_that_contain,
    where_it_occurs,
    finding,
    finding_by_name,
    search_for,
    listing_folder,
    showing,
    recalling,
)
_POLITE_START = phrases(
    """
    please could you | please can you | can you please | could you please |
    would you please | will you please | can you tell me | could you tell me |
    can you | could you | would you | will you | i would like you to |
    i would like to know | i want you to | i want to know | i need you to |
    i need to know | i would like to | i want to see | let me know | tell me |
    do you know | do you happen to know | please tell me | please | kindly | just |
    quickly | hi there | hi | hello there | hello | hey there | hey | ok | okay |
    so | now | well | also | thanks | good morning | go ahead and | help me |
    try to | your task is to | task | question | q | agent | , | : | ! | and | -
    """
)
_POLITE_END = (
    *phrases(
        """
    please | thanks | thank you | thank you very much | thanks a lot | many thanks |
    for me | if you can | if possible | right now | now | cheers | exactly |
    currently | at the moment | as well | too | again | in total | altogether |
    thx | pls | plz | , | . | ? | ! | very much | out | so far | today? | instead?
    """
    ),
    "\n",
)
_ORDINALS = phrases(
    """
    first of all | first | firstly | second | secondly | third | thirdly | finally |
    lastly | next | then | after that | afterwards | step
    """
)
_THEN = phrases(
    """
    and then | and after that | and finally | and afterwards | and lastly |
    and next | and also | then | after that | afterwards | finally | lastly | next |
    and | after which | followed by | plus | &
    """
)
_MARKS = (",", ";", ".", "\n", ":", "?", "!")


class _Memo:
    """Positions from which no step could be read: looked at once, not again."""

    def __init__(self) -> None:
        self.failed: set[int] = set()


def plan(text: str, attached: tuple[str, ...] = ()) -> list[Step] | None:
    """Reads a request.

    Args:
        text: What the person wrote.
        attached: What a step can take from a text that came with the request.

    Returns:
        The steps in order, or None if any part of it is not understood.
    """
    if len(text) > MAX_REQUEST:
        return None
    phrase = Phrase(text)
    if len(phrase.tokens) > _MAX_TOKENS:
        return None
    steps = _steps(phrase, _Memo(), _MAX_STEPS)
    if not steps or not _references_hold(steps, attached) or not _places_hold(steps):
        return None
    return steps


def _steps(phrase: Phrase, memo: _Memo, room: int) -> list[Step] | None:
    """The steps from here to the end; None if there is a part that is none."""
    if room == 0:
        return None
    for _ in range(_MAX_POLITE):
        start = phrase.at
        if phrase.done or start in memo.failed:
            return None
        memo.failed.add(start)
        for family in _FAMILIES:
            phrase.at, phrase.ranked = start, None
            step = family(phrase)
            if step is None or phrase.at == start:
                continue
            found = _with_ranked(phrase, step, start)
            after = phrase.at
            if found and _skip_end(phrase):
                return found
            phrase.at = after
            if found and _skip_connective(phrase):
                rest = _steps(phrase, memo, room - 1)
                if rest is not None:
                    return [*found, *rest]
        phrase.at = start
        if not _skip_polite(phrase):
            return None
    return None


def _with_ranked(phrase: Phrase, step: Step, start: int) -> list[Step]:
    """The step, behind the one that finds "the largest file" it speaks of."""
    if phrase.ranked is None or not start <= phrase.ranked[0] < phrase.at:
        return [step]
    _, word, selection = phrase.ranked
    first = ranking(word, 1, selection, quiet=True)
    return [first, step] if first is not None and PATHS in step.needs else []


def _skip_polite(phrase: Phrase) -> bool:
    """Passes over one greeting, ordinal or other word before the verb."""
    phrase.skip("\n", "*")
    if _is_list_number(phrase):
        return True
    if phrase.says("show me", "give me", "find out", "check", "determine", "see"):
        # "show me how many …" asks; anything else was tried with these words.
        return phrase.next_word() in ("how", "what", "which", "where")
    return bool(phrase.says(*_POLITE_START) or phrase.says(*_ORDINALS))


def _is_list_number(phrase: Phrase) -> bool:
    """Takes the number of a list's entry: `1.` or `2)`."""
    token, mark = phrase.peek(), phrase.peek(1)
    if token is None or not token.text.rstrip(")").isdigit():
        return False
    if token.text.endswith(")"):
        phrase.at += 1
        return True
    if mark is not None and mark.text == "." and mark.start == token.end:
        phrase.at += 2
        return True
    return False


def _skip_end(phrase: Phrase) -> bool:
    """Passes over what may come after the last step; whether that is all there is."""
    while phrase.says(*_POLITE_END):
        pass
    return phrase.done


def _skip_connective(phrase: Phrase) -> bool:
    """Passes over `, and then`, `;`, `. Finally`; false if nothing connects."""
    start = phrase.at
    phrase.says("please", "for me")
    while phrase.word(*_MARKS):
        pass
    while phrase.says(*_THEN):
        phrase.skip(",")
    return phrase.at > start and not phrase.done


def _references_hold(steps: Sequence[Step], attached: tuple[str, ...]) -> bool:
    """Whether every "it" has something before it that gives what is meant."""
    return all(
        not step.needs
        or source_of(steps, number) is not None
        or any(kind in attached for kind in step.needs)
        for number, step in enumerate(steps)
    )


def _places_hold(steps: Sequence[Step]) -> bool:
    """Whether it is clear where each step looks.

    In "count the lines in src, and which file is the largest" the second part could
    mean in `src` or everywhere.
    """
    placed = False
    for step in steps:
        selection: Selection | None = getattr(step, "selection", None)
        if selection is None:
            continue
        if placed and not (selection.places or selection.refers):
            return False
        folders = [path for path in selection.places if "." not in path.strip("./")]
        placed = placed or (bool(folders) and folders != ["."])
    return True


def source_of(steps: Sequence[Step], number: int) -> int | None:
    """Which earlier step "it" means: the nearest that gives what the step needs.

    Args:
        steps: All steps.
        number: Index of the step that refers.

    Returns:
        The index of the step it refers to, or None (what is attached is meant then).
    """
    needs = steps[number].needs
    for earlier in range(number - 1, -1, -1):
        if any(kind in steps[earlier].gives for kind in needs):
            return earlier
    return None
