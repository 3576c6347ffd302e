"""What a plan is made of: steps, the tool calls they make and the values they yield.

A step is a generator: it yields the calls it wants made, is sent their results and
returns a value. So a plan can be replayed from the results that are already in the
conversation, and nothing has to be kept between two requests.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    Run = Generator["list[Call]", "list[Result]", "Value"]

# What a later step can take from an earlier one ("it", "the result", "them").
NUMBER = "number"
TEXT = "text"
ITEMS = "items"
PATHS = "paths"

# How the note ends that files or folders could not be read.
_UNREAD = " could not be read)"


class Call:
    """A tool call to be made.

    Attributes:
        name: The tool's name.
        arguments: Its arguments, ready for JSON.
    """

    __slots__ = ("arguments", "name")

    def __init__(self, name: str, /, **arguments: object) -> None:
        """Leaves out arguments that are None."""
        self.name = name
        self.arguments = {
            key: value for key, value in arguments.items() if value is not None
        }


class Result:
    """What came of a call.

    Attributes:
        text: What the tool said.
        data: The same as data; empty where the tool gave none.
        is_error: The call failed or was declined.
    """

    __slots__ = ("data", "is_error", "text")

    def __init__(
        self, text: str, data: Mapping[str, object], *, is_error: bool
    ) -> None:
        """See the attributes."""
        self.text = text
        self.data = data
        self.is_error = is_error

    def count(self, key: str) -> int:
        """A number of the data.

        Raises:
            StepFailed: The tool did not report it.
        """
        value = self.data.get(key)
        if not isinstance(value, int):
            message = f"the tool's result has no `{key}`"
            raise StepFailed(message)
        return value

    def string(self, key: str) -> str:
        """A text of the data; empty where it is missing."""
        value = self.data.get(key)
        return value if isinstance(value, str) else ""

    def rows(self, key: str) -> list[Mapping[str, object]]:
        """A list of objects of the data; empty where it is missing."""
        value = self.data.get(key)
        return (
            [row for row in value if isinstance(row, dict)]
            if isinstance(value, list)
            else []
        )

    def flag(self, key: str) -> bool:
        """Whether a truth value of the data is set."""
        return self.data.get(key) is True


class StepFailed(Exception):  # noqa: N818 - not an error of ours: a tool said no
    """A step cannot be finished; its text says what failed and why, in one line."""


class Value:
    """What a step found out.

    Attributes:
        text: The answer as a person reads it, without a final newline.
        number: The answer as a decimal number, where it is one.
        items: The answer's entries, where it is a list.
        paths: The files it is about.
        fields: The same by name, for `--output-schema`.
        missing: Why the value is not whole ("" when it is): such a value is shown, with
            this note, but never written to a file or counted.
        quiet: It was asked for only on the way to a later one, and is not shown.
        verbatim: The text is somebody's own to the last byte: where it ends without a
            newline, its last line is none (as for `wc` and for files).
        stays: What a later step can take of it and leave the text worth reading: it
            was asked for to be seen.
    """

    __slots__ = (
        "fields",
        "items",
        "missing",
        "number",
        "paths",
        "quiet",
        "stays",
        "text",
        "verbatim",
    )

    def __init__(
        self,
        text: str,
        *,
        number: str = "",
        items: Sequence[str] | None = None,
        paths: Sequence[str] = (),
        fields: Mapping[str, object] | None = None,
        missing: str = "",
    ) -> None:
        """See the attributes."""
        self.text = text
        self.number = number
        self.items = items
        self.paths = paths
        self.fields = fields or {}
        self.missing = missing
        self.quiet = False
        self.verbatim = False
        self.stays: tuple[str, ...] = ()

    def kinds(self) -> tuple[str, ...]:
        """What a later step can take from this value."""
        return (TEXT, PATHS) if self.paths else (TEXT,)

    def counts(self) -> bool:
        """Whether its numbers hold: they do for a list that is only cut."""
        return not self.missing.endswith(_UNREAD)

    def whole(self) -> Value:
        """This value, if it is whole.

        Raises:
            StepFailed: It is not.
        """
        if self.missing:
            message = f"an earlier result is not whole {self.missing}"
            raise StepFailed(message)
        return self


class Step:
    """One thing to do.

    Attributes:
        tools: The tools it may call.
        gives: What a later step can take from its value.
        needs: What it takes from an earlier value, any of these; empty for nothing.
    """

    tools: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    def run(self, given: Value | None) -> Run:
        """Does the step.

        Args:
            given: The earlier value it refers to, if `needs` is not empty.

        Yields:
            Calls to be made; their results are sent back in the same order.

        Returns:
            What was found out.

        Raises:
            StepFailed: A tool failed or was declined.
        """
        raise NotImplementedError


def checked(results: Sequence[Result], doing: str) -> Sequence[Result]:
    """The results, if all calls went well.

    Args:
        results: Results of calls.
        doing: What the calls were for, for the message: "count `README.md`".

    Raises:
        StepFailed: A call failed or was declined; names what and why.
    """
    for result in results:
        if result.is_error:
            reason = " ".join(result.text.split()).removeprefix("error: ")
            reason = reason or "no reason was given"
            message = f"cannot {doing}: {reason}"
            raise StepFailed(message)
    return results


def left_out(total: int, shown: int, noun: str) -> str:
    """The note under a list that is not whole; empty if it is."""
    return (
        f"({total - shown} more of {total} {noun} not shown)" if total > shown else ""
    )


def unread(results: Sequence[Result]) -> str:
    """The note that files or folders could not be read; empty if all could."""
    total = 0
    for result in results:
        number = result.data.get("unread")
        total += number if isinstance(number, int) else 0
    return f"({total}{_UNREAD}" if total else ""


def notes(*texts: str) -> str:
    """Notes as one; empty if all are."""
    return " ".join(text for text in texts if text)
