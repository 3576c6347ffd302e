"""A model server on loopback for benchmarks: answers at once, counts what it is sent.

Speaks Chat Completions, Responses and Messages, streaming. A prompt with ``USE_TOOLxN`` is answered
by N calls of the client's shell tool, one per turn, then by text. It measures clients and is no
reference of any provider.
"""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TEXT = ["Hello", " from", " the", " mock", " server", "."]
MARK = re.compile(r"USE_TOOLx(\d+)")
RESULT = re.compile(r'"(?:function_call_output|tool_result)"|"role": ?"tool"')
SHELLS = (
    "exec_command",
    "shell_command",
    "shell",
    "bash",
    "run_shell_command",
    "execute_command",
    "llm_version",
)
Json = dict[str, Any]


def tools_of(body: Json) -> list[tuple[str, Json]]:
    """Names and argument schemas of the tools a request offers."""
    found = []
    for tool in body.get("tools") or []:
        function = tool.get("function", tool)
        schema = function.get("parameters") or function.get("input_schema") or {}
        found.append((function.get("name", ""), schema))
    return found


def arguments(schema: Json, turn: int) -> Json:
    """Arguments that make a shell tool print one line."""
    command = f"echo peer-tool-ok {turn}"
    filled: Json = {}
    for name in schema.get("required") or list(schema.get("properties") or {})[:1]:
        kind = (schema.get("properties") or {}).get(name, {}).get("type", "string")
        filled[name] = ["bash", "-c", command] if kind == "array" else command
    return filled


def pick(body: Json, raw: str) -> Json | None:
    """The tool call this request is answered with; None means text."""
    mark = MARK.search(raw)
    done = len(RESULT.findall(raw))
    if mark is None or done >= int(mark.group(1)):
        return None
    for wanted in SHELLS:
        for name, schema in tools_of(body):
            if name.lower() == wanted:
                return {"id": f"call_{done}", "name": name, "arguments": arguments(schema, done)}
    return None


def chat(call: Json | None) -> list[tuple[str | None, Json | str]]:
    """Events of Chat Completions."""

    def chunk(delta: Json, finish: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {"id": "c", "object": "chat.completion.chunk", "model": "mock", "choices": [choice]}

    events: list[tuple[str | None, Json | str]] = []
    if call:
        function = {"name": call["name"], "arguments": json.dumps(call["arguments"])}
        item = {"index": 0, "id": call["id"], "type": "function", "function": function}
        events.append((None, chunk({"role": "assistant", "tool_calls": [item]})))
    else:
        events += [(None, chunk({"role": "assistant", "content": text})) for text in TEXT]
    events.append((None, chunk({}, "tool_calls" if call else "stop")))
    usage = {"prompt_tokens": 10, "completion_tokens": 9, "total_tokens": 19}
    events.append(
        (None, {"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": usage})
    )
    return [*events, (None, "[DONE]")]


def responses(call: Json | None) -> list[tuple[str | None, Json | str]]:
    """Events of Responses."""
    if call:
        item: Json = {
            "type": "function_call",
            "id": "f" + call["id"],
            "call_id": call["id"],
            "name": call["name"],
            "arguments": json.dumps(call["arguments"]),
            "status": "completed",
        }
    else:
        content = [{"type": "output_text", "text": "".join(TEXT), "annotations": []}]
        item = {
            "type": "message",
            "id": "m",
            "role": "assistant",
            "status": "completed",
            "content": content,
        }
    usage = {
        "input_tokens": 10,
        "output_tokens": 9,
        "total_tokens": 19,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }
    head = {
        "id": "r",
        "object": "response",
        "created_at": 1,
        "model": "mock",
        "output": [],
        "status": "in_progress",
    }
    whole = {**head, "status": "completed", "output": [item], "usage": usage}
    events: list[Json] = [{"type": "response.created", "response": head}]
    opened = {**item, "arguments": ""} if call else {**item, "content": []}
    events.append({"type": "response.output_item.added", "output_index": 0, "item": opened})
    if call:
        events.append(
            {
                "type": "response.function_call_arguments.delta",
                "item_id": item["id"],
                "output_index": 0,
                "delta": item["arguments"],
            }
        )
    else:
        events += [
            {
                "type": "response.output_text.delta",
                "item_id": "m",
                "output_index": 0,
                "content_index": 0,
                "delta": text,
            }
            for text in TEXT
        ]
    events.append({"type": "response.output_item.done", "output_index": 0, "item": item})
    events.append({"type": "response.completed", "response": whole})
    return [(event["type"], {**event, "sequence_number": n}) for n, event in enumerate(events)]


def messages(call: Json | None) -> list[tuple[str | None, Json | str]]:
    """Events of Messages."""
    usage = {"input_tokens": 10, "output_tokens": 9}
    start: Json = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "mock",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    events: list[Json] = [{"type": "message_start", "message": start}]
    if call:
        block = {"type": "tool_use", "id": "toolu_" + call["id"], "name": call["name"], "input": {}}
        events.append({"type": "content_block_start", "index": 0, "content_block": block})
        delta = {"type": "input_json_delta", "partial_json": json.dumps(call["arguments"])}
        events.append({"type": "content_block_delta", "index": 0, "delta": delta})
    else:
        events.append(
            {
                "type": "content_block_start",
                "index": 0,
                "content_block": {"type": "text", "text": ""},
            }
        )
        events += [
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": text},
            }
            for text in TEXT
        ]
    events.append({"type": "content_block_stop", "index": 0})
    stop = {"stop_reason": "tool_use" if call else "end_turn", "stop_sequence": None}
    events.append({"type": "message_delta", "delta": stop, "usage": {"output_tokens": 9}})
    events.append({"type": "message_stop"})
    return [(event["type"], event) for event in events]


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = 0
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        """Model lists and whatever else a client looks for."""
        self.answer(
            json.dumps(
                {"object": "list", "data": [{"id": "mock-model", "object": "model"}]}
            ).encode()
        )

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """A model request."""
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        dialects = {"/chat/completions": chat, "/responses": responses, "/messages": messages}
        path = self.path.split("?")[0]
        speak = next((dialect for end, dialect in dialects.items() if path.endswith(end)), None)
        if speak is None:
            self.answer(b"{}")
            return
        self.server.note(len(raw))
        body = json.loads(raw)
        call = pick(body, raw.decode())
        parts = []
        for name, event in speak(call):
            data = event if isinstance(event, str) else json.dumps(event, separators=(",", ":"))
            parts.append((f"event: {name}\n" if name else "") + f"data: {data}\n\n")
        self.answer("".join(parts).encode(), "text/event-stream")

    def answer(self, data: bytes, kind: str = "application/json") -> None:
        """Sends one whole body."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


class Server(ThreadingHTTPServer):
    """Counts requests and bytes of model traffic."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        """Listens on a free port of this machine."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.sizes: list[int] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def note(self, size: int) -> None:
        """Remembers the size of one request body (bytes)."""
        with self.lock:
            self.sizes.append(size)

    def take(self) -> list[int]:
        """The sizes since the last call."""
        with self.lock:
            sizes, self.sizes = self.sizes, []
        return sizes

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up early is expected."""
