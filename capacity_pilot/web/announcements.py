"""``/announcements``: load to come, told by whoever is going to cause it.

``POST`` takes one, ``GET`` lists them, ``DELETE /announcements/ID`` cancels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Protocol

from aiohttp import web

from capacity_pilot.core.events.declared import Announcement
from capacity_pilot.web.json_requests import answer, refuse


class Desk(Protocol):
    """Who takes announcements. All give JSON-ready data."""

    async def announce(self, announcement: Announcement) -> tuple[Mapping[str, object], bool]:
        """Gives it as taken, and whether it was there before.

        Raises ``InputError`` or ``OverloadedError``.
        """
        ...

    def show_all(self) -> Sequence[Mapping[str, object]]: ...

    async def cancel(self, number: str) -> Mapping[str, object] | None:
        """Gives what was cancelled, ``None`` where there is no such announcement."""
        ...


def announcement_routes(desk: Desk) -> list[web.RouteDef]:
    """The routes, for a server to add."""

    async def announce(announcement: Announcement) -> web.Response:
        taken, is_update = await desk.announce(announcement)
        return web.json_response(taken, status=HTTPStatus.OK if is_update else HTTPStatus.CREATED)

    async def post(request: web.Request) -> web.Response:
        return await answer(request, Announcement, announce)

    async def get(_: web.Request) -> web.Response:
        return web.json_response({"announcements": desk.show_all()})

    async def delete(request: web.Request) -> web.Response:
        number = request.match_info["id"]
        if (cancelled := await desk.cancel(number)) is None:
            return refuse(HTTPStatus.NOT_FOUND, f"no announcement has the id {number[:40]!r}")
        return web.json_response(cancelled)

    return [
        web.post("/announcements", post),
        web.get("/announcements", get),
        web.delete("/announcements/{id}", delete),
    ]
