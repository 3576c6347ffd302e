"""What is searched for: 'a quotation', TODO, the word cat, the regex `a.*b`.

A bare word is taken literally and exactly as it is typed; several words have to be
quoted, because where an unquoted text ends would be a guess.
"""

from __future__ import annotations

from agi_agent.builtin._language import CODE, QUOTED, WORD
from agi_agent.builtin._vocabulary import phrases, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agi_agent.builtin._language import Phrase

_TEXT_NOUNS = phrases(
    """
    the string | the text | the phrase | the term | the literal | the name |
    the identifier | the substring | string | text | phrase | term | the letters |
    the characters
    """
)
_WORD_NOUNS = phrases(
    """
    the whole word | the exact word | the word | whole word | word
    """
)
_REGEX_NOUNS = phrases(
    """
    the regex | the regexp | the regular expression | the pattern | regex | regexp |
    regular expression | pattern
    """
)
_SPECIAL = frozenset("\\.+*?()|[]{}^$#&-~")
_IGNORE_CASE = phrases(
    """
    ignoring case | ignoring the case | case insensitively | regardless of case |
    case-insensitively | case insensitive | case-insensitive | in any case |
    ignore case
    """
)
_NEVER_BARE = frozenset(
    words(
        """
    a an the any all some every each it them this that these those no not and or in
    on at of to for from with by is are was be both either more most less least only
    just what which who where when why how something anything everything nothing me
    my errors bugs mistakes typos problems issues files file lines line words word
    text code information info about related references usages uses following same
    such many much few several their its his her your our duplicate duplicates tests
    comments functions secrets passwords numbers digits emails urls links imports
    classes
    """
    )
)


class Pattern:
    """A text to search for.

    Attributes:
        text: The text, or the regular expression.
        literal: Whether it is searched as it stands.
        ignore_case: Whether upper and lower case are the same.
        shown: As the person wrote it, for messages.
    """

    __slots__ = ("ignore_case", "literal", "shown", "text")

    def __init__(self, text: str, *, literal: bool) -> None:
        """A case-sensitive pattern."""
        self.text = text
        self.literal = literal
        self.ignore_case = False
        self.shown = text


def pattern(phrase: Phrase) -> Pattern | None:
    """Takes what is searched for; None where that is not certain."""
    regex = bool(phrase.says(*_REGEX_NOUNS))
    whole = not regex and bool(phrase.says(*_WORD_NOUNS))
    named = regex or whole or bool(phrase.says(*_TEXT_NOUNS))
    token = phrase.peek()
    if token is None or not token.text or "\n" in token.text:
        return None
    certain = token.kind in (QUOTED, CODE)
    # TODO and MORE are meant as they stand; todo and more may be ordinary words.
    shouted = token.text.isupper() and len(token.text) > 1
    ordinary = token.lower in _NEVER_BARE and not named and not shouted
    if not certain and (token.kind != WORD or ordinary):
        return None
    phrase.at += 1
    if regex:
        return Pattern(token.text, literal=False) if certain else None
    if not whole:
        return Pattern(token.text, literal=True)
    found = Pattern(_whole_word(token.text), literal=False)
    found.shown = token.text
    return found


def case_words(phrase: Phrase, found: Pattern) -> bool:
    """Takes words that make the search ignore case."""
    start = phrase.at
    phrase.word(",", "(")
    if phrase.says(*_IGNORE_CASE):
        found.ignore_case = True
        return True
    phrase.at = start
    return False


def _whole_word(text: str) -> str:
    """A regular expression for a text that stands by itself."""
    escaped = "".join(
        "\\" + character if character in _SPECIAL else character for character in text
    )
    front = r"\b" if text[0].isalnum() or text[0] == "_" else ""
    back = r"\b" if text[-1].isalnum() or text[-1] == "_" else ""
    return front + escaped + back
