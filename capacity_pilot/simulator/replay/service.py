"""Demand served for all strategies' tables at once, in runs of seconds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.errors import InputError
from capacity_pilot.core.fleet import Floats, Ints
from capacity_pilot.simulator.physics.bucket import BURST, PROVISIONED
from capacity_pilot.simulator.physics.bulk import begin_second, take_units
from capacity_pilot.simulator.physics.world import World
from capacity_pilot.simulator.replay.ledger import MINUTE_S, Ledger, note_second
from capacity_pilot.simulator.replay.retries import Retries
from capacity_pilot.simulator.replay.telemetry import Told
from capacity_pilot.simulator.workload import Workload


class Service:
    """Serves every column its workload's demand and writes down what came of it.

    Columns are the workloads under each of so many ``pilots``, then the same under each further
    strategy; ``slots`` (n,) is where the world keeps their tables. Slots that no column has are
    left as they are.
    ``began_at`` is the Unix time of the first second, a whole minute.
    """

    def __init__(
        self,
        workloads: Sequence[Workload],
        *,
        world: World,
        ledger: Ledger,
        slots: Ints,
        pilots: int,
        retries: Retries | None,
        began_at: float,
    ) -> None:
        for workload in workloads:
            _check_demand(workload)
        self._demand = np.stack([w.demand for w in workloads], axis=1)
        self._requests = np.stack([w.requests for w in workloads], axis=1)
        self._is_recorded = np.stack([w.is_recorded for w in workloads], axis=1)
        self._own = slice(0, pilots * len(workloads))
        self._world = world
        self._ledger = ledger
        workload_of = np.arange(len(slots)) % len(workloads)
        self._columns = np.stack((slots, workload_of))
        self._own_columns = np.ascontiguousarray(self._columns[:, self._own])
        self._retries = retries
        self._began_at = int(began_at)
        self._served = 0
        self._nothing = np.zeros(len(slots))

    @property
    def served(self) -> int:
        """Seconds served so far."""
        return self._served

    def serve_until(self, second: int) -> Told:
        """Serves the seconds before ``second`` that were not, in which no capacity may change.

        Returns what telemetry could tell of the pilots' tables in them.
        """
        told = Told.none()
        while self._served < second:
            first = self._served
            # throttled callers come back from one second to the next
            last = second if self._retries is None else first + 1
            told = told.and_then(self._serve_run(first, last))
            self._served = last
        return told

    def foretell(self, second: int) -> Told:
        """What telemetry will be able to tell of the seconds before ``second`` that were not
        served yet, if no capacity changes in them. Serves nothing. Without callers that come back.
        """
        first, columns = self._served, self._own_columns
        units = np.empty((2, second - first, columns.shape[1]))
        buckets = self._world.buckets
        _serve_seconds(
            buckets.levels.copy(),
            buckets.second == self._began_at + first,
            self._ledger.tally.copy(),
            columns,
            self._demand[first:second],
            self._nothing,
            units,
        )
        asked, calls = self._ask(first, second)
        return self._tell(first, asked, calls, refusals=units[1], lost=units[1])

    def _serve_run(self, first: int, last: int) -> Told:
        own = self._own
        units, calls = self._ask(first, last)
        if self._retries is None:
            _, throttled = self._serve(first, last, self._nothing)
            refusals = lost = throttled[:, own]
        else:
            fresh, due = self._demand[first, self._columns[1]], self._retries.take_due(first)
            consumed, throttled = self._serve(first, last, due.sum(axis=0))
            given_up = self._retries.come_back(first, fresh=fresh, due=due, throttled=throttled[0])
            # A span ends when its call is served or given up.
            calls_per_unit = np.divide(calls, units, out=np.ones_like(units), where=units > 0)
            refusals, lost = throttled[:, own], given_up[None, own]
            units = consumed[:, own] + lost
            calls = units * calls_per_unit
        return self._tell(first, units, calls, refusals=refusals, lost=lost)

    def _ask(self, first: int, last: int) -> tuple[Floats, Floats]:
        """Units and calls asked of the pilots' tables, (seconds, n) each."""
        seconds, workloads = slice(first, last), self._own_columns[1]
        return self._demand[seconds, workloads], self._requests[seconds, workloads]

    def _tell(
        self, first: int, units: Floats, calls: Floats, *, refusals: Floats, lost: Floats
    ) -> Told:
        last = first + len(units)
        told = np.nonzero(self._is_recorded[first:last, self._own_columns[1]] & (calls > 0))
        seconds, columns = told
        return Told(first + seconds, columns, units[told], calls[told], refusals[told], lost[told])

    def _serve(self, first: int, last: int, again: Floats) -> Floats:
        """Units consumed and throttled, (2, seconds, n); ``again`` (n,) comes on top of demand.

        CloudWatch hears of a minute when it has ended, since it shows no part of one.
        """
        units = np.empty((2, last - first, len(self._nothing)))
        buckets = self._world.buckets
        begins = first
        while begins < last:
            ends = min(last, (begins // MINUTE_S + 1) * MINUTE_S)
            has_begun = buckets.second == self._began_at + begins
            _serve_seconds(
                buckets.levels,
                has_begun,
                self._ledger.tally,
                self._columns,
                self._demand[begins:ends],
                again,
                units[:, begins - first : ends - first],
            )
            buckets.second = self._began_at + ends - 1
            self._pass_seconds(ends - begins)
            begins = ends
        return units

    def _pass_seconds(self, seconds: int) -> None:
        minute = self._ledger.pass_seconds(seconds)
        if minute is not None:
            buckets, meter = self._world.buckets, self._world.meter
            sums = np.zeros((2, buckets.size))
            sums[:, self._columns[0]] = minute.consumed, minute.throttled
            if buckets.second is not None:
                meter.advance_to(buckets.second)
            meter.record(*sums)


def _check_demand(workload: Workload) -> None:
    is_right = np.isfinite(workload.demand) & (workload.demand >= 0.0)
    if not is_right.all():
        second = int(np.argmin(is_right))
        raise InputError(
            f"{workload.name}'s demand of second {second} is {workload.demand[second]} units; "
            "it must be finite and >= 0"
        )


@compiled
def _serve_seconds(
    levels: Floats,
    has_begun: bool,  # noqa: FBT001 - compiled code takes no keywords
    tally: Floats,
    columns: Ints,
    demand: Floats,
    again: Floats,
    units: Floats,
) -> None:
    """Each array on its own, since to unpack a tuple of them would cost more than the work.

    ``columns`` (2, n) is slots and workloads, ``units`` (2, seconds, n) what is consumed and
    throttled.
    """
    for column in range(columns.shape[1]):
        slot, workload = columns[0, column], columns[1, column]
        for second in range(demand.shape[0]):
            if second > 0 or not has_begun:
                begin_second(levels, slot)
            asked = demand[second, workload] + again[column]
            consumed = take_units(levels, slot, asked)
            throttled = asked - consumed
            units[0, second, column] = consumed
            units[1, second, column] = throttled
            note_second(
                tally, column, levels[PROVISIONED, slot], levels[BURST, slot], consumed, throttled
            )
