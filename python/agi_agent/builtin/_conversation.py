"""What a request of the agent loop holds: the task, the results so far, the tools.

The model keeps nothing between two requests, so the task is always the person's last
message and the results are those that came after it. Text of tool results is data:
nothing in this package reads it as a request.
"""

from __future__ import annotations

from agi_agent.builtin._step import Result, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agi_agent._wire import Message, ModelRequest

# How the agent loop begins when it asks for the JSON of an answer again
# (`agent::schema_repair`): the task is still the one before.
_REPAIR = "Your answer does not meet the required JSON Schema:"


class Conversation:
    """One request, taken apart.

    Attributes:
        task: The person's last message; empty if it is not text alone.
        has_image: Whether a picture came with it.
        attached: The one file or standard input that came with it, if there is one.
        results: What came of the calls since, in the order of the calls.
        calls: How many calls the whole conversation holds, for fresh ids.
        tools: Names of the tools on offer.
        complete: Whether every call since the task has its result.
    """

    def __init__(self, request: ModelRequest) -> None:
        """Reads a request; never fails on one that the loop can send."""
        messages = request["messages"]
        begin = _task_index(messages)
        texts = _texts(messages[begin]) if begin >= 0 else []
        self.task = texts[0] if texts else ""
        self.has_image = begin >= 0 and any(
            part["type"] == "image" for part in messages[begin]["parts"]
        )
        self.attached: Value | None = None
        if len(texts) == 2:
            self.attached = _attachment(texts[1])
        self.calls = sum(
            part["type"] == "tool_call"
            for message in messages
            for part in message["parts"]
        )
        self.tools = frozenset(tool["name"] for tool in request.get("tools", []))
        self.results: list[Result] = []
        self.complete = True
        self._collect(messages[begin + 1 :])

    def _collect(self, messages: list[Message]) -> None:
        came: dict[str, Result] = {}
        wanted: list[str] = []
        for message in messages:
            for part in message["parts"]:
                if part["type"] == "tool_call":
                    wanted.append(part["id"])
                elif part["type"] == "tool_result":
                    data = part.get("data")
                    came[part["call_id"]] = Result(
                        part["text"],
                        data if isinstance(data, dict) else {},
                        is_error=part.get("is_error", False),
                    )
        for call in wanted:
            if call in came:
                self.results.append(came[call])
            else:
                self.complete = False


def _task_index(messages: list[Message]) -> int:
    """Index of the person's last message that is a task; -1 if there is none."""
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        begin = "".join(_texts(message)[:1])
        if message["role"] == "user" and not begin.startswith(_REPAIR):
            return index
    return -1


def _texts(message: Message) -> list[str]:
    """The texts of a message: the task, then what is attached; empty with an image.

    The parts stay apart: what a file or standard input says is never read as a task.
    """
    texts: list[str] = []
    for part in message["parts"]:
        if part["type"] != "text":
            return []
        texts.append(part["text"])
    return texts


def _attachment(text: str) -> Value | None:
    """What `--stdin` or `--file` put behind the task (see `cli::task::gather`)."""
    head, newline, rest = text.partition("\n")
    if not newline:
        return None
    if head == "<stdin>" and rest.endswith("\n</stdin>"):
        value = Value(rest.removesuffix("\n</stdin>"))
        value.verbatim = True
        return value
    if head.startswith('<file path="') and rest.endswith("\n</file>"):
        path = head.removeprefix('<file path="').removesuffix('">')
        return Value(rest.removesuffix("\n</file>"), paths=[path])
    return None
