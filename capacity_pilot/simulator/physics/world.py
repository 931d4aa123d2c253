"""The model of DynamoDB: tables, their capacity in time, and what is served of their demand.

Clock-free: every method takes ``now``, Unix seconds, or follows an ``advance``. Whole seconds are
served in bulk::

    world.advance(now)                        # what was requested earlier comes into force
    consumed, throttled = world.serve(demand)  # units per slot in this second

by a replay through ``bulk``, which does the same for many seconds between two changes. A server
goes request by request, with ``advance`` before and ``admit`` for each.
"""

from __future__ import annotations

import heapq
import itertools
import math
import zlib
from collections.abc import Container, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NoReturn

import numpy as np

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.model import (
    BillingMode,
    Dimension,
    Resource,
    ResourceStatus,
    ScalableTarget,
)
from capacity_pilot.core.throttling import ThrottleLimit
from capacity_pilot.simulator.physics import billing, on_demand, refusals, updates
from capacity_pilot.simulator.physics.apply_times import ControlPlaneLimiter
from capacity_pilot.simulator.physics.bucket import BurstBuckets, FloatArray
from capacity_pilot.simulator.physics.key_ranges import KeyRanges
from capacity_pilot.simulator.physics.meter import Meter
from capacity_pilot.simulator.physics.settings import WorldSettings
from capacity_pilot.simulator.physics.tables import (
    UNLIMITED,
    PendingChange,
    ResourceState,
    TableSpec,
    TableState,
    Units,
)

_ON_DEMAND_WARM: Final = Units(read=12_000, write=4_000)


@dataclass(frozen=True, slots=True)
class Charge:
    """Units one request takes from one resource (``""`` is the table) in one dimension.

    ``partition`` is the one partition key it touches there, ``None`` if there are several.
    """

    index: str
    dimension: Dimension
    units: float
    partition: Hashable = None


