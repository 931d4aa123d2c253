"""What traces tell the pilot of a workload's upstream signals, and when it arrives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from capacity_pilot.core.model import SignalKey
from capacity_pilot.simulator.replay.scenario import LateSpans, Restart, Scenario, TelemetryGap
from capacity_pilot.simulator.workload import Workload


class SignalFeed:
    """The demand files' further columns, told as late as demand is; each may lead its own table.

    Telemetry gaps and restarts lose a second's counts, and where calls are told of late, counts
    are, too. Sampling leaves them as they are. Seconds are counted from the replay's beginning.
    """

    def __init__(
        self, workloads: Sequence[Workload], scenario: Scenario, *, lag_s: float, began_at: float
    ) -> None:
        self._columns = [
            (w.name, name, values) for w in workloads for name, values in w.signals.items()
        ]
        self._scenario = scenario
        self._lag_s = lag_s
        self._began_at = int(began_at)
        self._underway: dict[int, list[int]] = {}

    def observe(self, second: int) -> None:
        """The world's ``second`` is over."""
        if not self._columns:
            return
        scenario = self._scenario
        if not any(scenario.of(TelemetryGap, second)) and not any(scenario.of(Restart, second)):
            late = next(scenario.of(LateSpans, second), None)
            due = second + 1 + self._lag_s + (0.0 if late is None else late.by)
            self._underway.setdefault(int(np.ceil(due)), []).append(second)

    def arrivals(self, second: int) -> dict[SignalKey, float]:
        """Counts that arrive by the beginning of ``second``; whoever is away then misses them."""
        return {
            (table, name, self._began_at + told): count
            for told in self._underway.pop(second, ())
            for table, name, values in self._columns
            if (count := float(values[told])) >= 0  # false for NaN: nothing was recorded
        }
