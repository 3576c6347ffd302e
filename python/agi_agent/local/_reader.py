"""What a model writes, read as it comes: thoughts, text, tool calls.

Marks of the family split the stream; what may turn out to be a mark is held back until
it is decided. Arguments are passed on while they are written. What looks like a call
and is none stays text: nothing is lost.
"""

from __future__ import annotations

import re

from agi_agent.local._conversation import call_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    from agi_agent._wire import Part, TextDelta, ToolCallDelta
    from agi_agent.local._families import Family

    State = Literal["start", "text", "thought", "head", "arguments", "tail"]
    Delta = TextDelta | ToolCallDelta

_THINK, _THOUGHT = "<think>", "</think>"
_LONGEST_HEAD = 400
"""Characters from a mark to the arguments; more is text."""
_JSON_HEAD = (
    r'\{\s*(?:"type"\s*:\s*"function"\s*,\s*)?"name"\s*:\s*"([^"]*)"\s*,\s*'
    r'"(?:arguments|parameters)"\s*:\s*(?=\{)'
)
_BARE_HEAD = re.compile(r"\s*(?:<\|python_tag\|>)?(?:```\w*\s*)?" + _JSON_HEAD)
_LISTED_HEAD = re.compile(r"[\s\[,]*" + _JSON_HEAD)
_TAGGED_HEAD = re.compile(r"\s*" + _JSON_HEAD)
_SEPARATE_HEAD = re.compile(r"\s*([^\s\[{]+)\s*(?:\[CALL_ID\]\w*)?\[ARGS\]\s*(?=\{)")
_LISTED_TAIL = re.compile(r'(?:\s*,\s*"id"\s*:\s*"[^"]*")?\s*\}\s*(\]|,\s*(?=\{))?')
_BARE_BEGINNINGS = ('{"name":"', '{"type":"function","name":"')


