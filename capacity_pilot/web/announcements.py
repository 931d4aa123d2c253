"""``/announcements``: load to come, told by whoever is going to cause it.

``POST`` takes one, ``GET`` lists them, ``DELETE /announcements/ID`` cancels. Who does, and why, may
be said in the body; of whoever does not, the address is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Protocol

from aiohttp import web

from capacity_pilot.core.events.declared import Announcement, Caller
from capacity_pilot.web.json_requests import answer, refuse


class Desk(Protocol):
    """Who takes announcements. All give JSON-ready data."""

    async def announce(self, announcement: Announcement) -> tuple[Mapping[str, object], bool]:
        """Gives it as taken, and whether it was there before.

        Raises ``InputError`` or ``OverloadedError``.
        """
        ...

    def show_all(self) -> Sequence[Mapping[str, object]]: ...

    async def cancel(self, number: str, caller: Caller) -> Mapping[str, object] | None:
        """Gives what was cancelled, ``None`` where there is no such announcement."""
        ...


def announcement_routes(desk: Desk) -> list[web.RouteDef]:
    """The routes, for a server to add."""

    async def post(request: web.Request) -> web.Response:
        async def announce(announcement: Announcement) -> web.Response:
            signed = announcement.model_copy(update={"by": announcement.by or _name(request)})
            taken, is_update = await desk.announce(signed)
            status = HTTPStatus.OK if is_update else HTTPStatus.CREATED
            return web.json_response(taken, status=status)

        return await answer(request, Announcement, announce)

    async def get(_: web.Request) -> web.Response:
        return web.json_response({"announcements": desk.show_all()})

    async def delete(request: web.Request) -> web.Response:
        number = request.match_info["id"]

        async def cancel(caller: Caller) -> web.Response:
            signed = caller.model_copy(update={"by": caller.by or _name(request)})
            if (cancelled := await desk.cancel(number, signed)) is None:
                return refuse(HTTPStatus.NOT_FOUND, f"no announcement has the id {number[:40]!r}")
            return web.json_response(cancelled)

        if not request.can_read_body:
            return await cancel(Caller())
        return await answer(request, Caller, cancel)

    return [
        web.post("/announcements", post),
        web.get("/announcements", get),
        web.delete("/announcements/{id}", delete),
    ]


def _name(request: web.Request) -> str:
    """Who did not say who they are."""
    return f"somebody at {request.remote or 'no address'}"
