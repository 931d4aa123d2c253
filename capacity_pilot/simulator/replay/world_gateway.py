"""The physics behind the capacity port: what AWS's gateway does, in a replay's own time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from capacity_pilot.adapters.aws.actuation import Actuation, Write
from capacity_pilot.adapters.aws.refusals import Refusal, classify_update
from capacity_pilot.core.errors import InvariantError
from capacity_pilot.core.model import AccountLimits, Outcome, Plan, TableDescription
from capacity_pilot.core.ports import Clock
from capacity_pilot.simulator.physics.refusals import RefusedError
from capacity_pilot.simulator.physics.tables import Units
from capacity_pilot.simulator.physics.world import World

Obstruct = Callable[[str, float], RefusedError | None]
"""What keeps an UpdateTable call of a table at a time from being taken, if anything does."""

_T = TypeVar("_T")


class WorldGateway:
    """``CapacityGateway`` on a ``World``. Nothing it does ever waits.

    Plans take the same steps as against AWS (re-read, what is left of the plan, refusals
    classified by code and text); only the transport is missing.
    """

    def __init__(self, world: World, *, clock: Clock, obstruct: Obstruct) -> None:
        self._world = world
        self._clock = clock
        self._obstruct = obstruct
        self._actuation = Actuation(describe=self.describe, carry=self._carry, clock=clock)

    def turns(self, table: str) -> int:
        """Goes up whenever the table is described otherwise than before."""
        return self._world.table(table).turns

    async def list_tables(self) -> tuple[str, ...]:
        return tuple(state.spec.name for state in self._world.tables())

    async def describe(self, table: str) -> TableDescription | None:
        try:
            return self._world.table(table).describe(self._clock.now())
        except RefusedError:
            return None

    async def limits(self) -> AccountLimits:
        return self._world.settings.limits

    async def actuate(self, plan: Plan) -> Outcome:
        return await self._actuation.actuate(plan)

    async def _carry(self, write: Write) -> Refusal | None:
        now, table = self._clock.now(), write.plan.table
        changes = {c.resource.index: Units(c.read, c.write) for c in write.changes}
        try:
            if (obstacle := self._obstruct(table, now)) is not None:
                raise obstacle
            if write.plan.switch is None:
                self._world.update_table(table, changes, now)
            else:
                self._world.switch_billing(table, write.plan.switch.to, changes, now)
        except RefusedError as refused:
            answer = {"Code": refused.code, "Message": refused.message}
            metadata = {"HTTPStatusCode": refused.status}
            error = ClientError({"Error": answer, "ResponseMetadata": metadata}, "UpdateTable")  # type: ignore[typeddict-item]
            return classify_update(error, write.plan, now=now)
        return None


def finish_now(work: Coroutine[Any, Any, _T]) -> _T:
    """Runs a coroutine that has nothing to wait for, without an event loop."""
    try:
        work.send(None)
    except StopIteration as stop:
        result: _T = stop.value
        return result
    work.close()
    raise InvariantError(f"{work!r} waits for something in a replay")
