"""The gateway of shadow mode: reads the real tables, and only imagines the changes.

Everything above it runs as in active mode, and sees what active mode would have made of the
tables: capacity in force after the apply time, resources updating until then, decreases spent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from capacity_pilot.adapters.aws.actuation import Actuation, Write
from capacity_pilot.adapters.aws.imagined_modes import ImaginedModes
from capacity_pilot.adapters.aws.refusals import Refusal
from capacity_pilot.core.auto_scaling import Registration
from capacity_pilot.core.model import (
    AccountLimits,
    BillingMode,
    CapacityChange,
    Dimension,
    Direction,
    Outcome,
    OutcomeKind,
    Plan,
    Resource,
    ResourceDescription,
    ResourceStatus,
    TableDescription,
)
from capacity_pilot.core.ports import CapacityGateway, Clock
from capacity_pilot.core.quota import DAY_S, next_decrease_at


@dataclass(frozen=True, slots=True, kw_only=True)
class _ImaginedChange:
    """The last change shadow mode made to a resource. Times are Unix seconds.

    ``decreases`` counts those of ``last_decrease_at``'s UTC day, and is ``None`` until shadow
    mode has made one: up to then the real resource's counter holds.
    """

    change: CapacityChange
    before: ResourceDescription
    in_force_at: float
    last_increase_at: float | None
    last_decrease_at: float | None
    decreases: int | None


class ShadowGateway:
    """A ``CapacityGateway`` over another one, whose ``actuate`` it never calls.

    ``apply_time_s`` is how long an imagined change takes to be in force. State is held for the
    resources shadow mode has changed, and let go when they disappear or stop being provisioned.
    Bounds that only AWS knows (account and table limits) are not imagined.
    """

    def __init__(self, inner: CapacityGateway, *, apply_time_s: float, clock: Clock) -> None:
        if not apply_time_s >= 0:
            raise ValueError(f"apply_time_s is {apply_time_s}, must be at least 0")
        self._inner = inner
        self._apply_time_s = apply_time_s
        self._clock = clock
        self._imagined: dict[str, dict[Resource, _ImaginedChange]] = {}
        self._modes = ImaginedModes()
        self._actuation = Actuation(describe=self.describe, carry=self._imagine, clock=clock)

    async def list_tables(self) -> tuple[str, ...]:
        """Name the real tables."""
        return await self._inner.list_tables()

    async def limits(self) -> AccountLimits:
        """Give the real limits."""
        return await self._inner.limits()

    async def describe(self, table: str) -> TableDescription | None:
        """Read the real table and lay the imagined changes over it."""
        real = await self._inner.describe(table)
        if real is None or real.is_global or not self._shows_capacity(real):
            self._imagined.pop(table, None)
            self._modes.forget(table)
            return real
        imagined = self._keep_present(real)
        provisioned = replace(
            real,
            billing_mode=BillingMode.PROVISIONED,
            resources=tuple(
                _overlay(description, imagined[description.resource], now=real.described_at)
                if description.resource in imagined
                else description
                for description in real.resources
            ),
            registrations=real.registrations
            and tuple(_imagine_registration(r, imagined) for r in real.registrations),
        )
        return self._modes.overlay(provisioned)

    async def actuate(self, plan: Plan) -> Outcome:
        """Answer as active mode would, from the imagined tables; nothing is sent."""
        return await self._actuation.actuate(plan)

    def _shows_capacity(self, real: TableDescription) -> bool:
        """True of a provisioned table, and of one that was switched back in thought."""
        if real.billing_mode is BillingMode.PROVISIONED:
            return True
        imagined = self._imagined.get(real.table, {})
        is_named = all(r.resource in imagined for r in real.resources)
        return is_named and self._modes.is_back(real.table)

    def _keep_present(self, real: TableDescription) -> dict[Resource, _ImaginedChange]:
        imagined = self._imagined.get(real.table, {})
        present = {description.resource for description in real.resources}
        for gone in imagined.keys() - present:
            del imagined[gone]
        return imagined

    async def _imagine(self, write: Write) -> Refusal | None:
        now = self._clock.now()
        if write.plan.switch is not None:
            return self._imagine_switch(write, write.plan.switch.to, now)
        before = {description.resource: description for description in write.before.resources}
        if write.plan.direction is Direction.IN:
            refusals = (_refuse_decrease(before[c.resource], now=now) for c in write.changes)
            # One exhausted resource refuses the whole call, as in DynamoDB.
            if refusal := next(filter(None, refusals), None):
                return refusal
        imagined = self._imagined.setdefault(write.plan.table, {})
        for change in write.changes:
            imagined[change.resource] = self._change(
                change, before[change.resource], direction=write.plan.direction, now=now
            )
        return None

    def _imagine_switch(self, write: Write, to: BillingMode, now: float) -> Refusal | None:
        """The units that the way back names are in force with the mode."""
        if refusal := self._modes.switch(write.before, to, now):
            return refusal
        before = {description.resource: description for description in write.before.resources}
        imagined = self._imagined.setdefault(write.plan.table, {})
        for change in write.changes:
            described = before[change.resource]
            imagined[change.resource] = _ImaginedChange(
                change=change,
                before=described,
                in_force_at=now,
                last_increase_at=described.last_increase_at,
                last_decrease_at=described.last_decrease_at,
                decreases=None,
            )
        return None

    def _change(
        self,
        change: CapacityChange,
        before: ResourceDescription,
        *,
        direction: Direction,
        now: float,
    ) -> _ImaginedChange:
        earlier = self._imagined[change.resource.table].get(change.resource)
        made = _ImaginedChange(
            change=change,
            before=before,
            in_force_at=now + self._apply_time_s,
            last_increase_at=before.last_increase_at,
            last_decrease_at=before.last_decrease_at,
            decreases=earlier.decreases if earlier else None,
        )
        if direction is Direction.OUT:
            return replace(made, last_increase_at=now)
        return replace(made, last_decrease_at=now, decreases=_count_decreases(before, now=now) + 1)


def _count_decreases(description: ResourceDescription, *, now: float) -> int:
    """Count today's decreases; a description read before midnight tells of yesterday's."""
    last = description.last_decrease_at
    if last is not None and last // DAY_S != now // DAY_S:
        return 0
    return description.decreases_today


def _refuse_decrease(description: ResourceDescription, *, now: float) -> Refusal | None:
    count = _count_decreases(description, now=now)
    last = np.nan if description.last_decrease_at is None else description.last_decrease_at
    retry_at = next_decrease_at(float(count), last, now)
    if retry_at <= now:
        return None
    return Refusal(
        kind=OutcomeKind.DECREASE_QUOTA,
        message=f"{description.resource} has made {count} decreases today",
        retry_at=float(math.floor(retry_at)),  # AWS's answer names a whole second
    )


def _overlay(
    real: ResourceDescription, imagined: _ImaginedChange, *, now: float
) -> ResourceDescription:
    overlaid = replace(real, last_increase_at=imagined.last_increase_at)
    if imagined.decreases is not None and imagined.last_decrease_at is not None:
        is_of_today = imagined.last_decrease_at // DAY_S == now // DAY_S
        overlaid = replace(
            overlaid,
            last_decrease_at=imagined.last_decrease_at,
            decreases_today=imagined.decreases if is_of_today else 0,
        )
    if now < imagined.in_force_at:
        is_settled = real.status is ResourceStatus.ACTIVE
        status = ResourceStatus.UPDATING if is_settled else real.status
        read, write = imagined.before.read, imagined.before.write
    else:
        status = real.status
        read, write = imagined.change.read, imagined.change.write
    return replace(
        overlaid,
        status=status,
        read=read,
        write=write,
        warm_read=_raise_mark(real.warm_read, imagined.before.warm_read, read),
        warm_write=_raise_mark(real.warm_write, imagined.before.warm_write, write),
    )


def _imagine_registration(
    real: Registration, imagined: Mapping[Resource, _ImaginedChange]
) -> Registration:
    """What active and floor mode would have made of a registration.

    Scale-in is suspended where a policy asks for that, and no other asks whether it is. In floor
    mode capacity is imagined to follow the minimum, since nobody knows what the policy would do.
    """
    is_suspended = real.suspension.scale_in or not real.suspension.scale_out
    suspended = replace(real, suspension=replace(real.suspension, scale_in=is_suspended))
    made = imagined.get(real.target.resource)
    if made is None:
        return suspended
    is_read = real.target.dimension is Dimension.READ
    minimum = min(made.change.read if is_read else made.change.write, real.maximum)
    return replace(suspended, minimum=minimum, found_minimum=real.least)


def _raise_mark(real: int | None, before: int | None, units: int) -> int | None:
    """Warm throughput is the high-water mark of what was provisioned."""
    return None if real is None else max(real, before or 0, units)
