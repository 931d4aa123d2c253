"""``/policies``: which are in force; ``POST /policies/reload`` reads them again where they are."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Protocol

from aiohttp import web

from capacity_pilot.core.errors import PolicyError, SourceError
from capacity_pilot.web.json_requests import refuse


class Keeper(Protocol):
    """Who keeps the policies. Both give JSON-ready data."""

    def report(self) -> Mapping[str, object]: ...

    async def reload(self, why: str, /) -> Mapping[str, object]:
        """Raises ``PolicyError`` or ``SourceError``, and leaves what is in force as it is."""
        ...


def policy_routes(keeper: Keeper) -> list[web.RouteDef]:
    """The routes, for a server to add.

    A reload takes no body, not even a page's that was opened by mistake could say anything with it:
    all that it puts in force is what stands in the source.
    """

    async def get(_: web.Request) -> web.Response:
        return web.json_response(keeper.report())

    async def reload(_: web.Request) -> web.Response:
        try:
            return web.json_response(await keeper.reload("told by the API"))
        except PolicyError as error:
            return refuse(HTTPStatus.BAD_REQUEST, *str(error).splitlines())
        except SourceError as error:
            return refuse(HTTPStatus.SERVICE_UNAVAILABLE, str(error))

    return [web.get("/policies", get), web.post("/policies/reload", reload)]
