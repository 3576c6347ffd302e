"""Writing text to a file: "write 'hello' to notes.txt", "save the result to out.txt".

Only text that is certain is written: quoted, behind a colon, or the value of an earlier
step. "write documentation to README.md" is a task for another model, not for this one.
A file's text ends with a line break, so that a later line can be appended to it.
"""

from __future__ import annotations

from agi_agent.builtin._nouns import is_glob, path
from agi_agent.builtin._selection import reference
from agi_agent.builtin._step import PATHS, TEXT, Call, Step, StepFailed, Value, checked
from agi_agent.builtin._vocabulary import phrases, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agi_agent.builtin._language import Phrase
    from agi_agent.builtin._step import Run

_VERBS = words(
    """
    write save put store output append add print insert
    """
)
_RESULTS = phrases(
    """
    the result | the results | the answer | the output | the list | the number |
    the count | the total | the matches | the lines | the sum | the hash |
    the text | the value | the contents | the content | the names | the paths |
    the checksum | that number | that list | the outcome | the file names |
    the filenames | the first line | the last line | the hashes | that result |
    this result | the matching lines | the files | results | result | output
    """
)
# Words that can be meant only as they stand.
_PLAIN_WORDS = phrases(
    """
    hello world | hello | hi | ok | yes | no | true | false | done | foo | bar
    """
)
_TEXT_NOUNS = phrases(
    """
    the text | the line | the string | the word | the words | the phrase |
    the sentence | the content | the contents | text | content | contents |
    a line saying | a line that says | a line | the following text | the following
    """
)
_WITH = phrases(
    """
    containing | that contains | which contains | with | saying | that says |
    which says | that reads | and write | and put
    """
)


class WriteFile(Step):
    """Writes or appends text."""

    gives = (PATHS,)

    def __init__(
        self, file: str, text: str | None, *, append: bool = False, new: bool = False
    ) -> None:
        """Takes what to write where.

        Args:
            file: The path.
            text: The text; None for the value of an earlier step.
            append: Behind what the file has, instead of in its place.
            new: The file must not exist yet.
        """
        self.file = file
        self.text = text
        self.append = append
        self.new = new
        self.tools = ("file_stats", "file_write") if new else ("file_write",)
        self.needs = () if text is not None else (TEXT,)

    def run(self, given: Value | None) -> Run:
        """See `Step.run`."""
        text = self.text or ""
        if given is not None:
            value = given.whole()
            text = value.text if value.items is None else "\n".join(value.items)
        if text and not text.endswith("\n"):
            text += "\n"
        doing = f"write `{self.file}`"
        if self.new:
            results = yield [Call("file_stats", path=self.file)]
            if not results[0].is_error:
                message = f"cannot create `{self.file}`: it exists already"
                raise StepFailed(message)
        results = yield [
            Call("file_write", path=self.file, content=text, append=self.append or None)
        ]
        result = checked(results, doing)[0]
        size = result.count("bytes_written")
        verb = "appended" if self.append else "wrote"
        answer = f"{verb} {size} bytes to {self.file}"
        fields = {
            "bytes": size,
            "bytes_written": size,
            "path": self.file,
            "file": self.file,
        }
        return Value(answer, paths=[self.file], fields=fields)


def writing(phrase: Phrase) -> Step | None:
    """Takes a request to write, append to or create a file."""
    start = phrase.at
    for parse in (_creation, _write_text_to, _write_to_colon, _overwrite):
        phrase.at = start
        step = parse(phrase)
        if step is not None:
            return step
    return None


def _target(phrase: Phrase) -> str | None:
    """Takes `[a new file called] PATH`; never a wildcard."""
    phrase.skip("a", "the", "my", "our", "new", "existing")
    named = bool(phrase.says("text file", "file"))
    named = bool(phrase.word("called", "named")) or named
    file = path(phrase, bare=named)
    if file is None or is_glob(file) or file.endswith("/") or file in (".", ".."):
        return None
    phrase.word("file")
    return file


def _write_text_to(phrase: Phrase) -> Step | None:
    """`write 'x' to F`, `append the result to F`."""
    verb = phrase.word(*_VERBS)
    if not verb:
        return None
    text = _text(phrase)
    refers = text is None and _earlier(phrase)
    if text is None and not refers:
        return None
    end = phrase.says("to the end of", "at the end of", "onto the end of",
        "as a new line to", "as the last line of", "as a line to")  # fmt: skip
    if not end and not phrase.word("to", "into", "in", "as", "onto"):
        return None
    file = _target(phrase)
    if file is None:
        return None
    append = bool(end) or verb in ("append", "add", "insert")
    return (
        None if verb == "insert" and not end else WriteFile(file, text, append=append)
    )