class World:
    """One account in one Region. Read ``buckets`` and ``meter`` freely; change through methods."""

    def __init__(self, settings: WorldSettings | None = None) -> None:
        self.settings = settings or WorldSettings()
        self.buckets = BurstBuckets(
            availability=self.settings.burst_availability,
            initial_burst_seconds=self.settings.initial_burst_seconds,
        )
        self.meter = Meter(publication_lag_seconds=self.settings.publication_lag_seconds)
        self._key_ranges = KeyRanges()
        self._tables: dict[str, TableState] = {}
        self._slowdown = 1.0
        self._limiter = ControlPlaneLimiter(
            per_second=self.settings.control_plane_per_second,
            largest_burst=self.settings.control_plane_burst,
        )
        self._due: list[tuple[float, int, str, str]] = []  # (at, serial, table id, index)
        self._by_id: dict[str, TableState] = {}
        self._serial = itertools.count(1)
        self._free_slots: list[int] = []
        self._reserved = Units(0, 0)  # of all resources

    # Time

    @property
    def next_change_at(self) -> float:
        """When the next change takes force; infinite while none was requested."""
        return self._due[0][0] if self._due else math.inf

    def next_change_of(self, tables: Container[str]) -> float:
        """When the next change of one of these tables takes force; infinite while none was
        requested.
        """
        names = ((at, self._by_id.get(table_id)) for at, _, table_id, _ in self._due)
        return min(
            (at for at, t in names if t is not None and t.spec.name in tables), default=math.inf
        )

    def advance(self, now: float) -> None:
        """Brings the world to ``now``: every change due until then takes force at its own time."""
        while self._due and self._due[0][0] <= now:
            at, _, table_id, index = heapq.heappop(self._due)
            table = self._by_id.get(table_id)
            if table is not None:
                table.turns += 1
                self._begin_second(at)
                if not index:
                    _end_switch(table)
                self._put_in_force(table.resources[index])
        self._begin_second(now)

    def _begin_second(self, at: float) -> None:
        second = int(at // 1)
        self.buckets.advance_to(second)
        self.meter.advance_to(second)
        self._key_ranges.begin_second(second)

    def _put_in_force(self, resource: ResourceState) -> None:
        resource.status = ResourceStatus.ACTIVE
        if resource.pending is None:
            return
        units, reserved = resource.pending.units, resource.reserved
        resource.pending = None
        resource.units = units
        self._count_reserved(reserved, resource.reserved)
        resource.warm = Units(*map(max, resource.warm, units))
        for dimension in Dimension:
            self.buckets.provision(resource.slot(dimension), units[dimension])

    # Control plane

    def slow_down(self, factor: float) -> None:
        """Changes requested from now on take ``factor`` times as long; 1 is as usual."""
        if not 0 < factor < np.inf:
            raise InputError(f"slow-down is {factor}; it must be above 0")
        self._slowdown = factor

    def table(self, name: str) -> TableState:
        """Raises ResourceNotFoundException for a table that does not exist."""
        state = self._tables.get(name)
        if state is None:
            raise refusals.table_missing(name)
        return state

    def tables(self) -> Iterator[TableState]:
        """All tables, by name."""
        return (self._tables[name] for name in sorted(self._tables))

    def create_table(self, spec: TableSpec, now: float, *, luck: str | None = None) -> TableState:
        """Creates a table; it is CREATING until the configured creation time is over.

        Tables of the same ``luck``, their name unless told, have the same apply times drawn.
        """
        if spec.name in self._tables:
            raise refusals.table_exists(spec.name)
        requested = {"": spec.units} | {index.name: index.units for index in spec.indexes}
        maxima = {"": spec.on_demand_maximum}
        maxima |= {index.name: index.on_demand_maximum for index in spec.indexes}
        if spec.billing_mode is BillingMode.PROVISIONED:
            updates.check_shape(requested)
            updates.check_resource_maxima(requested, self.settings.limits, self.settings.region)
        self._check_flux()
        serial = next(self._serial)
        state = TableState(
            spec=spec,
            arn=f"arn:aws:dynamodb:{self.settings.region}:{self.settings.account_id}"
            f":table/{spec.name}",
            table_id=f"00000000-0000-0000-0000-{serial:012x}",
            created_at=now,
            resources={},
            # A table's luck is its own: it does not hang on which other tables there are.
            draws=np.random.default_rng(
                (self.settings.seed, zlib.crc32((luck or spec.name).encode()))
            ),
        )
        on_demand = state.was_on_demand = spec.billing_mode is BillingMode.PAY_PER_REQUEST
        for index, units in requested.items():
            state.resources[index] = ResourceState(
                resource=Resource(spec.name, index),
                units=units,
                warm=_ON_DEMAND_WARM if on_demand else units,
                first_slot=self._take_slots(units),
                on_demand_maximum=maxima[index],
            )
            self._count_reserved(Units(0, 0), units)
            self._schedule(state, index, now + self.settings.apply_times.creation_seconds)
        self._tables[spec.name] = self._by_id[state.table_id] = state
        return state

    def make_room(self, resources: int) -> None:
        """Takes the slots of so many tables and indexes to come at once: for each of them alone,
        all there is would be copied.
        """
        first = self.buckets.size
        self.buckets.make_room(len(Dimension) * resources)
        self.meter.make_room(len(Dimension) * resources)
        self._free_slots += [first + len(Dimension) * n for n in reversed(range(resources))]

    def delete_table(self, name: str) -> TableState:
        """Deletes a table at once (AWS takes seconds) and returns it as DELETING."""
        state = self.table(name)
        updates.check_settled(state, {})
        del self._tables[name], self._by_id[state.table_id]
        for resource in state.resources.values():
            self._count_reserved(resource.reserved, Units(0, 0))
            resource.status = ResourceStatus.DELETING
            for dimension in Dimension:
                self.buckets.provision(resource.slot(dimension), 0.0)
            self._free_slots.append(resource.first_slot)
        return state

    def update_table(self, name: str, changes: updates.Changes, now: float) -> TableState:
        """Takes the call whole or raises; the units stay the old ones until they are in force."""
        updates.check_shape(changes)
        state = self.table(name)
        updates.check_settled(state, changes)
        updates.check_changes(state, changes)
        updates.check_resource_maxima(changes, self.settings.limits, self.settings.region)
        updates.check_account_maximum(
            state,
            changes,
            limits=self.settings.limits,
            region=self.settings.region,
            reserved=self._reserved,
        )
        updates.check_decreases(state, changes, now)
        self._check_flux()
        if not self._limiter.permits(now):
            raise refusals.control_plane_throttled()
        for index, units in changes.items():
            self._request(state, index, units=units, now=now)
        return state

    def switch_billing(
        self, name: str, mode: BillingMode, changes: updates.Changes, now: float
    ) -> TableState:
        """Takes a switch to another mode whole or raises; the old mode serves until it is over."""
        state = self.table(name)
        updates.check_settled(state, changes)
        billing.check_switch(state, mode, changes, now)
        if mode is BillingMode.PROVISIONED:
            limits, region = self.settings.limits, self.settings.region
            updates.check_shape(changes)
            updates.check_resource_maxima(changes, limits, region)
            updates.check_account_maximum(
                state, changes, limits=limits, region=region, reserved=self._reserved
            )
        self._check_flux()
        if not self._limiter.permits(now):
            raise refusals.control_plane_throttled()
        over_at = now + billing.draw_switch_s(state, mode, state.draws) * self._slowdown
        state.switching_to = mode
        if mode is BillingMode.PAY_PER_REQUEST:
            state.on_demand_since.append(now)
        for index, resource in state.resources.items():
            reserved = resource.reserved
            if index and mode is BillingMode.PAY_PER_REQUEST:
                resource.quota = resource.quota.spend(now)  # as AWS counts it, of indexes alone
            resource.status = ResourceStatus.UPDATING
            resource.pending = PendingChange(changes.get(index, Units(0, 0)), over_at)
            self._count_reserved(reserved, resource.reserved)
            self._schedule(state, index, over_at)
        return state

    def limit_on_demand(self, name: str, maxima: on_demand.Maxima) -> TableState:
        """Sets what an on-demand table and its indexes may be asked for, at once, or raises."""
        state = self.table(name)
        on_demand.check_maxima(state, maxima)
        for index, asked in maxima.items():
            on_demand.set_maximum(state.resources[index], asked)
        return state

    def _request(self, state: TableState, index: str, *, units: Units, now: float) -> None:
        resource = state.resources[index]
        if updates.is_decrease(resource.units, units):
            resource.quota = resource.quota.spend(now)
        if updates.is_increase(resource.units, units):
            resource.last_increase_at = now
        takes = self.settings.apply_times.draw(
            state.draws,
            is_index=bool(index),
            is_warm=units.read <= resource.warm.read and units.write <= resource.warm.write,
        )
        takes *= self._slowdown
        reserved = resource.reserved
        resource.status = ResourceStatus.UPDATING
        resource.pending = PendingChange(units, now + takes)
        self._count_reserved(reserved, resource.reserved)
        self._schedule(state, index, now + takes)

    def _schedule(self, state: TableState, index: str, at: float) -> None:
        state.turns += 1
        heapq.heappush(self._due, (at, next(self._serial), state.table_id, index))

    def _check_flux(self) -> None:
        limit = self.settings.tables_in_flux
        # whatever is in flux is due at some time; what is due may belong to a table deleted since
        if len({table_id for _, _, table_id, _ in self._due if table_id in self._by_id}) >= limit:
            raise refusals.limit_exceeded(
                f"Subscriber limit exceeded: Only {limit} tables can be created, updated, or "
                "deleted simultaneously"
            )

    def _count_reserved(self, before: Units, after: Units) -> None:
        self._reserved = Units(
            self._reserved.read + after.read - before.read,
            self._reserved.write + after.write - before.write,
        )

    def _take_slots(self, units: Units) -> int:
        if self._free_slots:
            first = self._free_slots.pop()
            for dimension in Dimension:
                self.buckets.restart(first + dimension, units[dimension])
                self.meter.restart(first + dimension)
            return first
        first = self.buckets.size
        for dimension in Dimension:
            self.buckets.add(units[dimension])
            self.meter.add()
        return first

    # Data plane

    def slot(self, target: ScalableTarget) -> int:
        """A target's place in every array of shape (n,)."""
        state = self.table(target.resource.table)
        resource = state.resources.get(target.resource.index)
        if resource is None:
            raise refusals.index_missing(target.resource.table, target.resource.index)
        return resource.slot(target.dimension)

    def serve(self, demand: FloatArray) -> tuple[FloatArray, FloatArray]:
        """This second's demand, units of shape (n,), in bulk; returns (consumed, throttled).

        Slots are served independently: callers who want an index to hold its table back give
        both demands already coupled. On-demand tables have no place in a bulk replay.
        """
        consumed, throttled = self.buckets.serve(demand)
        self.meter.record(consumed, throttled)
        return consumed, throttled

    def admit(self, state: TableState, charges: Sequence[Charge]) -> None:
        """Serves one request from every resource it touches, or raises and takes nothing.

        A write to a table waits for all its indexes: one index short of write capacity throttles
        the table's write (AWS developer guide, "GSI back-pressure"), and a hot partition does what
        a table short of capacity does, in on-demand mode as well, as do its maximum and the
        account's quota there. Only the resources that are short count a throttle event, each with
        the units it was asked for.
        """
        slotted = [(state.resources[c.index].slot(c.dimension), c) for c in charges]
        short = {
            c: ThrottleLimit.KEY_RANGE
            for s, c in slotted
            if not self._key_ranges.has_room(s, c.dimension, c.partition, c.units)
        }
        if state.is_on_demand:
            short |= {
                c: limit for s, c in slotted if (limit := self._find_on_demand_limit(state, s, c))
            }
        else:
            short |= {
                c: ThrottleLimit.PROVISIONED
                for s, c in slotted
                if self.buckets.spendable(s) < c.units
            }
        if short:
            self._refuse(state, slotted, short)
        for slot, charge in slotted:
            if not state.is_on_demand:
                self.buckets.admit(slot, charge.units)
            self._key_ranges.take(slot, charge.partition, charge.units)
            self.meter.record_served(slot, charge.units)

    def _find_on_demand_limit(
        self, state: TableState, slot: int, charge: Charge
    ) -> ThrottleLimit | None:
        return on_demand.find_limit(
            state.resources[charge.index],
            charge.dimension,
            self.meter.served_this_second(slot) + charge.units,
            self.settings.limits,
        )

    def _refuse(
        self,
        state: TableState,
        slotted: Iterable[tuple[int, Charge]],
        short: Mapping[Charge, ThrottleLimit],
    ) -> NoReturn:
        for slot, charge in slotted:
            if charge in short:
                self.meter.record_refused(slot, charge.units)
        raise refusals.throttled(
            (
                refusals.ThrottlingReason(
                    limit=limit,
                    dimension=charge.dimension,
                    is_index=bool(charge.index),
                    arn=state.arn_of(charge.index),
                )
                for charge, limit in short.items()
            ),
            is_on_demand=state.is_on_demand,
        )


def _end_switch(table: TableState) -> None:
    """The table, and with it its indexes, is in the mode that was asked for, if one was."""
    if table.switching_to is None:
        return
    table.spec = replace(table.spec, billing_mode=table.switching_to)
    table.switching_to = None
    for resource in table.resources.values():
        resource.on_demand_maximum = UNLIMITED  # as AWS drops it
    if table.is_on_demand:
        table.was_on_demand = True
        for resource in table.resources.values():
            resource.warm = Units(*map(max, resource.warm, _ON_DEMAND_WARM))
