"""Time from the start of the process to the first byte of its first model request.

Usage: first_byte.py [--binary FILE] [-n RUNS] [--limit MS]

The server is a plain socket that answers one request and closes, so that nothing but the
agent is measured. With --limit the exit code is 1 when the fastest run is slower: on a busy
machine only the fastest says something about the program.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHUNKS = [
    {"model": "m", "choices": [{"index": 0, "delta": {"content": "ok"}}]},
    {"model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
]
EVENTS = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in CHUNKS) + "data: [DONE]\n\n"
ANSWER = (
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n"
    f"content-length: {len(EVENTS)}\r\n\r\n{EVENTS}"
).encode()


def once(command: list[str], folder: str, server: socket.socket) -> tuple[float, int]:
    """One run: milliseconds to the first byte, and bytes of the request's body."""
    url = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
    environment = {"HOME": folder, "PATH": "/usr/bin:/bin", "OPENAI_BASE_URL": url}
    if "LD_LIBRARY_PATH" in os.environ:  # a development build and its libpython
        environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    connection, _ = server.accept()
    with connection:
        data = connection.recv(1 << 16)
        elapsed = (time.perf_counter() - start) * 1000
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(
            int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length")
        )
        while len(body) < length:
            body += connection.recv(1 << 16)
        connection.sendall(ANSWER)
        _, errors = process.communicate(timeout=60)
    if process.returncode:
        sys.exit(f"the run ended {process.returncode}: {errors.decode()}")
    return elapsed, length


def main() -> None:
    """Prints one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=Path, default=Path("dist/agi-agent"))
    parser.add_argument("-n", type=int, default=31, help="counted runs")
    parser.add_argument("--limit", type=float, help="milliseconds of the fastest run")
    options = parser.parse_args()
    command = [str(options.binary.resolve()), "run", "--model", "openai/m", "--ephemeral", "hi"]
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        once(command, folder, server)  # fills the page cache
        runs = [once(command, folder, server) for _ in range(options.n)]
    times = [elapsed for elapsed, _ in runs]
    print(
        f"first byte after {statistics.median(times):.1f} ms [{min(times):.1f} to {max(times):.1f}], "
        f"request of {runs[0][1]} bytes, load {os.getloadavg()[0]:.1f}"
    )
    if options.limit and min(times) > options.limit:
        sys.exit(f"slower than {options.limit} ms")


if __name__ == "__main__":
    main()