class Reader:
    """Turns pieces of text into deltas, and in the end into the parts of a message."""

    def __init__(
        self,
        family: Family,
        tools: list[str],
        *,
        thinking: bool = False,
        calls_before: int = 0,
    ) -> None:
        """Stand at the beginning of an answer.

        Args:
            family: How calls are written.
            tools: Names on offer; without any, nothing is a call.
            thinking: The prompt has opened the thoughts already.
            calls_before: Calls in the conversation, for the numbers of new ones.
        """
        self.parts: list[Part] = []
        self._family = family
        self._tools = frozenset(tools)
        self._state: State = "thought" if thinking else "start"
        self._buffer = ""
        self._calls_before = calls_before
        self._calls = 0
        self._scanner = _Scanner()
        self._out: list[Delta] = []

    @property
    def in_call(self) -> bool:
        """Whether a call was begun and has not ended."""
        return self._state == "arguments"

    def feed(self, text: str) -> list[Delta]:
        """Take what was written since; gives what it means."""
        self._buffer += text
        self._out = []
        while self._step(last=False):
            pass
        return self._out

    def finish(self) -> list[Delta]:
        """Take the end: what was held back is what it is."""
        self._out = []
        while self._step(last=True):
            pass
        if self._state == "arguments":
            # Cut in the middle: it must never be carried out.
            self.parts.pop()
        return self._out

    def _step(self, *, last: bool) -> bool:
        """Do what can be done; True where the state has changed and there is more."""
        if self._state == "start":
            return self._start(last)
        if self._state == "thought":
            return self._thought(last)
        if self._state == "text":
            return self._text(last)
        if self._state == "head":
            return self._head(last)
        if self._state == "arguments":
            return self._arguments()
        return self._tail(last)

    def _start(self, last: bool) -> bool:
        text = self._buffer.lstrip()
        if text.startswith(_THINK):
            self._buffer = text[len(_THINK) :]
            self._state = "thought"
            return True
        if not last and (not text or _THINK.startswith(text)):
            return False
        bare = self._tools and not self._family.opens
        if bare and _may_be_call(text):
            self._state = "head"
            return True
        if bare and not last and _may_become_call(text):
            return False
        self._state = "text"
        self._buffer = text
        return True

    def _thought(self, last: bool) -> bool:
        before, mark, after = self._buffer.partition(_THOUGHT)
        if mark:
            self._say("reasoning", before.rstrip("\n"))
            self._buffer = after.lstrip()
            self._state = "start"
            return bool(self._buffer) or last
        held = 0 if last else _held(self._buffer, (_THOUGHT,))
        if not last:
            # Blank lines before the mark are not part of the thought.
            solid = self._buffer[: len(self._buffer) - held].rstrip("\n")
            held = len(self._buffer) - len(solid)
        self._say("reasoning", self._take(len(self._buffer) - held))
        return False

    def _text(self, last: bool) -> bool:
        mark = self._family.opens if self._tools else ""
        at = self._buffer.find(mark) if mark else -1
        if at >= 0:
            self._say("text", self._take(at).rstrip())
            self._buffer = self._buffer[len(mark) :]
            self._state = "head"
            return True
        held = 0 if last or not mark else _held(self._buffer, (mark,))
        if mark and not last:
            # Blanks before a call are not part of the text.
            held = len(self._buffer) - len(self._buffer[: -held or None].rstrip())
        self._say("text", self._take(len(self._buffer) - held))
        return False

    def _head(self, last: bool) -> bool:
        match = self._head_pattern().match(self._buffer)
        if match is not None and (self._family.opens or match[1] in self._tools):
            self._begin_call(match[1])
            self._buffer = self._buffer[match.end() :]
            return True
        if not last and match is None and len(self._buffer) < _LONGEST_HEAD:
            return False
        # No call after all: the mark is text, too.
        self._say("text", self._family.opens + self._take(len(self._buffer)))
        self._state = "text"
        return False

    def _head_pattern(self) -> re.Pattern[str]:
        if self._family.separate:
            return _SEPARATE_HEAD
        if self._family.listed:
            return _LISTED_HEAD
        return _TAGGED_HEAD if self._family.opens else _BARE_HEAD

    def _begin_call(self, name: str) -> None:
        self._calls += 1
        self._scanner = _Scanner()
        self._state = "arguments"
        self.parts.append(
            {
                "type": "tool_call",
                "id": call_id(self._calls_before + self._calls),
                "name": name,
                "arguments": "",
            }
        )
        self._delta(name, "")

    def _arguments(self) -> bool:
        if not self._buffer:
            return False
        used = self._scanner.feed(self._buffer)
        piece = self._take(used)
        part = self.parts[-1]
        if part["type"] == "tool_call":
            part["arguments"] += piece
            self._delta(part["name"], piece)
        if not self._scanner.done:
            return False
        self._state = "tail"
        return True

    def _tail(self, last: bool) -> bool:
        """Behind the arguments: what closes the call, then another or text."""
        family = self._family
        if family.listed:
            match = _LISTED_TAIL.match(self._buffer)
            if match is None or match[1] is None:
                return False
            self._buffer = self._buffer[match.end() :]
            self._state = "head" if match[1].startswith(",") else "text"
            return True
        text = self._buffer.lstrip() if family.separate else self._buffer
        closing = "" if family.separate else "}"
        if closing:
            text = text.lstrip()
            if not text.startswith(closing):
                return False
            text = text[1:].lstrip()
            wanted = family.closes or ("```" if "`" in text[:1] else "")
            if wanted and not last and wanted.startswith(text) and text != wanted:
                return False
            text = text.removeprefix(wanted)
        text = text.lstrip(" \n\t;")
        if not text and not last:
            return False
        self._buffer = text
        self._state = "text" if family.opens else "start"
        return bool(text)

    def _take(self, count: int) -> str:
        piece, self._buffer = self._buffer[:count], self._buffer[count:]
        return piece

    def _say(self, kind: Literal["text", "reasoning"], text: str) -> None:
        last = self.parts[-1] if self.parts else None
        if kind == "reasoning" and (last is None or last["type"] != kind):
            text = text.lstrip("\n")
        if not text:
            return
        self._out.append({"type": kind, "text": text})
        if last is not None and last["type"] in ("text", "reasoning"):
            same = last["type"] == kind
            if same:
                last["text"] += text
                return
        part: Any = {"type": kind, "text": text}
        self.parts.append(part)

    def _delta(self, name: str, piece: str) -> None:
        self._out.append(
            {
                "type": "tool_call",
                "index": self._calls - 1,
                "name": name,
                "arguments": piece,
            }
        )


class _Scanner:
    """Finds the end of a JSON object."""

    def __init__(self) -> None:
        self.done = False
        self._depth = 0
        self._in_string = False
        self._escaped = False

    def feed(self, text: str) -> int:
        """Go on; gives how many characters belong to the object."""
        for at, character in enumerate(text):
            if self._in_string:
                if self._escaped:
                    self._escaped = False
                elif character == "\\":
                    self._escaped = True
                elif character == '"':
                    self._in_string = False
            elif character == '"':
                self._in_string = True
            elif character in "{[":
                self._depth += 1
            elif character in "}]":
                self._depth -= 1
                if self._depth == 0:
                    self.done = True
                    return at + 1
        return len(text)


def _held(text: str, marks: tuple[str, ...]) -> int:
    """How many characters at the end may turn out to begin a mark."""
    longest = 0
    for mark in marks:
        for length in range(min(len(mark) - 1, len(text)), longest, -1):
            if text.endswith(mark[:length]):
                longest = length
                break
    return longest


def _compact(text: str) -> str:
    text = text.removeprefix("<|python_tag|>")
    if text.startswith("```"):
        _, _, text = text.partition("\n")
    return "".join(text.split())


def _may_be_call(text: str) -> bool:
    return _compact(text).startswith(_BARE_BEGINNINGS)


def _may_become_call(text: str) -> bool:
    for mark in ("<|python_tag|>", "```json\n", "```tool_code\n", "```\n"):
        if mark.startswith(text):
            return True
    compact = _compact(text)
    return any(beginning.startswith(compact) for beginning in _BARE_BEGINNINGS)
