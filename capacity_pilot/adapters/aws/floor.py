"""Floor mode: a gateway that sets Application Auto Scaling's minimum, which moves the table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from capacity_pilot.adapters.aws.actuation import Actuation, Write
from capacity_pilot.adapters.aws.refusals import Refusal, RefusedError
from capacity_pilot.adapters.aws.registrations import Registrations
from capacity_pilot.core.auto_scaling import Registration
from capacity_pilot.core.errors import RetryableError
from capacity_pilot.core.model import (
    AccountLimits,
    CapacityChange,
    Dimension,
    Direction,
    Outcome,
    OutcomeKind,
    Plan,
    TableDescription,
)
from capacity_pilot.core.ports import CapacityGateway, Clock


class FloorGateway:
    """A ``CapacityGateway`` over another one, of which it only reads.

    A plan's units become minimums, as far as the maximum and the minimum that was found allow.
    Right before they are sent and right after, what is registered is read.
    """

    def __init__(
        self, inner: CapacityGateway, *, registrations: Registrations, clock: Clock
    ) -> None:
        self._inner = inner
        self._registrations = registrations
        self._actuation = Actuation(
            describe=self._read,
            carry=self._carry,
            clock=clock,
            find_changes=_find_changes,
            reaches_every_region=False,
        )

    async def list_tables(self) -> tuple[str, ...]:
        """Name the tables."""
        return await self._inner.list_tables()

    async def limits(self) -> AccountLimits:
        """Give the limits."""
        return await self._inner.limits()

    async def describe(self, table: str) -> TableDescription | None:
        """Read the table, with what was registered when last read."""
        return await self._inner.describe(table)

    async def actuate(self, plan: Plan) -> Outcome:
        """Set the minimums; raises ``RetryableError`` only if certainly nothing was sent."""
        return await self._actuation.actuate(plan)

    async def _read(self, table: str) -> TableDescription | None:
        description = await self._inner.describe(table)
        if description is None:
            return None
        await self._registrations.read([r.resource for r in description.resources])
        return self._registrations.complete(description)

    async def _carry(self, write: Write) -> Refusal | None:
        wanted = list(remaining_minimums(write.plan, write.before))
        failure = await self._registrations.set_minimums(wanted)
        if isinstance(failure, RefusedError):
            return failure.refusal
        try:
            seen = await self._read(write.plan.table)
        except RetryableError as error:
            return Refusal(kind=OutcomeKind.UNKNOWN, message=str(failure or error))
        for found, minimum in wanted:
            now = None if seen is None else seen.registration(found.target)
            if now is None or now.minimum != minimum:
                shown = "nothing" if now is None else f"a minimum of {now.minimum}"
                message = f"{found.target} shows {shown} after {minimum} was asked for"
                return Refusal(kind=OutcomeKind.UNKNOWN, message=message)
        return None


def remaining_minimums(plan: Plan, before: TableDescription) -> Iterator[tuple[Registration, int]]:
    """Give what of the plan still moves a minimum in its direction, and where to."""
    wanted = {change.resource: change for change in plan.changes}
    for target in plan.moving:
        change, found = wanted.get(target.resource), before.registration(target)
        if change is None or found is None:
            continue
        units = change.read if target.dimension is Dimension.READ else change.write
        minimum = min(max(units, found.least), found.maximum)
        is_raise = plan.direction is Direction.OUT
        if minimum > found.minimum if is_raise else minimum < found.minimum:
            yield found, minimum


def _find_changes(plan: Plan, before: TableDescription) -> tuple[CapacityChange, ...]:
    """Give the minimums left to set as units: a dimension that is not moved stays as it is."""
    had = {
        r.resource: CapacityChange(resource=r.resource, read=r.read, write=r.write)
        for r in before.resources
    }
    moved: dict[object, CapacityChange] = {}
    for found, minimum in remaining_minimums(plan, before):
        resource = found.target.resource
        change = moved.get(resource, had[resource])
        if found.target.dimension is Dimension.READ:
            moved[resource] = replace(change, read=minimum)
        else:
            moved[resource] = replace(change, write=minimum)
    return tuple(moved.values())
