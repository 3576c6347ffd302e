"""Numbers, sizes, ages, kinds of files and paths, as people write them."""

from __future__ import annotations

from agi_agent.builtin._language import CODE, MARK, QUOTED, WORD
from agi_agent.builtin._vocabulary import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agi_agent.builtin._language import Phrase, Token

_ONES = words(
    """
    zero one two three four five six seven eight nine ten eleven twelve thirteen
    fourteen fifteen sixteen seventeen eighteen nineteen
    """
)
_TENS = words(
    """
    twenty thirty forty fifty sixty seventy eighty ninety
    """
)
NUMBER_WORDS = {word: number for number, word in enumerate(_ONES)}
NUMBER_WORDS.update((word, 20 + 10 * number) for number, word in enumerate(_TENS))

# Decimal where people write decimal units, binary where they write binary ones; a bare
# `k`, `m`, `g` is binary, as it is for `find` and `ls`.
_SIZE_UNITS = {
    **dict.fromkeys(words("b byte bytes"), 1),
    **dict.fromkeys(words("kb kilobyte kilobytes"), 10**3),
    **dict.fromkeys(words("mb megabyte megabytes"), 10**6),
    **dict.fromkeys(words("gb gigabyte gigabytes"), 10**9),
    **dict.fromkeys(words("k kib kibibyte kibibytes"), 1 << 10),
    **dict.fromkeys(words("m mib mebibyte mebibytes"), 1 << 20),
    **dict.fromkeys(words("g gib gibibyte gibibytes"), 1 << 30),
}
_AGE_UNITS = {
    **dict.fromkeys(words("s sec secs second seconds"), 1),
    **dict.fromkeys(words("min mins minute minutes"), 60),
    **dict.fromkeys(words("h hr hrs hour hours"), 3600),
    **dict.fromkeys(words("d day days"), 86_400),
    **dict.fromkeys(words("w week weeks"), 7 * 86_400),
    **dict.fromkeys(words("month months"), 30 * 86_400),
    **dict.fromkeys(words("year years"), 365 * 86_400),
}

# What each word for a kind of file means; extensions themselves are added below.
KINDS = dict(
    pair.split(":")
    for pair in words(
        """
        rust:*.rs python:*.py markdown:*.md javascript:*.js golang:*.go java:*.java
        kotlin:*.kt swift:*.swift ruby:*.rb perl:*.pl lua:*.lua php:*.php shell:*.sh
        bash:*.sh c:*.c c#:*.cs header:*.h text:*.txt log:*.log notebook:*.ipynb
        """
    )
)
KINDS["c++"] = "*.{cpp,cc,cxx}"
KINDS["typescript"] = "*.{ts,tsx}"
KINDS["yaml"] = "*.{yaml,yml}"
KINDS["html"] = "*.{html,htm}"
KINDS["image"] = "*.{png,jpg,jpeg,gif,webp,svg}"
_EXTENSIONS = frozenset(
    words(
        """
    py rs md js ts tsx go java kt rb sh c h cpp txt log toml json jsonl yaml yml ini
    cfg conf csv tsv xml html css sql svg png jpg jpeg gif pdf lock proto ipynb rst
    tex
    """
    )
)

# Words that are never a path unless they are quoted.
_NOT_A_PATH = frozenset(
    words(
        """
    a an the and or but not no none nor then than that this these those it its them
    they their there here he she his her i me my mine we us our you your who whom
    whose which what when where why how all any some each every both few more most
    many much other such only same so too very is are was were be been being am do
    does did done has have had having can could will would shall should may might
    must in on at by for with without about against between into through during
    before after above below to from up down out off over under again further once
    of as if because while until except excluding including since per via file files
    folder folders directory directories dir dirs line lines word words character
    characters char chars byte bytes number count total result results output answer
    list text string content contents first last next finally second third please
    thanks thank just also now today yesterday everything anything something nothing
    one two three repo repository project workspace codebase tree order case way
    detail details general particular memory english german french spanish chinese
    japanese alphabetical reverse place time case-insensitively recursively modified
    changed newer older bigger larger smaller largest biggest smallest newest latest
    oldest longest shortest code
    """
    )
)
# Words that begin a further step: they end a list of bare names.
VERBS = frozenset(
    words(
        """
    show print display cat read open list find search grep count write save append
    add put store create make run execute hash compute calculate tell give remember
    recall what which how multiply divide subtract sum delete remove rename move
    copy edit replace change fix explain summarize summarise translate refactor sort
    send email upload download install build test commit push explain describe check
    verify compare get output report look locate return update convert format rank
    name note forget double halve square keep let use open close kill stop start ask
    say do
    """
    )
)
_NAMES_WITHOUT_DOT = frozenset(
    words(
        """
    readme makefile license licence dockerfile changelog authors copying gemfile
    rakefile procfile jenkinsfile vagrantfile justfile contributing
    """
    )
)


def whole_number(phrase: Phrase) -> int | None:
    """Takes a whole number in digits or as a word up to ninety."""
    token = phrase.peek()
    if token is None or token.kind != WORD:
        return None
    digits = token.text.replace(",", "")
    if digits.isascii() and digits.isdigit() and len(digits) <= 12:
        phrase.at += 1
        return int(digits)
    number = NUMBER_WORDS.get(token.lower)
    if number is not None:
        phrase.at += 1
    return number


