"""``/freezes`` and ``/overrides``: the operator's brakes.

``POST`` takes an order, ``GET`` lists what is in force, ``DELETE /freezes/ID`` and
``DELETE /overrides/ID`` end it. Whoever changes something says who they are and why.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Protocol

from aiohttp import web

from capacity_pilot.core.brakes import FreezeOrder, Order, OverrideOrder
from capacity_pilot.web.json_requests import answer, refuse

Told = Mapping[str, object]


class Desk(Protocol):
    """Who takes orders. All give JSON-ready data.

    ``freeze`` and ``override`` say whether an earlier one's place was taken, and raise
    ``InputError`` or ``OverloadedError``.
    """

    async def freeze(self, order: FreezeOrder) -> tuple[Told, bool]: ...

    async def override(self, order: OverrideOrder) -> tuple[Told, bool]: ...

    async def end_freeze(self, number: str, order: Order) -> Told | None:
        """Gives what was ended, ``None`` where there is no such freeze."""
        ...

    async def end_override(self, number: str, order: Order) -> Told | None: ...

    def show_freezes(self) -> Sequence[Told]: ...

    def show_overrides(self) -> Sequence[Told]: ...


def brake_routes(desk: Desk) -> list[web.RouteDef]:
    """The routes, for a server to add."""

    async def post_freeze(request: web.Request) -> web.Response:
        return await answer(request, FreezeOrder, lambda o: _take(desk.freeze(o)))

    async def post_override(request: web.Request) -> web.Response:
        return await answer(request, OverrideOrder, lambda o: _take(desk.override(o)))

    async def delete_freeze(request: web.Request) -> web.Response:
        return await _end(request, desk.end_freeze, "freeze")

    async def delete_override(request: web.Request) -> web.Response:
        return await _end(request, desk.end_override, "override")

    async def get_freezes(_: web.Request) -> web.Response:
        return web.json_response({"freezes": desk.show_freezes()})

    async def get_overrides(_: web.Request) -> web.Response:
        return web.json_response({"overrides": desk.show_overrides()})

    return [
        web.post("/freezes", post_freeze),
        web.get("/freezes", get_freezes),
        web.delete("/freezes/{id}", delete_freeze),
        web.post("/overrides", post_override),
        web.get("/overrides", get_overrides),
        web.delete("/overrides/{id}", delete_override),
    ]


async def _take(taking: Awaitable[tuple[Told, bool]]) -> web.Response:
    told, is_update = await taking
    return web.json_response(told, status=HTTPStatus.OK if is_update else HTTPStatus.CREATED)


async def _end(
    request: web.Request, end: Callable[[str, Order], Awaitable[Told | None]], what: str
) -> web.Response:
    number = request.match_info["id"]

    async def carry_out(order: Order) -> web.Response:
        if (ended := await end(number, order)) is None:
            return refuse(HTTPStatus.NOT_FOUND, f"no {what} has the id {number[:40]!r}")
        return web.json_response(ended)

    return await answer(request, Order, carry_out)
