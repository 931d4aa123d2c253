"""``/explain/TABLE``: what is wanted of one table and why, and why not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from aiohttp import web

from capacity_pilot.web.json_requests import refuse

Explain = Callable[[str], Awaitable[Mapping[str, object] | None]]


def explanation_route(explain: Explain) -> web.RouteDef:
    """The route, for a server to add; ``explain`` gives ``None`` for a table it does not know."""

    async def get(request: web.Request) -> web.Response:
        table = request.match_info["table"]
        if (explanation := await explain(table)) is None:
            return refuse(HTTPStatus.NOT_FOUND, f"table {table[:255]!r} is not managed")
        return web.json_response(explanation)

    return web.get("/explain/{table}", get)
