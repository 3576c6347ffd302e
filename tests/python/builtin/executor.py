"""Tools on a temporary directory, and the loop between them and the builtin model.

Stands in for the Rust tools with the same names, arguments and results, so that whole
tasks can be carried out here; the real ones are tried through the binary (tests/cli).
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import math
import re
import subprocess
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

from agi_agent.builtin import respond

TURNS = 12
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class ToolError(Exception):
    """What the model is told about a call that went wrong."""


class Executor:
    """The tools of the contract, below one directory.

    Attributes:
        calls: Every call that was made, in order, as (name, arguments).
        unread: How many files the tools say that they could not read.
    """

    def __init__(self, root: Path, *, denied: tuple[str, ...] = ()) -> None:
        """Refuses the tools in `denied`, as a person would."""
        self.root = root
        self.denied = denied
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.memory: list[str] = []
        self.unread = 0

    def run(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """One call; the result is the wire's, without its id."""
        self.calls.append((name, arguments))
        if name in self.denied:
            text = f"declined: `{name}` needs an approval that nobody can give here"
            return {"name": name, "text": text, "is_error": True}
        try:
            data = getattr(self, name)(**arguments)
        except (ToolError, OSError) as error:
            return {"name": name, "text": str(error), "is_error": True}
        if self.unread and name in ("file_find", "file_stats", "file_search"):
            data["unread"] = self.unread
        text = data.get("content") or json.dumps(data)
        return {"name": name, "text": text, "data": data}

    def _path(self, path: str) -> Path:
        found = self.root / path
        if not found.exists():
            message = f"`{path}` does not exist"
            raise ToolError(message)
        return found

    def _walk(self, path: str, name: str | None, kind: str = "file") -> list[str]:
        top = self._path(path)
        if top.is_file():
            return [path]
        found = []
        for entry in sorted(top.rglob("*")):
            inner = entry.relative_to(top).as_posix()
            if any(part.startswith(".") for part in inner.split("/")):
                continue
            if (entry.is_dir() if kind == "dir" else entry.is_file()) and _fits(
                name, inner
            ):
                found.append(inner if path == "." else f"{path.rstrip('/')}/{inner}")
        return found

    def file_read(
        self, path: str, offset: int = 1, limit: int | None = None
    ) -> dict[str, Any]:
        text = self._path(path).read_text("utf-8")
        lines = text.splitlines(keepends=True)
        chosen = lines[offset - 1 :][: limit if limit is not None else len(lines)]
        size, kept = 0, []
        for line in chosen:
            size += len(line)
            if size > 30 * 1024:
                break
            kept.append(line)
        return {
            "path": path,
            "content": "".join(kept),
            "size": len(text.encode()),
            "lines": len(lines),
            "truncated": len(kept) < len(chosen),
            "binary": False,
        }

    def file_write(
        self, path: str, content: str, append: bool = False
    ) -> dict[str, Any]:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        created = not target.exists()
        with target.open("a" if append else "w", encoding="utf-8") as file:
            file.write(content)
        size = len(content.encode())
        return {"path": path, "bytes_written": size, "created": created}

    def file_find(
        self,
        path: str = ".",
        name: str | None = None,
        type: str = "file",
        min_size: int = 0,
        max_size: int | None = None,
        newer_than: str | None = None,
        older_than: str | None = None,
        sort: str = "name",
        descending: bool = False,
        limit: int = 200,
    ) -> dict[str, Any]:
        entries = []
        for found in self._walk(path, name, type):
            status = (self.root / found).stat()
            size, changed = status.st_size, status.st_mtime
            if size < min_size or (max_size is not None and size > max_size):
                continue
            if newer_than is not None and changed < _moment(newer_than):
                continue
            if older_than is not None and changed >= _moment(older_than):
                continue
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(changed))
            entries.append(
                {"path": found, "type": type, "size": size, "modified": stamp}
            )
        key = {"name": "path"}.get(sort, sort)
        entries.sort(key=lambda entry: entry[key], reverse=descending)
        shown = entries[:limit]
        truncated = len(shown) < len(entries)
        return {"entries": shown, "total": len(entries), "truncated": truncated}

    def file_stats(
        self, path: str, name: str | None = None, hash: str | None = None
    ) -> dict[str, Any]:
        rows = []
        for found in self._walk(path, name):
            raw = (self.root / found).read_bytes()
            text = raw.decode("utf-8", "replace")
            row: dict[str, Any] = {
                "path": found,
                "lines": raw.count(b"\n"),
                "words": len(text.split()),
                "bytes": len(raw),
                "chars": len(text),
            }
            if hash is not None:
                row["sha256"] = hashlib.sha256(raw).hexdigest()
            rows.append(row)
        units = ("lines", "words", "bytes", "chars")
        total = {unit: sum(row[unit] for row in rows) for unit in units}
        return {"files": rows[:200], "total": {"files": len(rows), **total}}

    def file_search(
        self,
        pattern: str,
        path: str = ".",
        glob: str | None = None,
        literal: bool = False,
        ignore_case: bool = False,
        mode: str = "lines",
        limit: int = 100,
    ) -> dict[str, Any]:
        flags = re.IGNORECASE if ignore_case else 0
        wanted = re.compile(re.escape(pattern) if literal else pattern, flags)
        matches, files, total_matches = [], [], 0
        for found in self._walk(path, glob):
            lines = (self.root / found).read_text("utf-8", "replace").splitlines()
            hits = [(n, line) for n, line in enumerate(lines, 1) if wanted.search(line)]
            total_matches += sum(len(wanted.findall(line)) for _, line in hits)
            matches += [{"path": found, "line": n, "text": line} for n, line in hits]
            if hits:
                files.append({"path": found, "count": len(hits)})
        return {
            "matches": matches[:limit] if mode == "lines" else [],
            "files": files[:limit],
            "total": len(matches),
            "total_matches": total_matches,
            "files_with_matches": len(files),
            "truncated": len(matches) > limit,
        }

    def shell(self, command: str) -> dict[str, Any]:
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self.root,
            capture_output=True,
            timeout=20,
            check=False,
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        return {
            "exit_code": done.returncode,
            "timed_out": False,
            "stdout": out,
            "stderr": err,
            "stdout_bytes": len(done.stdout),
            "stderr_bytes": len(done.stderr),
        }

    def calculator(self, expression: str) -> dict[str, Any]:
        value = _evaluate(expression)
        whole = value.denominator == 1
        return {"value": str(value if whole else float(value)), "exact": whole}

    def memory_add(self, content: str) -> dict[str, Any]:
        self.memory.append(content)
        return {"id": str(len(self.memory))}

    def memory_search(self, query: str, limit: int = 5) -> dict[str, Any]:
        words = set(query.lower().split())
        hits = [item for item in self.memory if words & set(item.lower().split())]
        return {
            "items": [{"id": "1", "content": hit, "score": 1.0} for hit in hits[:limit]]
        }


