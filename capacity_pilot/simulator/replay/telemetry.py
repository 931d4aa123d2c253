"""What spans tell the pilot of the world's demand, and when it arrives."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from capacity_pilot.core.fleet import Bools, Floats, Ints
from capacity_pilot.simulator.replay.scenario import (
    LateSpans,
    Restart,
    Sampling,
    Scenario,
    TelemetryGap,
    Untraced,
)


class Told(NamedTuple):
    """Demand of single seconds of the pilots' tables, as told: an entry, (k,) each, per second and
    table. Units, calls, refused units, and the part of ``units`` that was refused in the end.

    Seconds are counted from the replay's beginning, ``columns`` are the tables in order. Where
    nothing is told there is no entry, which is not the same as zero.
    """

    seconds: Ints
    columns: Ints
    units: Floats
    requests: Floats
    refusals: Floats
    throttled: Floats

    @classmethod
    def none(cls) -> Told:
        empty = np.zeros(0)
        return cls(empty.astype(np.int64), empty.astype(np.int64), empty, empty, empty, empty)

    def of(self, chosen: slice | Bools | Ints) -> Told:
        """These entries."""
        return Told._make(values[chosen] for values in self)

    def and_then(self, later: Told) -> Told:
        """These entries and those after them."""
        if not len(self.seconds) or not len(later.seconds):
            return later if len(later.seconds) else self
        return Told._make(map(np.concatenate, zip(self, later, strict=True)))


class Telemetry:
    """Takes each second's truth and gives what of it arrives, late by the usual lag or more.

    ``usual_s`` is whole seconds from a second's beginning until it may be told of. ``draws`` (n,)
    are each table's own: they do not hang on which others are replayed beside it.
    """

    def __init__(self, scenario: Scenario, *, lag_s: float, draws: list[np.random.Generator]):
        self._scenario = scenario
        self._lag_s = lag_s
        self.usual_s = int(np.ceil(1 + lag_s))
        self._draws = draws
        self._due: Ints = np.zeros(0, dtype=np.int64)
        self._underway = Told.none()
        self._passed = -1

    def observe(self, told: Told) -> None:
        """These seconds are over, and ``told`` is all there would be to tell of them."""
        if not self._scenario.faults:
            self._send(told, told.seconds + self.usual_s)
            return
        for second in np.unique(told.seconds).tolist():
            self._pass_on(told.of(told.seconds == second), second)

    def arrivals(self, first: int, last: int, ahead: Told) -> tuple[Told, Ints]:
        """What arrives by the beginning of each second from ``first`` on and before ``last``, and
        how many entries have by each. ``ahead`` is what will have been observed until then.
        """
        due, told = self._due, self._underway
        if len(ahead.seconds):
            due = np.concatenate((due, ahead.seconds + self.usual_s))
            told = told.and_then(ahead)
        ends = np.searchsorted(due, np.arange(first, last), side="right")
        return told.of(slice(ends[-1])), ends

    def pass_until(self, second: int) -> None:
        """What arrived by the beginning of ``second`` is told to nobody else any more."""
        self._passed = second
        arrived = np.searchsorted(self._due, second, side="right")
        self._due, self._underway = self._due[arrived:], self._underway.of(slice(arrived, None))

    def _send(self, told: Told, due: Ints) -> None:
        """Under way until ``due`` (k,); what was told ahead has arrived."""
        is_coming = due > self._passed
        due = np.concatenate((self._due, due[is_coming]))
        told = self._underway.and_then(told.of(is_coming))
        if np.any(due[1:] < due[:-1]):
            order = np.argsort(due, kind="stable")
            due, told = due[order], told.of(order)
        self._due, self._underway = due, told

    def _pass_on(self, told: Told, second: int) -> None:
        scenario = self._scenario
        if any(scenario.of(TelemetryGap, second)) or any(scenario.of(Restart, second)):
            return
        for untraced in scenario.of(Untraced, second):
            told = self._keep(told, 1 - untraced.share, stands_for=1.0)
        for sampling in scenario.of(Sampling, second):
            told = self._keep(told, sampling.ratio, stands_for=1 / sampling.ratio)
        late = next(scenario.of(LateSpans, second), None)
        due = second + self.usual_s
        slow = due if late is None else int(np.ceil(second + 1 + self._lag_s + late.by))
        if late is None or slow == due:
            self._send(told, np.full(len(told.seconds), due))
            return
        self._send(_part(told, late.share), np.full(len(told.seconds), slow))
        if late.share < 1:
            self._send(_part(told, 1 - late.share), np.full(len(told.seconds), due))

    def _keep(self, told: Told, ratio: float, *, stands_for: float) -> Told:
        """This share of calls, drawn, each standing for so many."""
        calls = zip(told.columns.tolist(), np.rint(told.requests).tolist(), strict=True)
        kept = np.array([self._draws[column].binomial(int(n), ratio) for column, n in calls])
        weight = kept / told.requests * stands_for
        return _weigh(told, weight).of(kept > 0)


def _part(told: Told, share: float) -> Told:
    return _weigh(told, np.full(len(told.seconds), share))


def _weigh(told: Told, weight: Floats) -> Told:
    return Told._make((*told[:2], *(values * weight for values in told[2:])))