def _text(phrase: Phrase) -> str | None:
    """Takes text that is certain: a quotation, a number or a plain word."""
    start = phrase.at
    phrase.says(*_TEXT_NOUNS)
    phrase.word(":")
    text = phrase.quoted()
    if text is not None:
        return text
    token = phrase.peek()
    if (
        token is not None
        and token.text.replace(".", "", 1).isdigit()
        and token.text.isascii()
    ):
        phrase.at += 1
        return token.text
    first = phrase.at
    if phrase.says(*_PLAIN_WORDS):
        return phrase.raw(first, phrase.at)
    phrase.at = start
    return None


def _earlier(phrase: Phrase) -> bool:
    """Takes words for the value of an earlier step."""
    ranked = phrase.ranked
    found = bool(phrase.says(*_RESULTS)) or reference(phrase)
    # "save the largest file to x" could mean its name or its text.
    return found and phrase.ranked is ranked


def _write_to_colon(phrase: Phrase) -> Step | None:
    """`write to F: some text`: everything up to the end of the line."""
    verb = phrase.word("write", "append", "add", "save")
    if not verb or not phrase.says("to the file", "to", "into"):
        return None
    file = _target(phrase)
    if file is None:
        return None
    phrase.says(
        "the text", "the following text", "the following", "the line", "the words"
    )
    quoted = phrase.quoted() if not phrase.word(":") else None
    if quoted is not None:
        return WriteFile(file, quoted, append=verb in ("append", "add"))
    if phrase.at == 0 or phrase.tokens[phrase.at - 1].lower != ":":
        return None
    text = phrase.quoted()
    if text is None:
        text = _rest_of_line(phrase)
    return WriteFile(file, text, append=verb in ("append", "add")) if text else None


def _overwrite(phrase: Phrase) -> Step | None:
    """`overwrite F with 'x'`, `replace the contents of F with 'x'`."""
    if not phrase.says("overwrite", "replace the contents of", "replace the content of",
            "overwrite the contents of"):  # fmt: skip
        return None
    file = _target(phrase)
    if file is None or not phrase.says("with", "by"):
        return None
    text = phrase.quoted()
    return WriteFile(file, text) if text is not None else None


def _rest_of_line(phrase: Phrase) -> str:
    first = phrase.at
    while not phrase.done and phrase.next_word() != "\n":
        phrase.at += 1
    return phrase.raw(first, phrase.at)


def _creation(phrase: Phrase) -> Step | None:
    """`create a file F containing 'x'`, `make an empty file F`, `touch F`."""
    if not phrase.word("create", "make", "add", "touch"):
        return None
    touched = phrase.tokens[phrase.at - 1].lower == "touch"
    phrase.skip("a", "an", "the", "new")
    empty = bool(phrase.word("empty", "blank")) or touched
    phrase.skip("new", "text")
    named = bool(phrase.word("file"))
    named = bool(phrase.word("called", "named", ":")) or named
    if not named and phrase.tokens[phrase.at - 1].lower in ("add", "make"):
        return None
    file = _target(phrase) if named else path(phrase, bare=False)
    if file is None or is_glob(file):
        return None
    if empty:
        return WriteFile(file, "", new=True)
    phrase.word(",")
    if phrase.word(":"):
        text = phrase.quoted() or _rest_of_line(phrase)
        return WriteFile(file, text, new=True) if text else None
    if not phrase.says(*_WITH):
        return None
    return _created_with(phrase, file)


def _created_with(phrase: Phrase, file: str) -> Step | None:
    start = phrase.at
    noun = phrase.says(*_TEXT_NOUNS)
    quoted = phrase.says(":") if noun else ""
    text = phrase.quoted()
    if text is None and noun.startswith("the ") and noun != "the following":
        # "with the text hello there": the person said that what follows is the text.
        text = _rest_of_line(phrase)
        return WriteFile(file, text, new=True) if text else None
    if text is None and not quoted:
        phrase.at = start
        text = _text(phrase)
    if text is not None:
        phrase.says("in it", "to it", "into it", "as its content", "inside")
        return WriteFile(file, text, new=True)
    return WriteFile(file, None, new=True) if _earlier(phrase) else None
