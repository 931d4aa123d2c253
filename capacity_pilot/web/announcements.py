"""``/announcements``: load to come, told by whoever is going to cause it.

``POST`` takes one, ``GET`` lists them, ``DELETE /announcements/ID`` cancels. Only JSON declared as
such is taken, which a page open in somebody's browser cannot send here unasked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Protocol

from aiohttp import web
from pydantic import ValidationError

from capacity_pilot.core.errors import InputError, OverloadedError
from capacity_pilot.core.events.declared import Announcement

_RETRY_AFTER_S = 60


class Desk(Protocol):
    """Who takes announcements. All give JSON-ready data."""

    def announce(self, announcement: Announcement) -> tuple[Mapping[str, object], bool]:
        """Gives it as taken, and whether it was there before.

        Raises ``InputError`` or ``OverloadedError``.
        """
        ...

    def show_all(self) -> Sequence[Mapping[str, object]]: ...

    def cancel(self, number: str) -> Mapping[str, object] | None:
        """Gives what was cancelled, ``None`` where there is no such announcement."""
        ...


def announcement_routes(desk: Desk) -> list[web.RouteDef]:
    """The routes, for a server to add."""

    async def post(request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            kind = request.content_type[:80]
            return _refuse(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"Content-Type is {kind!r}; send application/json",
            )
        try:
            announcement = Announcement.model_validate_json(await request.read())
            taken, is_update = desk.announce(announcement)
        except web.HTTPRequestEntityTooLarge as error:
            return _refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, error.text or "too large")
        except ValidationError as error:
            return _refuse(HTTPStatus.BAD_REQUEST, *map(_describe, error.errors()))
        except InputError as error:
            return _refuse(HTTPStatus.BAD_REQUEST, str(error))
        except OverloadedError as error:
            return _refuse(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        return web.json_response(taken, status=HTTPStatus.OK if is_update else HTTPStatus.CREATED)

    async def get(_: web.Request) -> web.Response:
        return web.json_response({"announcements": desk.show_all()})

    async def delete(request: web.Request) -> web.Response:
        number = request.match_info["id"]
        if (cancelled := desk.cancel(number)) is None:
            return _refuse(HTTPStatus.NOT_FOUND, f"no announcement has the id {number[:40]!r}")
        return web.json_response(cancelled)

    return [
        web.post("/announcements", post),
        web.get("/announcements", get),
        web.delete("/announcements/{id}", delete),
    ]


def _describe(problem: Mapping[str, object]) -> str:
    """Where, what and what was given."""
    path, value = problem["loc"], problem["input"]
    where = ".".join(map(str, path)) if isinstance(path, tuple) else ""
    message = str(problem["msg"]).removeprefix("Value error, ")
    shown = "" if isinstance(value, dict | list) or not where else f" (got {str(value)[:60]!r})"
    return f"{where + ': ' if where else ''}{message}{shown}"


def _refuse(status: HTTPStatus, *problems: str) -> web.Response:
    response = web.json_response({"errors": problems}, status=status)
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(_RETRY_AFTER_S)
    return response
