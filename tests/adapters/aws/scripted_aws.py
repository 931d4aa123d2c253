"""A server that answers each AWS operation with what a test has scripted, and a clock by hand."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer

NOW = 1_791_505_800.0
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class HandClock:
    """A clock that moves when told to."""

    at: float = NOW

    def now(self) -> float:
        return self.at


@dataclass
class ScriptedAws:
    """Answers each operation with the next thing in its queue, the last one for ever after."""

    answers: dict[str, deque[Answer]] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    user_agents: set[str] = field(default_factory=set)
    url: str = ""
    server: BaseTestServer | None = None

    async def stop_listening(self) -> None:
        assert self.server is not None
        assert self.server.runner is not None
        for site in list(self.server.runner.sites):
            await site.stop()

    def script(self, operation: str, *answers: Answer) -> None:
        self.answers[operation] = deque(answers)

    def sent(self, operation: str) -> list[dict[str, Any]]:
        return [parameters for name, parameters in self.calls if name == operation]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        operation = request.headers["X-Amz-Target"].rpartition(".")[2]
        self.calls.append((operation, json.loads(await request.read())))
        self.user_agents.add(request.headers["User-Agent"])
        queue = self.answers[operation]
        answer = queue.popleft() if len(queue) > 1 else queue[0]
        return await answer(request)


def reply(body: Mapping[str, object], *, status: int = 200) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status, content_type="application/x-amz-json-1.0")

    return answer


def refuse(code: str, text: str, *, status: int = 400) -> Answer:
    namespace = "com.amazonaws.dynamodb.v20120810#"
    return reply({"__type": namespace + code, "message": text}, status=status)


def hang_up(request: web.Request) -> Awaitable[web.StreamResponse]:
    assert request.transport is not None
    request.transport.abort()
    return asyncio.sleep(0, web.Response())


@asynccontextmanager
async def serve_scripted(aws: ScriptedAws) -> AsyncIterator[None]:
    """Listens while the context lasts; ``url`` then says where."""
    app = web.Application()
    app.router.add_post("/", aws.handle)
    async with TestServer(app) as server:
        aws.server = server
        aws.url = str(server.make_url("/"))
        yield
