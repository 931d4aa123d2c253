"""What Application Auto Scaling has registered, as last read, and the changes made to it.

Whatever is changed is held first (``core/holds``), changed, and read again: an accepted call is no
proof, and one without an answer no disproof.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from capacity_pilot.adapters.aws.auto_scaling import MOST_RESOURCES
from capacity_pilot.adapters.scaling_holds import KeptHolds
from capacity_pilot.core.auto_scaling import Registration, Suspension
from capacity_pilot.core.errors import GatewayError
from capacity_pilot.core.holds import Hold
from capacity_pilot.core.model import Resource, ScalableTarget, TableDescription
from capacity_pilot.core.ports import AutoScaling, Clock

STALE_S: Final = 600.0
"""What was read longer ago says nothing of what is registered now."""

_CHANGES_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class _Reading:
    at: float
    registrations: Mapping[ScalableTarget, Registration]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignChange:
    """A registration that somebody else has changed, made or removed since it was last read."""

    target: ScalableTarget
    before: Registration | None
    after: Registration | None


class Registrations:
    """Registrations by resource, and the pilot's holds on them."""

    def __init__(self, scaling: AutoScaling, *, holds: KeptHolds, clock: Clock) -> None:
        self.holds = holds
        self._scaling = scaling
        self._clock = clock
        self._readings: dict[Resource, _Reading] = {}
        self._policies: dict[Resource, frozenset[ScalableTarget]] = {}
        self._policies_asked_at: dict[Resource, float] = {}
        self._foreign: list[ForeignChange] = []

    @property
    def known(self) -> Iterator[Registration]:
        """All that is registered, as last read."""
        for reading in self._readings.values():
            yield from map(self._annotate, reading.registrations.values())

    def read_at(self, resource: Resource) -> float | None:
        """When a resource was last read, ``None`` for never."""
        reading = self._readings.get(resource)
        return None if reading is None else reading.at

    def awaits_policies(self, resource: Resource) -> bool:
        """True where something is registered whose policies were not asked for lately."""
        reading = self._readings.get(resource)
        asked_at = self._policies_asked_at.get(resource, -STALE_S)
        is_due = self._clock.now() - asked_at >= STALE_S
        return reading is not None and bool(reading.registrations) and is_due

    def complete(self, description: TableDescription) -> TableDescription:
        """The description with what is registered; ``None`` where part of it is not known."""
        oldest = self._clock.now() - STALE_S
        found: list[Registration] = []
        for r in description.resources:
            reading = self._readings.get(r.resource)
            if reading is None or reading.at < oldest:
                return replace(description, registrations=None)
            found += map(self._annotate, reading.registrations.values())
        return replace(description, registrations=tuple(found))

    def take_foreign_changes(self) -> tuple[ForeignChange, ...]:
        """What was seen of others since last asked."""
        seen, self._foreign = self._foreign, []
        return tuple(seen)

    def forget_others(self, than: Iterable[Resource]) -> None:
        """Forgets what is known of other resources than these."""
        kept = frozenset(than)
        self._readings = {r: known for r, known in self._readings.items() if r in kept}
        self._policies = {r: known for r, known in self._policies.items() if r in kept}
        asked = self._policies_asked_at
        self._policies_asked_at = {r: at for r, at in asked.items() if r in kept}

    async def read(self, resources: Sequence[Resource]) -> None:
        """Reads what is registered of them.

        Raises ``GatewayError`` when AWS cannot be asked, ``JournalError`` or ``LeaseError`` when a
        minimum that somebody else has set could not be made the one to give back.
        """
        for batch in _batches(resources):
            asked_at = self._clock.now()
            found = {r.target: r for r in await self._scaling.read(batch)}
            for resource in batch:
                of_resource = {t: r for t, r in found.items() if t.resource == resource}
                self._notice(resource, of_resource)
                self._readings[resource] = _Reading(asked_at, of_resource)
            holds = [hold for t in found if (hold := self.holds.all.get(t)) is not None]
            await self.holds.keep(*(hold.seeing(found[hold.target]) for hold in holds))

    async def read_policies(self, resource: Resource) -> None:
        """Learns which of a resource's targets have a policy. Raises ``GatewayError``."""
        self._policies_asked_at[resource] = self._clock.now()
        self._policies[resource] = await self._scaling.read_policies(resource)

    async def set_minimums(self, wanted: Sequence[tuple[Registration, int]]) -> GatewayError | None:
        """Holds what was found, then asks for the minimums, all of them: the first failure.

        Raises ``JournalError`` or ``LeaseError`` if nothing was asked for.
        """
        held = (self._hold(found.target).asking(found, minimum) for found, minimum in wanted)
        await self.holds.keep(*held)
        return await self._register_all(
            [(found.target, minimum, None) for found, minimum in wanted]
        )

    async def suspend_scale_in(self, found: Sequence[Registration]) -> GatewayError | None:
        """Holds what was found, then suspends scale-in. As ``set_minimums`` else."""
        await self.holds.keep(*(self._hold(r.target).suspending() for r in found))
        return await self._register_all(
            [(r.target, None, replace(r.suspension, scale_in=True)) for r in found]
        )

    async def give_back(self, targets: Iterable[ScalableTarget]) -> None:
        """Registers again what was there and lets go of what is then seen to be back.

        Raises ``GatewayError`` for what could not be given back, which stays held.
        """
        targets = [target for target in targets if target in self.holds.all]
        resources = list(dict.fromkeys(target.resource for target in targets))
        await self.read(resources)
        failure = await self._register_all(
            [
                (
                    target,
                    None if wanted.minimum == found.minimum else wanted.minimum,
                    None if wanted.suspension == found.suspension else wanted.suspension,
                )
                for target in targets
                if (found := self._found(target)) is not None
                and (wanted := self.holds.all[target].give_back(found)) != found
            ]
        )
        await self.read(resources)
        left = [t for t in targets if not self._is_back(t)]
        await self.holds.let_go(*(t for t in targets if t not in left))
        if left:
            raise failure or GatewayError(f"not seen to be back: {', '.join(map(str, left))}")

    async def _register_all(
        self, changes: Sequence[tuple[ScalableTarget, int | None, Suspension | None]]
    ) -> GatewayError | None:
        turns = asyncio.Semaphore(_CHANGES_AT_ONCE)

        async def register(
            target: ScalableTarget, minimum: int | None, suspension: Suspension | None
        ) -> GatewayError | None:
            async with turns:
                try:
                    await self._scaling.register(target, minimum=minimum, suspension=suspension)
                except GatewayError as error:
                    return error
            return None

        failures = await asyncio.gather(*(register(*change) for change in changes))
        return next(filter(None, failures), None)

    def _hold(self, target: ScalableTarget) -> Hold:
        return self.holds.all.get(target, Hold(target=target))

    def _found(self, target: ScalableTarget) -> Registration | None:
        return self._readings[target.resource].registrations.get(target)

    def _is_back(self, target: ScalableTarget) -> bool:
        found = self._found(target)
        return found is None or self.holds.all[target].give_back(found) == found

    def _notice(self, resource: Resource, after: Mapping[ScalableTarget, Registration]) -> None:
        """Remembers what others have changed of a resource that was read before."""
        reading = self._readings.get(resource)
        if reading is None:
            return
        before = reading.registrations
        for target in sorted(before.keys() | after.keys()):
            was, now = before.get(target), after.get(target)
            if was != now and not self._is_ours(target, was, now):
                self._foreign.append(ForeignChange(target=target, before=was, after=now))

    def _is_ours(
        self, target: ScalableTarget, was: Registration | None, now: Registration | None
    ) -> bool:
        hold = self.holds.all.get(target)
        if hold is None or was is None or now is None:
            return False
        changed = replace(
            was,
            minimum=now.minimum if now.minimum in (*hold.asked, hold.minimum) else was.minimum,
            suspension=replace(
                was.suspension,
                scale_in=(now.suspension.scale_in and hold.resumes_scale_in)
                or was.suspension.scale_in,
            ),
        )
        return now == changed or now == hold.give_back(was)

    def _annotate(self, registration: Registration) -> Registration:
        hold = self.holds.all.get(registration.target)
        policies = self._policies.get(registration.target.resource)
        return replace(
            registration,
            has_policy=None if policies is None else registration.target in policies,
            found_minimum=None if hold is None else hold.minimum,
        )


def _batches(resources: Sequence[Resource]) -> Iterator[Sequence[Resource]]:
    for first in range(0, len(resources), MOST_RESOURCES):
        yield resources[first : first + MOST_RESOURCES]
