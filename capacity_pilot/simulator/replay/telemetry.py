"""What spans tell the pilot of the world's demand, and when it arrives."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Told:
    """Demand of one second of all workloads (n,), as told: units, calls, refused units, and the
    part of ``units`` that was refused in the end.

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

    Seconds are counted from the replay's beginning. A workload's draws are its own: they do not
    hang on which others are replayed beside it.
    """

    def __init__(self, scenario: Scenario, *, lag_s: float, draws: list[np.random.Generator]):
        self._scenario = scenario
        self._lag_s = lag_s
        self._draws = draws
        self._underway: defaultdict[int, list[Told]] = defaultdict(list)

    def observe(
        self,
        second: int,
        *,
        units: Floats,
        requests: Floats,
        refusals: Floats,
        throttled: Floats,
        is_recorded: Bools,
    ) -> None:
        """The world's ``second`` is over."""
        scenario = self._scenario
        is_lost = any(scenario.of(TelemetryGap, second)) or any(scenario.of(Restart, second))
        is_told = is_recorded & (requests > 0)
        if is_lost or not is_told.any():
            return
        told = Told(second, units, requests, refusals, throttled, is_told)
        for untraced in scenario.of(Untraced, second):
            told = self._keep(told, 1 - untraced.share, stands_for=1.0)
        for sampling in scenario.of(Sampling, second):
            told = self._keep(told, sampling.ratio, stands_for=1 / sampling.ratio)
        due = int(np.ceil(second + 1 + self._lag_s))
        late = next(scenario.of(LateSpans, second), None)
        if late is None:
            self._underway[due].append(told)
            return
        slow = int(np.ceil(second + 1 + self._lag_s + late.by))
        self._underway[slow].append(_part(told, late.share))
        if late.share < 1:
            self._underway[due].append(_part(told, 1 - late.share))

    def arrivals(self, second: int) -> list[Told]:
        """What arrives by the beginning of ``second``; whoever is away then misses it."""
        return self._underway.pop(second, [])

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
