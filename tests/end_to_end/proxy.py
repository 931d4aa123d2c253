"""Between a daemon and what plays AWS: notes every call, and lets a test act at a precise one.

A test's interference runs in the handler of the call, so that whatever it does to the daemon
happens while exactly that call is on its way.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

Answer = tuple[int, list[tuple[str, str]], bytes]
Forward = Callable[[], Answer]


class NoAnswerError(Exception):
    """The connection is to end without one."""


@dataclass(frozen=True)
class Call:
    """``status`` is what the other side answered, ``None`` where it was never asked."""

    at: float
    operation: str
    members: dict[str, Any]
    status: int | None


Interference = Callable[[Forward], Answer]
"""What happens in the place of passing a call on."""


@dataclass
class Proxy:
    """``interferences`` wait for the next call of their operation that ``concerns`` them."""

    url: str
    upstream: str
    calls: list[Call] = field(default_factory=list)
    interferences: list[tuple[str, Callable[[dict[str, Any]], bool], Interference]] = field(
        default_factory=list
    )

    def at(
        self,
        operation: str,
        interference: Interference,
        *,
        concerns: Callable[[dict[str, Any]], bool] = lambda _: True,
    ) -> None:
        self.interferences.append((operation, concerns, interference))

    def made(self, operation: str, table: str | None = None) -> list[Call]:
        return [
            call
            for call in self.calls
            if call.operation == operation and table in (None, call.members.get("TableName"))
        ]

    def carry(self, operation: str, members: dict[str, Any], forward: Forward) -> Answer:
        status: int | None = None

        def noted() -> Answer:
            nonlocal status
            answer = forward()
            status = answer[0]
            return answer

        met = next((i for i in self.interferences if i[0] == operation and i[1](members)), None)
        try:
            if met is None:
                return noted()
            self.interferences.remove(met)
            return met[2](noted)
        finally:
            self.calls.append(Call(time.time(), operation, members, status))


@contextmanager
def interpose(upstream: str) -> Iterator[Proxy]:
    """A proxy in front of ``upstream`` on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]

            def forward() -> Answer:
                connection = http.client.HTTPConnection(urlsplit(upstream).netloc, timeout=20)
                try:
                    connection.request("POST", self.path, body, dict(self.headers))
                    answer = connection.getresponse()
                    return answer.status, answer.getheaders(), answer.read()
                finally:
                    connection.close()

            try:
                status, headers, content = proxy.carry(operation, json.loads(body), forward)
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in {"content-length", "connection", "transfer-encoding"}:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except (NoAnswerError, ConnectionError):
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy = Proxy(f"http://127.0.0.1:{server.server_port}", upstream)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
