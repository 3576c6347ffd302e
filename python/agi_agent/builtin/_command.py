"""Running a command: "run `git status`". Only what stands in backquotes is run."""

from __future__ import annotations

from agi_agent.builtin._language import CODE
from agi_agent.builtin._step import TEXT, Call, Step, StepFailed, Value, checked
from agi_agent.builtin._vocabulary import phrases, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agi_agent.builtin._language import Phrase
    from agi_agent.builtin._step import Result, Run

_HEADS = phrases(
    """
    run the shell command | run the command | run this command | run the program |
    run this | run | execute the shell command | execute the command |
    execute this command | execute this | execute | exec | launch |
    show me the output of | show the output of | print the output of |
    give me the output of | get the output of | what is the output of |
    the output of | output of | what does the command | what does | show me what |
    call | invoke | do | start
    """
)
_ASKS = words(
    """
    print output say show return give prints outputs says yield
    """
)


class RunCommand(Step):
    """Runs one command in the shell."""

    tools = ("shell",)
    gives = (TEXT,)

    def __init__(self, command: str) -> None:
        """Takes the command as it was typed."""
        self.command = command

    def run(self, given: Value | None) -> Run:
        """See `Step.run`."""
        results = yield [Call("shell", command=self.command)]
        result = results[0]
        if result.is_error and "exit_code" not in result.data:
            checked(results, f"run `{self.command}`")
        output = result.string("stdout").rstrip("\n")
        errors = result.string("stderr").rstrip("\n")
        ended = _ended(result)
        if ended:
            said = "\n".join(part for part in (output, errors) if part)
            message = f"`{self.command}` {ended}"
            raise StepFailed(f"{message}\n{said}" if said else message)
        fields = {"exit_code": 0, "stdout": output, "output": output, "stderr": errors}
        return Value(
            output or errors or f"`{self.command}` printed nothing",
            items=output.split("\n") if output else [],
            fields=fields,
            missing=_cut(result),
        )


def _ended(result: Result) -> str:
    """How a command that did not succeed ended; empty for success."""
    if result.flag("timed_out"):
        return "was ended by the time limit"
    signal = result.data.get("signal")
    if signal is not None:
        return f"was ended by signal {signal}"
    code = result.data.get("exit_code")
    return "" if code == 0 else f"failed with exit code {code}"


def _cut(result: Result) -> str:
    """The note for output of which the middle was left out."""
    total = result.data.get("stdout_bytes")
    kept = len(result.string("stdout").encode("utf-8", "surrogatepass"))
    if isinstance(total, int) and total > kept:
        return f"(the command printed {total} bytes; not all of them are here)"
    return ""


def _goes_on(phrase: Phrase) -> bool:
    """Whether a command stands right before: "run `a`, `b` and then `c`"."""
    at = phrase.at - 1
    while at > 0 and phrase.tokens[at].lower in (",", ";", "and", "then"):
        at -= 1
    return 0 < at < phrase.at - 1 and phrase.tokens[at].kind == CODE


def running(phrase: Phrase) -> Step | None:
    """Takes a request to run the command in backquotes."""
    head = phrase.says(*_HEADS)
    token = phrase.peek()
    if token is None or not (head or _goes_on(phrase)):
        return None
    if token.lower == ":":
        phrase.at += 1
        token = phrase.peek()
    if token is None or token.kind != CODE or not token.text or "\0" in token.text:
        return None
    phrase.at += 1
    phrase.says("command", "in the shell", "in a shell", "in the terminal")
    asked = phrase.says(*_ASKS)
    if head in ("what does", "what does the command", "show me what") and not asked:
        return None
    if not asked:
        phrase.says("and show me the output", "and show the output",
            "and print the output", "and show me the result", "and show the result",
            "and give me the output", "and tell me the output",
            "and show me what it prints", "and tell me what it prints",
            "and tell me the result", "and give me the result")  # fmt: skip
    return RunCommand(token.text)