TOOLS = (
    "file_read",
    "file_write",
    "file_find",
    "file_stats",
    "file_search",
    "shell",
    "calculator",
    "memory_add",
    "memory_search",
)


def _fits(glob: str | None, inner: str) -> bool:
    if glob is None:
        return True
    names = [glob]
    if "{" in glob:
        head, _, rest = glob.partition("{")
        choices, _, tail = rest.partition("}")
        names = [head + choice + tail for choice in choices.split(",")]
    if "/" not in glob:
        return any(
            fnmatch.fnmatchcase(inner.rpartition("/")[2], name) for name in names
        )
    return any(
        fnmatch.fnmatchcase(inner, name) and inner.count("/") == name.count("/")
        for name in names
    )


def _moment(text: str) -> float:
    if text[-1] in UNITS:
        return time.time() - int(text[:-1]) * UNITS[text[-1]]
    return time.mktime(time.strptime(text[:10], "%Y-%m-%d"))


def _evaluate(expression: str) -> Fraction:
    if not re.fullmatch(
        r"(?:[-+*/%^(),.\d\s]|sqrt|log|max|pi|[eE][-+]?\d)+", expression
    ):
        message = f"`{expression}` is not an expression"
        raise ToolError(message)
    number = r"(\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|\.\d+)"
    code = re.sub(number, r"Fraction('\1')", expression)
    try:
        value = eval(
            code.replace("^", "**"),
            {
                "Fraction": Fraction,
                "sqrt": lambda number: Fraction(number**0.5),
                "log": lambda number, base=10: Fraction(round(math.log(number, base))),
                "max": max,
                "pi": Fraction(math.pi),
            },
        )
    except (ZeroDivisionError, SyntaxError, TypeError) as error:
        raise ToolError(str(error)) from None
    return Fraction(value)


def request(text: str, *, tools: tuple[str, ...] = TOOLS, schema: Any = None) -> Any:
    """A first request of the agent loop."""
    specs = [{"name": name, "description": "", "parameters": {}} for name in tools]
    made: dict[str, Any] = {
        "system": "You are agi-agent.",
        "messages": [{"role": "user", "parts": [{"type": "text", "text": text}]}],
        "tools": specs,
    }
    if schema is not None:
        made["output_schema"] = schema
    return made


def converse(asked: Any, executor: Executor) -> str:
    """Carries a request through to its final text, as the agent loop does."""
    for _ in range(TURNS):
        reply = respond(asked)["reply"]
        asked["messages"].append(reply["message"])
        parts = reply["message"]["parts"]
        if reply["stop"] != "tool_calls":
            assert [part["type"] for part in parts] == ["text"]
            return str(parts[0]["text"])
        results = []
        for part in parts:
            outcome = executor.run(part["name"], json.loads(part["arguments"]))
            results.append({"type": "tool_result", "call_id": part["id"], **outcome})
        asked["messages"].append({"role": "tool", "parts": results})
    message = f"no answer within {TURNS} turns"
    raise AssertionError(message)


def ask(text: str, executor: Executor, schema: Any = None) -> str:
    """The final answer to a task."""
    return converse(request(text, schema=schema), executor)
