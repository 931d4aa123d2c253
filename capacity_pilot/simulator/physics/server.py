"""DynamoDB's wire protocol (``x-amz-json-1.0``) on top of the model, for unmodified SDKs.

At the same address answers Application Auto Scaling. Any credentials do. ``GET /_physics/state``
shows the world, ``POST /_physics/faults`` orders failures and ``DELETE /_physics/faults`` takes
them back. Requests are carried out one at a time, each at the clock's time.
"""

from __future__ import annotations

import asyncio
import json
import uuid
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from aiohttp import web

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.ports import Clock
from capacity_pilot.simulator.physics.auto_scaling import SCALING_OPERATIONS, ScalingRegistry
from capacity_pilot.simulator.physics.batch_operations import BATCH_OPERATIONS
from capacity_pilot.simulator.physics.clock import WallClock
from capacity_pilot.simulator.physics.database import Database, Operation
from capacity_pilot.simulator.physics.faults import Fault, Faults, Manner, read_fault
from capacity_pilot.simulator.physics.item_operations import ITEM_OPERATIONS
from capacity_pilot.simulator.physics.query_operation import QUERY_OPERATIONS
from capacity_pilot.simulator.physics.refusals import RefusedError
from capacity_pilot.simulator.physics.state_view import view_state
from capacity_pilot.simulator.physics.table_operations import TABLE_OPERATIONS
from capacity_pilot.simulator.physics.world import World

OPERATIONS: Final[dict[str, Operation]] = {
    **TABLE_OPERATIONS,
    **ITEM_OPERATIONS,
    **QUERY_OPERATIONS,
    **BATCH_OPERATIONS,
}
_TARGET_PREFIX: Final = "DynamoDB_20120810."
_SCALING_PREFIX: Final = "AnyScaleFrontendService."
_CONTENT_TYPE: Final = "application/x-amz-json-1.0"
_LARGEST_REQUEST_BYTES: Final = 17 * 1024 * 1024
_NAMESPACE: Final = "com.amazonaws.dynamodb.v20120810#"
_NAMESPACES: Final = {
    "ValidationException": "com.amazon.coral.validate#",
    "ThrottlingException": "com.amazon.coral.availability#",
    "SerializationException": "com.amazon.coral.service#",
    "UnknownOperationException": "com.amazon.coral.service#",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PhysicsServer:
    """A server that listens. Tests may read its world and order faults without HTTP."""

    host: str
    port: int
    database: Database
    scaling: ScalingRegistry
    faults: Faults

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


@asynccontextmanager
async def serve_physics(
    world: World, host: str = "127.0.0.1", port: int = 0, *, clock: Clock | None = None
) -> AsyncIterator[PhysicsServer]:
    """Serves ``world`` until the block ends; port 0 takes a free one, told by ``.port``."""
    database = Database(world)
    scaling = ScalingRegistry(world)
    faults = Faults()
    handlers = _Handlers(database, scaling, faults, clock or WallClock())
    app = web.Application(client_max_size=_LARGEST_REQUEST_BYTES)
    app.router.add_post("/", handlers.operate)
    app.router.add_get("/_physics/state", handlers.show_state)
    app.router.add_post("/_physics/faults", handlers.order_faults)
    app.router.add_delete("/_physics/faults", handlers.clear_faults)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        bound: int = runner.addresses[0][1]
        yield PhysicsServer(
            host=host, port=bound, database=database, scaling=scaling, faults=faults
        )
    finally:
        await runner.cleanup()


class _Handlers:
    """HTTP in, operations out."""

    def __init__(
        self, database: Database, scaling: ScalingRegistry, faults: Faults, clock: Clock
    ) -> None:
        self._database = database
        self._scaling = scaling
        self._faults = faults
        self._clock = clock
        self._operations = {
            **{name: partial(operation, database) for name, operation in OPERATIONS.items()},
            **{name: partial(operation, scaling) for name, operation in SCALING_OPERATIONS.items()},
        }

    async def operate(self, request: web.Request) -> web.StreamResponse:
        named = request.headers.get("X-Amz-Target", "")
        operation = named.removeprefix(_TARGET_PREFIX).removeprefix(_SCALING_PREFIX)
        body = await request.read()
        fault = self._faults.take(operation)
        if fault is not None and not fault.takes_effect:
            return await _fail(request, fault)
        response = self._answer(operation, body)
        return response if fault is None else await _fail(request, fault)

    def _answer(self, operation: str, body: bytes) -> web.Response:
        try:
            return _respond(self._carry_out(operation, body))
        except RefusedError as refusal:
            return _respond_error(refusal)

    def _carry_out(self, operation: str, body: bytes) -> dict[str, Any]:
        carry_out = self._operations.get(operation)
        if carry_out is None:
            raise RefusedError("UnknownOperationException", "")
        try:
            request = json.loads(body)
        except ValueError as error:
            raise RefusedError("SerializationException", f"Not JSON: {error}") from error
        if not isinstance(request, dict):
            raise RefusedError("SerializationException", "Start of structure expected")
        return carry_out(request, self._advance())

    def _advance(self) -> float:
        now = self._clock.now()
        self._database.world.advance(now)
        self._scaling.advance(now)
        return now

    async def show_state(self, _request: web.Request) -> web.Response:
        now = self._advance()
        return web.json_response(view_state(self._database.world, now))

    async def order_faults(self, request: web.Request) -> web.Response:
        try:
            fault, count = read_fault(await request.json())
            self._faults.order(fault, count=count)
        except (InputError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"waiting": len(self._faults)})

    async def clear_faults(self, _request: web.Request) -> web.Response:
        self._faults.clear()
        return web.json_response({"waiting": 0})


async def _fail(request: web.Request, fault: Fault) -> web.StreamResponse:
    if fault.manner is Manner.ERROR:
        return _respond_error(RefusedError(fault.code, fault.message, status=fault.status))
    if fault.manner is Manner.HANG:
        await asyncio.sleep(fault.hang_seconds)
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def _respond(content: dict[str, Any], *, status: int = 200) -> web.Response:
    body = json.dumps(content, separators=(",", ":")).encode()
    return web.Response(
        status=status,
        body=body,
        headers={
            "Content-Type": _CONTENT_TYPE,
            "x-amzn-RequestId": str(uuid.uuid4()),
            # botocore checks it, and takes a mismatch for a fault worth a retry.
            "x-amz-crc32": str(zlib.crc32(body)),
        },
    )


def _respond_error(refusal: RefusedError) -> web.Response:
    namespace = _NAMESPACES.get(refusal.code, _NAMESPACE)
    content = {"__type": namespace + refusal.code, "message": refusal.message, **refusal.details}
    return _respond(content, status=refusal.status)
