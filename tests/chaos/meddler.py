"""Carries out what others do to the tables, in the pilot's world and the same in its twins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from capacity_pilot.core.model import Resource
from tests.chaos import meddling
from tests.chaos.aws import Account
from tests.chaos.faults import Foreign, IndexChange, Recreated, Reregistered, SlowApplies
from tests.chaos.schedule import SPARE, Schedule
from tests.chaos.worlds import ServedWorld

_GIVES_UP_AFTER_S = 60.0

Step = Iterator[None]
"""Somebody at work: resumed every second until through."""


class Meddler:
    """Call ``meddle`` every second. What AWS does not take of the pilot's world happens nowhere."""

    def __init__(
        self,
        schedule: Schedule,
        account: Account,
        pilots: ServedWorld,
        twins: Sequence[ServedWorld],
    ) -> None:
        self._schedule = schedule
        self._account = account
        self._pilots = pilots
        self._worlds = (pilots, *twins)
        self._twins = tuple(twins)
        self._waiting = sorted(
            (
                f
                for f in schedule.faults
                if isinstance(f, Foreign | Recreated | IndexChange | Reregistered)
            ),
            key=lambda fault: fault.at,
        )
        self._at_work: list[Step] = []
        self._targets = {target.resource: target for target in schedule.targets}

    def meddle(self, second: int) -> None:
        self._set_pace(second)
        while self._waiting and self._waiting[0].at <= second:
            self._at_work.append(self._begin(self._waiting.pop(0)))
        self._at_work = [work for work in self._at_work if next(work, self) is None]

    def _set_pace(self, second: int) -> None:
        factor = 1.0
        for fault in self._schedule.faults:
            if isinstance(fault, SlowApplies) and second in fault.during:
                factor *= fault.factor
        for served in self._worlds:
            served.world.slow_down(factor)

    def _begin(self, fault: Foreign | Recreated | IndexChange | Reregistered) -> Step:
        match fault:
            case Foreign():
                return self._set_capacity(fault)
            case Reregistered():
                return self._set_minimum(fault)
            case Recreated():
                return self._recreate(fault)
            case _:
                return self._change_index(fault)

    def _set_capacity(self, fault: Foreign) -> Step:
        units = max(1, int(self._targets[fault.resource].units * fault.factor))
        yield from self._wait_until_settled(fault.resource.table, fault.at)
        if not self._is_settled(fault.resource.table):
            return
        now = self._account.now
        if self._pilots.set_capacity(fault.resource, units, now):
            for twin in self._twins:
                twin.set_capacity(fault.resource, units, now)
            self._account.note_change(fault.resource.table)

    def _set_minimum(self, fault: Reregistered) -> Step:
        """One that no pilot asked for: such a one could not be told from its own."""
        table = fault.target.resource.table
        yield from self._wait_until_settled(table, fault.at)
        if not self._is_settled(table):
            return
        asked = {call.parameters.get("MinCapacity") for call in self._account.calls}
        minimum = max(2, int(self._schedule.floor[table] * fault.factor))
        while minimum in asked:
            minimum += 1
        for served in self._worlds:
            if served.scaler is not None:
                served.scaler.set_minimum(fault.target, minimum, self._account.now)

    def _recreate(self, fault: Recreated) -> Step:
        yield from self._wait_until_settled(fault.table, fault.at)
        if not self._is_settled(fault.table):
            return
        gone_at = self._account.now
        for served in self._worlds:
            served.delete(fault.table)
        self._account.note_change(fault.table)
        while self._account.now < gone_at + fault.away_s:
            yield
        for served in self._worlds:
            served.create(fault.table, self._account.now)
            served.world.advance(self._account.now)
        self._account.note_change(fault.table)

    def _change_index(self, fault: IndexChange) -> Step:
        spare = Resource(fault.table, SPARE)
        yield from self._wait_until_settled(fault.table, fault.at)
        if not self._is_settled(fault.table) or self._pilots.units(spare) is not None:
            return
        for served in self._worlds:
            served.add_index(self._targets[spare], self._account.now)
        self._account.note_change(fault.table)
        added_at = self._account.now
        while self._account.now < added_at + fault.stays_s:
            yield
        yield from self._wait_until_settled(fault.table, fault.at + fault.stays_s)
        if not self._is_settled(fault.table) or self._pilots.units(spare) is None:
            return
        for served in self._worlds:
            served.begin_removing_index(spare, self._account.now)
        self._account.note_change(fault.table)
        began_at = self._account.now
        while self._account.now < began_at + meddling.INDEX_CHANGE_S - 1:
            yield
        for served in self._worlds:
            if served.units(spare) is not None:
                served.remove_index(spare)
        self._account.note_change(fault.table)

    def _wait_until_settled(self, table: str, since: float) -> Step:
        while not self._is_settled(table):
            if self._account.now - self._account.epoch > since + _GIVES_UP_AFTER_S:
                return
            yield

    def _is_settled(self, table: str) -> bool:
        return all(
            meddling.has_table(served.world, table) and meddling.is_settled(served.world, table)
            for served in self._worlds
        )
