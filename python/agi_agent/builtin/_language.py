"""Words of a request, and a cursor over them.

Knows nothing of tools or of what can be asked. Written without `re`, whose import would
cost more than a whole reply. Quoted text is one token and keeps its exact characters:
paths with spaces and text to be written come from there.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agi_agent.builtin._selection import Selection

WORD = "word"
QUOTED = "quoted"
CODE = "code"
MARK = "mark"

_SENTENCE_MARKS = ".,;:?!"
_CURLY_APOSTROPHE = "\N{RIGHT SINGLE QUOTATION MARK}"
_APOSTROPHES = ("'", _CURLY_APOSTROPHE)
_CLOSING = {
    '"': '"',
    "'": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": "\N{RIGHT DOUBLE QUOTATION MARK}",
    "\N{LEFT SINGLE QUOTATION MARK}": _CURLY_APOSTROPHE,
}
_SPLIT_WORDS = {
    "what's": ("what", "is"),
    "whats": ("what", "is"),
    "how's": ("how", "is"),
    "where's": ("where", "is"),
    "wheres": ("where", "is"),
    "who's": ("who", "is"),
    "when's": ("when", "is"),
    "which's": ("which", "is"),
    "howmany": ("how", "many"),
    "i'd": ("i", "would"),
    "it's": ("its",),
    "sha-256": ("sha256",),
    "sha-256sum": ("sha256sum",),
}


class Token:
    """One word, quotation, piece of code in backquotes, or sentence mark.

    Attributes:
        kind: `WORD`, `QUOTED`, `CODE` or `MARK`.
        text: As it was typed, without the quotes. A line break is a mark.
        lower: `text` in lower case for words and marks, empty otherwise, so that a
            quotation never matches a word of the grammar.
        start: Offset of its first character in the request, quote included.
        end: Offset behind its last character, quote included.
    """

    __slots__ = ("end", "kind", "lower", "start", "text")

    def __init__(self, kind: str, text: str, start: int, end: int) -> None:
        """See the attributes."""
        self.kind = kind
        self.text = text
        self.lower = text.lower() if kind in (WORD, MARK) else ""
        self.start = start
        self.end = end


def tokenise(source: str) -> list[Token]:
    """Splits a request into tokens.

    Args:
        source: What the person typed.

    Returns:
        The tokens in order. Never fails: an unclosed quote is an ordinary character.
    """
    return _Scanner(source).tokens


class _Scanner:
    """One pass over a request; linear in its length."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens: list[Token] = []
        # Quotes that were once found unclosed are unclosed from there on.
        self.unclosed: set[str] = set()
        at = 0
        while at < len(source):
            character = source[at]
            if character == "\n":
                self.tokens.append(Token(MARK, "\n", at, at + 1))
                at += 1
            elif character.isspace():
                at += 1
            elif character == "`":
                at = self._code(at)
            elif character in _CLOSING:
                at = self._quotation(at)
            else:
                at = self._word(at)

    def _code(self, at: int) -> int:
        fence = "```" if self.source.startswith("```", at) else "`"
        close = self._find(fence, at + len(fence))
        if close < 0:
            return self._word(at)
        end = close + len(fence)
        code = self.source[at + len(fence) : close].strip()
        self.tokens.append(Token(CODE, code, at, end))
        return end

    def _quotation(self, at: int) -> int:
        closing = _CLOSING[self.source[at]]
        close = self._find(closing, at + 1)
        if close < 0:
            return self._word(at)
        self.tokens.append(Token(QUOTED, self.source[at + 1 : close], at, close + 1))
        return close + 1

    def _find(self, closing: str, start: int) -> int:
        if closing in self.unclosed:
            return -1
        close = self.source.find(closing, start)
        if closing in _APOSTROPHES:
            # An apostrophe inside a word does not close: 'it's here' is one quotation.
            while close >= 0 and self.source[close + 1 : close + 2].isalnum():
                close = self.source.find(closing, close + 1)
        if close < 0:
            self.unclosed.add(closing)
        return close

    def _word(self, at: int) -> int:
        end = at + 1
        while end < len(self.source) and not self.source[end].isspace():
            character = self.source[end]
            if character in '`"' or (
                character == "'" and self.source[end - 1] in ",:;(="
            ):
                break
            end += 1
        for clause, clause_at in _split(self.source[at:end], at, ";"):
            if clause == ";" or is_grouped_number(clause.rstrip(_SENTENCE_MARKS)):
                self._piece(clause, clause_at)
                continue
            for text, text_at in _split(clause, clause_at, ","):
                self._piece(text, text_at)
        return end

    def _piece(self, text: str, start: int) -> None:
        """Appends one word and, as tokens of their own, the marks at its end."""
        size = len(text)
        follows_space = start == 0 or self.source[start - 1].isspace()
        if text.strip(".") or not follows_space:
            while size > 0 and text[size - 1] in _SENTENCE_MARKS:
                size -= 1
        if size:
            straight = text[:size].lower().replace(_CURLY_APOSTROPHE, "'")
            for word in _SPLIT_WORDS.get(straight, (text[:size],)):
                self.tokens.append(Token(WORD, word, start, start + size))
        for offset in range(size, len(text)):
            at = start + offset
            self.tokens.append(Token(MARK, text[offset], at, at + 1))


