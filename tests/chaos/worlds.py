"""The world the pilot works in, and worlds that differ from it in having no pilot."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from capacity_pilot.core.model import AccountLimits, Dimension, Resource, ScalableTarget
from capacity_pilot.simulator.physics.apply_times import ApplyTimes
from capacity_pilot.simulator.physics.settings import WorldSettings
from capacity_pilot.simulator.physics.world import World
from tests.chaos import meddling
from tests.chaos.scaler import Scaler
from tests.chaos.schedule import TAG, Floats, Schedule, Target

Ints = npt.NDArray[np.int64]

_MADE_AT_ONCE = 100
"""AWS makes 500 tables at a time."""


@dataclass(frozen=True, slots=True)
class Served:
    """A second's demand of every target, and what was refused of it, (targets, 2)."""

    demand: Floats
    throttled: Floats


class ServedWorld:
    """A world with the schedule's tables and demand. ``throttled`` is the sum of units so far.

    Apply times have no luck in them, so that the same change takes as long in every world. Where
    ``at_floor`` holds, nothing ever has more units than the policy's floor: a table nobody scales,
    at what its operator calls enough, or at less where somebody else made it less. Everywhere else
    the ``scaler`` scales what is Application Auto Scaling's.
    """

    def __init__(self, schedule: Schedule, *, at_floor: bool = False) -> None:
        self.world = World(
            WorldSettings(
                apply_times=ApplyTimes(
                    median_seconds=schedule.apply_s, sigma=0.0, warm_is_fast=False
                ),
                limits=AccountLimits(
                    account_read=schedule.account_units, account_write=schedule.account_units
                ),
                control_plane_per_second=schedule.updates_per_second,
                control_plane_burst=max(schedule.updates_per_second, 2.0),
                initial_burst_seconds=30.0,
            )
        )
        self.throttled = np.zeros((len(schedule.targets), 2))
        self._schedule = schedule
        self._at_floor = at_floor
        self._demand = np.stack([target.demand for target in schedule.targets])
        self._places: tuple[Ints, Ints] | None = None  # numbers of targets (m,), slots (m, 2)
        by_table: dict[str, list[Target]] = defaultdict(list)
        for target in schedule.targets:
            by_table[target.resource.table].append(target)
        self._by_table = dict(by_table)
        self.world.make_room(len(schedule.targets))
        for number, table in enumerate(schedule.tables):
            self.create(table, schedule.began_at)
            if number % _MADE_AT_ONCE == 0:
                self.world.advance(schedule.began_at)
        self.world.advance(schedule.began_at)
        self.scaler = Scaler(schedule, self.world) if schedule.is_floor and not at_floor else None

    def advance(self, now: float) -> None:
        """Lets come into force what is due, and whoever scales scale."""
        self.world.advance(now)
        if self.scaler is not None:
            self.scaler.advance(now)

    def create(self, table: str, now: float) -> None:
        """The table and the indexes it has from the beginning."""
        of_table = [target for target in self._by_table[table] if not target.spare]
        indexes = tuple(t.resource.index for t in of_table if t.resource.index)
        units = self._bound(table, of_table[0].units)
        state = self.world.create_table(meddling.table_spec(table, indexes, units), now)
        state.tags[TAG] = table
        self._places = None

    def delete(self, table: str) -> None:
        self.world.delete_table(table)
        self._places = None

    def set_capacity(self, resource: Resource, units: int, now: float) -> bool:
        """True if it was taken."""
        return meddling.set_capacity(self.world, resource, self._bound(resource.table, units), now)

    def add_index(self, spare: Target, now: float) -> None:
        table, index = spare.resource.table, spare.resource.index
        meddling.add_index(self.world, table, index, self._bound(table, spare.units), now)
        self._places = None

    def begin_removing_index(self, resource: Resource, now: float) -> None:
        meddling.begin_removing_index(self.world, resource.table, resource.index, now)

    def remove_index(self, resource: Resource) -> None:
        meddling.remove_index(self.world, resource.table, resource.index)
        self._places = None

    def serve(self, second: int) -> Served:
        """Serves a second of everybody's demand."""
        if self._places is None:
            self._places = self._find_places()
        numbers, slots = self._places
        served = Served(np.zeros_like(self.throttled), np.zeros_like(self.throttled))
        served.demand[numbers] = self._demand[numbers, :, second]
        asked = np.zeros(self.world.buckets.size)
        asked[slots] = np.where(self._on_demand(numbers), 0.0, served.demand[numbers])
        _, throttled = self.world.serve(asked)
        served.throttled[numbers] = throttled[slots]
        self.throttled += served.throttled
        return served

    def is_in_pilots_hands(self) -> npt.NDArray[np.bool_]:
        """(targets, 2): where more capacity is the pilots' to ask for. In floor mode it is not
        where nothing is registered, or where Application Auto Scaling has yet to pull it up: one
        target of a table at a time.
        """
        if self.scaler is None:
            return np.ones_like(self.throttled, dtype=np.bool_)
        is_theirs = [
            [self.scaler.is_pulled_up(ScalableTarget(t.resource, d)) for d in Dimension]
            for t in self._schedule.targets
        ]
        return np.array(is_theirs, dtype=np.bool_)

    def _on_demand(self, numbers: Ints) -> npt.NDArray[np.bool_]:
        """(m, 1), where the table has no capacity and throttles nothing."""
        if not self._schedule.may_escape:
            return np.zeros((len(numbers), 1), dtype=np.bool_)
        names = {state.spec.name for state in self.world.tables() if state.is_on_demand}
        is_on = [self._schedule.targets[n].resource.table in names for n in numbers.tolist()]
        return np.array(is_on, dtype=np.bool_).reshape(-1, 1)

    def units(self, resource: Resource) -> tuple[int, int] | None:
        """(read, write) in force; ``None`` where there is no such resource."""
        if not meddling.has_table(self.world, resource.table):
            return None
        state = self.world.table(resource.table).resources.get(resource.index)
        return None if state is None else (state.units.read, state.units.write)

    def _find_places(self) -> tuple[Ints, Ints]:
        by_name = {state.spec.name: state.resources for state in self.world.tables()}
        places = [
            (number, [state.slot(dimension) for dimension in Dimension])
            for number, target in enumerate(self._schedule.targets)
            if (state := by_name.get(target.resource.table, {}).get(target.resource.index))
        ]
        numbers = np.array([number for number, _ in places], dtype=np.int64)
        return numbers, np.array([s for _, s in places], dtype=np.int64).reshape(-1, 2)

    def _bound(self, table: str, units: int) -> int:
        return min(units, self._schedule.floor[table]) if self._at_floor else units
