"""What spans tell the pilot of the world's demand, and when it arrives."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import numpy as np

from capacity_pilot.core.fleet import Bools, Floats
from capacity_pilot.simulator.replay.scenario import (
    LateSpans,
    Restart,
    Sampling,
    Scenario,
    TelemetryGap,
    Untraced,
)


class Told(NamedTuple):
    """Demand of one second of the pilots' tables (n,), as told: units, calls, refused units, and
    the part of ``units`` that was refused in the end.

    Where ``is_told`` is false nothing arrived, which is not the same as zero.
    """

    second: int
    units: Floats
    requests: Floats
    refusals: Floats
    throttled: Floats
    is_told: Bools


class Telemetry:
    """Takes each second's truth and gives what of it arrives, late by the usual lag or more.

    ``usual_s`` is whole seconds from a second's beginning until it may be told of.
    Seconds are counted from the replay's beginning. ``draws`` (n,) are each table's own: they do
    not hang on which others are replayed beside it.
    """

    def __init__(self, scenario: Scenario, *, lag_s: float, draws: list[np.random.Generator]):
        self._scenario = scenario
        self._lag_s = lag_s
        self.usual_s = int(np.ceil(1 + lag_s))
        self._draws = draws
        self._underway: defaultdict[int, list[Told]] = defaultdict(list)

    def observe(self, told: Told) -> None:
        """``told.second`` is over, and ``told`` is all there would be to tell of it."""
        if not np.count_nonzero(told.is_told):
            return
        due = told.second + self.usual_s
        if not self._scenario.faults:
            self._underway[due].append(told)
        else:
            self._pass_on(told, due)

    def _pass_on(self, told: Told, due: int) -> None:
        scenario, second = self._scenario, told.second
        if any(scenario.of(TelemetryGap, second)) or any(scenario.of(Restart, second)):
            return
        for untraced in scenario.of(Untraced, second):
            told = self._keep(told, 1 - untraced.share, stands_for=1.0)
        for sampling in scenario.of(Sampling, second):
            told = self._keep(told, sampling.ratio, stands_for=1 / sampling.ratio)
        late = next(scenario.of(LateSpans, second), None)
        slow = due if late is None else int(np.ceil(second + 1 + self._lag_s + late.by))
        if late is None or slow == due:
            self._underway[due].append(told)
            return
        self._underway[slow].append(_part(told, late.share))
        if late.share < 1:
            self._underway[due].append(_part(told, 1 - late.share))

    def arrivals(self, second: int) -> list[Told]:
        """What arrives by the beginning of ``second``."""
        return self._underway.get(second, [])

    def pass_second(self, second: int) -> None:
        """What arrived by the beginning of ``second`` is told to nobody else any more."""
        self._underway.pop(second, None)

    def _keep(self, told: Told, ratio: float, *, stands_for: float) -> Told:
        """This share of calls, drawn, each standing for so many."""
        kept = np.array(
            [
                draw.binomial(int(n), ratio)
                for draw, n in zip(self._draws, np.rint(told.requests), strict=True)
            ],
            dtype=np.float64,
        )
        weight = np.divide(kept, told.requests, where=told.requests > 0, out=kept * 0.0)
        weight *= stands_for
        return Told(
            told.second,
            told.units * weight,
            told.requests * weight,
            told.refusals * weight,
            told.throttled * weight,
            told.is_told & (kept > 0),
        )


def _part(told: Told, share: float) -> Told:
    return Told(
        told.second,
        told.units * share,
        told.requests * share,
        told.refusals * share,
        told.throttled * share,
        told.is_told,
    )
