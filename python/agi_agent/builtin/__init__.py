"""The builtin model: answers plain tasks about files without network, key or weights.

It is the default when no model is configured. Like any chat model it is given the whole
conversation and answers with tool calls or a final text, and it keeps nothing between
two requests. It never guesses: what it does not understand completely it refuses, with
a word on how to connect a model. docs/builtin.md lists what it understands.

Does no I/O of its own, and does not read the system prompt: whatever the agent puts
there is for models that can follow it.
"""

from __future__ import annotations

from agi_agent import _json_text
from agi_agent._errors import OutsideBuiltinError
from agi_agent.builtin._conversation import Conversation
from agi_agent.builtin._memory import asked
from agi_agent.builtin._plan import plan
from agi_agent.builtin._replay import replay
from agi_agent.builtin._schema import fill
from agi_agent.builtin._step import NUMBER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from agi_agent._wire import ChatAnswer, ChatPayload, ModelRequest, Part
    from agi_agent.builtin._replay import Progress
    from agi_agent.builtin._step import Call, Step

__all__ = ["chat", "respond"]

NAME = "builtin"
_HINT = (
    "connect a model: set OPENAI_API_KEY or ANTHROPIC_API_KEY, or use "
    "`--model openai/NAME -c model.base_url=URL` for Ollama, llama.cpp or any "
    "compatible server"
)


def chat(payload: ChatPayload) -> ChatAnswer:
    """The operation `chat`: `respond` under the name by which Rust calls it."""
    return respond(payload["request"])


def respond(request: ModelRequest) -> ChatAnswer:
    """Takes the next turn in a conversation.

    Args:
        request: The whole conversation so far, and the tools on offer.

    Returns:
        Tool calls to be made, or the final answer.

    Raises:
        OutsideBuiltinError: The task is not one that this model understands completely,
            or needs a tool that is not offered.
    """
    conversation = Conversation(request)
    if conversation.has_image:
        message = "the builtin model does not look at pictures"
        raise _outside(message)
    attached = conversation.attached
    steps = plan(conversation.task, attached.kinds() if attached is not None else ())
    if steps is None:
        steps = _remembered(conversation)
    _require_tools(steps, conversation.tools)
    if not conversation.complete:
        message = "the conversation lacks results of calls that were made"
        raise _outside(message)
    progress = replay(steps, conversation.results, attached)
    if progress.calls:
        return _turn(_call_parts(progress.calls, conversation.calls), "tool_calls")
    text = _answer(progress)
    schema = request.get("output_schema")
    if schema is not None and not progress.failure:
        filled = fill(schema, progress.values[-1], text)
        if filled is not None:
            text = _json_text.dumps(filled)
    stop = "failed" if progress.failure else "end_turn"
    answer = _turn([{"type": "text", "text": text}], stop)
    answer["deltas"] = [{"type": "text", "text": text}]
    return answer


def _remembered(conversation: Conversation) -> list[Step]:
    """What is not understood may still be answered by the memory, word for word."""
    refusal = _outside(_cannot(conversation.task))
    step = asked(conversation.task, refusal)
    if step is None or not conversation.tools.issuperset(step.tools):
        raise refusal
    return [step]


def _cannot(task: str) -> str:
    shown = " ".join(task.split())
    shown = (
        shown if len(shown) <= 60 else shown[:59].rstrip() + "\N{HORIZONTAL ELLIPSIS}"
    )
    return (
        f"the builtin model does not understand `{shown}`: it does arithmetic, counts, "
        "finds, searches, shows, hashes and writes files, runs a command in "
        "`backquotes`, remembers and recalls"
    )


def _outside(message: str) -> OutsideBuiltinError:
    return OutsideBuiltinError(message, _HINT)


def _require_tools(steps: list[Step], offered: frozenset[str]) -> None:
    """Refuses a plan before its first step if a later one could not be done."""
    for step in steps:
        for tool in step.tools:
            if tool not in offered:
                message = (
                    f"this task needs the tool `{tool}`, which is not offered here"
                )
                raise _outside(message)


def _answer(progress: Progress) -> str:
    """The answers of the steps, one after the other."""
    said: list[str] = []
    for number, value in enumerate(progress.values):
        if _is_used_up(progress, number):
            continue
        said.append(value.text)
        if value.missing:
            said.append(value.missing)
    if progress.failure:
        said.append(progress.failure)
    if progress.left:
        said.append(f"not done: {progress.left} further step{'s'[: progress.left - 1]}")
    return "\n".join(said)


def _is_used_up(progress: Progress, number: int) -> bool:
    """Whether an answer went into a later one and would only be in its way.

    A single line is worth showing beside what was done with it, such as the file that
    was found or the number that was written; the operand of a calculation is not.
    """
    if progress.values[number].quiet and not progress.failure:
        return True
    needs = progress.used.get(number)
    if needs is None or progress.failure:
        return False
    value = progress.values[number]
    if all(kind in value.stays for kind in needs):
        return False
    return needs == (NUMBER,) or "\n" in value.text


def _call_parts(calls: list[Call], made: int) -> list[Part]:
    """Calls as parts of a message; ids go on from those already used."""
    return [
        {
            "type": "tool_call",
            "id": f"call_{made + number}",
            "name": call.name,
            "arguments": _json_text.dumps(call.arguments),
        }
        for number, call in enumerate(calls, start=1)
    ]


def _turn(parts: list[Part], stop: Any) -> ChatAnswer:
    return {
        "deltas": [],
        "reply": {
            "message": {"role": "assistant", "parts": parts},
            "stop": stop,
            "usage": {"input_tokens": 0, "output_tokens": 0},
            "model": NAME,
        },
    }