def _quantity(phrase: Phrase, units: dict[str, int]) -> int | None:
    """Takes `2 days`, `1.5MB`, `an hour`: amount times unit, rounded down."""
    token = phrase.peek()
    if token is None or token.kind != WORD:
        return None
    if token.lower in ("a", "an", "one"):
        digits, unit = "1", ""
    elif token.lower in NUMBER_WORDS:
        digits, unit = str(NUMBER_WORDS[token.lower]), ""
    else:
        text = token.lower.replace(",", "")
        size = 0
        while size < len(text) and text[size] in "0123456789.":
            size += 1
        digits, unit = text[:size], text[size:]
    phrase.at += 1
    factor = units.get(unit or phrase.word(*units))
    whole, _, fraction = digits.partition(".")
    if factor is None or not whole.isdigit() or len(digits) > 12:
        return None
    if fraction and not fraction.isdigit():
        return None
    return int(whole + fraction) * factor // int(10 ** len(fraction))


def byte_size(phrase: Phrase) -> int | None:
    """Takes a size with its unit and returns bytes; None without a unit."""
    return _quantity(phrase, _SIZE_UNITS)


def seconds(phrase: Phrase) -> int | None:
    """Takes a span of time with its unit and returns seconds.

    A month is 30 days and a year 365.
    """
    return _quantity(phrase, _AGE_UNITS)


def span(phrase: Phrase) -> int | None:
    """Takes what follows "in the last": `2 days`, or a unit alone for one of it."""
    unit = phrase.word("hour", "day", "week", "month", "year", "minute")
    return _AGE_UNITS[unit] if unit else seconds(phrase)


def age_text(span_seconds: int) -> str:
    """A span in the words of the file tools: `2d`, `3h`, `90s`."""
    for letter, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if span_seconds and span_seconds % size == 0:
            return f"{span_seconds // size}{letter}"
    return f"{span_seconds}s"


def is_glob(text: str) -> bool:
    """Whether a name has wildcards."""
    return "*" in text or "?" in text or ("[" in text and "]" in text)


def looks_like_path(text: str) -> bool:
    """Whether an unquoted word can only be meant as a path."""
    if text in (".", "..") or text.lower() in _NAMES_WITHOUT_DOT:
        return True
    if "://" in text or "@" in text or any(mark in text for mark in "()=<>|&;$%^"):
        return False
    if text.startswith(("/", "./", "../", "~/")) or text.endswith("/"):
        return True
    stem, dot, extension = text.rpartition(".")
    if dot and extension.isalnum() and not extension.isdigit():
        return not stem.isdigit() or "/" in stem
    return "/" in text and not text.replace("/", "").isdigit()


def is_bare_name(token: Token) -> bool:
    """Whether a plain word may be a file or folder where a place is expected."""
    body = token.text.replace("_", "").replace("-", "")
    return (
        token.kind == WORD
        and body.isalnum()
        and token.text[0] != "-"
        and not body.isdigit()
        and token.lower not in _NOT_A_PATH
    )


def path(phrase: Phrase, *, bare: bool) -> str | None:
    """Takes a path: quoted, looking like one, or (with `bare`) a plain name."""
    token = phrase.peek()
    if token is None or token.kind == MARK:
        return None
    quoted = token.kind in (QUOTED, CODE) and bool(token.text.strip())
    if quoted and "\n" not in token.text and "\0" not in token.text:
        phrase.at += 1
        return token.text.strip()
    if token.kind == WORD and "\0" not in token.text:
        likely = looks_like_path(token.text) or is_glob_word(token.text)
        if likely or (bare and is_bare_name(token)):
            phrase.at += 1
            return token.text
    return None


def is_glob_word(text: str) -> bool:
    """Whether an unquoted word is a pattern such as `*.py` or `src/**/*.rs`."""
    return (
        is_glob(text)
        and ("." in text or "/" in text or text == "*")
        and not any(mark in text for mark in "()=<>|&;$%^+")
    )


def file_kind(phrase: Phrase) -> str | None:
    """Takes a kind of file (`Rust`, `.md`, `*.py`, `toml`) and returns its glob."""
    token = phrase.peek()
    if token is None or token.kind == MARK:
        return None
    text, lower = token.text, token.text.lower()
    glob: str | None = None
    if token.kind != WORD:
        glob = text if is_glob(text) and "/" not in text else None
        if text.startswith(".") and text[1:].isalnum():
            glob = "*" + text
    elif is_glob_word(text) and "/" not in text:
        glob = text
    elif text.startswith(".") and text[1:].replace(".", "").isalnum():
        glob = "*" + text
    elif lower in KINDS:
        glob = KINDS[lower]
    elif lower in _EXTENSIONS:
        glob = "*." + lower
    if glob is not None:
        phrase.at += 1
    return glob


def is_bare_glob(token: Token | None) -> bool:
    """Whether a token is a wildcard pattern that needs no noun after it."""
    return token is not None and is_glob(token.text) and token.kind != MARK