def _split(text: str, start: int, mark: str) -> list[tuple[str, int]]:
    """The parts of `text` between (and including) each `mark`, with their offsets."""
    parts: list[tuple[str, int]] = []
    for number, part in enumerate(text.split(mark)):
        if number:
            parts.append((mark, start))
            start += 1
        if part:
            parts.append((part, start))
        start += len(part)
    return parts


def is_grouped_number(text: str) -> bool:
    """Whether a text is a number with thousands separators, such as `1,250,000`."""
    groups = text.split(".")[0].split(",")
    return (
        len(groups) > 1
        and 1 <= len(groups[0]) <= 3
        and all(group.isascii() and group.isdigit() for group in groups)
        and all(len(group) == 3 for group in groups[1:])
    )


class Phrase:
    """A cursor over the tokens of a request.

    Attributes:
        source: The whole request, for exact text by offset.
        tokens: All tokens.
        at: Index of the next token. Parsers that fail may leave it anywhere;
            their caller puts it back.
        ranked: Where "the largest file in src" was read in place of a path, the
            superlative, and among which files.
    """

    __slots__ = ("at", "ranked", "source", "tokens")

    def __init__(self, source: str) -> None:
        """Tokenises `source` and stands at its beginning."""
        self.source = source
        self.tokens = tokenise(source)
        self.ranked: tuple[int, str, Selection] | None = None
        self.at = 0

    @property
    def done(self) -> bool:
        """Whether every token is used up."""
        return self.at >= len(self.tokens)

    def peek(self, ahead: int = 0) -> Token | None:
        """The token `ahead` places on, or None behind the end."""
        index = self.at + ahead
        return self.tokens[index] if index < len(self.tokens) else None

    def next_word(self) -> str:
        """The next word or mark in lower case; empty at the end or a quotation."""
        return self.tokens[self.at].lower if self.at < len(self.tokens) else ""

    def word(self, *choices: str) -> str:
        """Takes the next word if it is one of `choices`; returns it, or ""."""
        found = self.next_word()
        if found and found in choices:
            self.at += 1
            return found
        return ""

    def skip(self, *choices: str) -> None:
        """Takes as many of these words as there are."""
        while self.word(*choices):
            pass

    def says(self, *choices: str) -> str:
        """Takes the first of `choices` (each one or several words) that comes next."""
        for choice in choices:
            start = self.at
            if all(self.word(word) for word in choice.split(" ")):
                return choice
            self.at = start
        return ""

    def literal(self) -> str | None:
        """Takes a quotation or code and returns its exact text, else None."""
        token = self.peek()
        if token is None or token.kind not in (QUOTED, CODE):
            return None
        self.at += 1
        return token.text

    def quoted(self) -> str | None:
        """Takes a quotation (not code) and returns its exact text, else None."""
        token = self.peek()
        if token is None or token.kind != QUOTED:
            return None
        self.at += 1
        return token.text

    def raw(self, first: int, last: int) -> str:
        """The exact text from token `first` up to, not including, token `last`."""
        if first >= last:
            return ""
        return self.source[self.tokens[first].start : self.tokens[last - 1].end]
