"""What traces tell the pilot of workloads' upstream signals, and when it arrives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from capacity_pilot.core.fleet import Floats, Ints
from capacity_pilot.simulator.replay.scenario import LateSpans, Restart, Scenario, TelemetryGap
from capacity_pilot.simulator.workload import Workload

_BLOCK_S = 600


class Heard(NamedTuple):
    """Counts of signals, by number, in replay's seconds; one entry per signal and second."""

    signals: Ints
    seconds: Ints
    counts: Floats


class SignalFeed:
    """The demand files' further columns, told as late as demand is; each may lead its own table.

    Telemetry gaps and restarts lose a second's counts, and where calls are told of late, counts
    are, too. Sampling leaves them as they are. Seconds are counted from the replay's beginning.
    ``tables`` names each signal's table; a signal's place in it is its number.
    """

    def __init__(self, workloads: Sequence[Workload], scenario: Scenario, *, lag_s: float) -> None:
        columns = [(w.name, values) for w in workloads for values in w.signals.values()]
        self.tables = tuple(name for name, _ in columns)
        self._columns = [values for _, values in columns]
        self._scenario = scenario
        self._lag_s = lag_s
        self._underway: dict[int, list[int]] = {}
        self._block_begins = -_BLOCK_S
        self._block: Floats = np.zeros((0, len(columns)))

    def observe(self, second: int) -> None:
        """The world's ``second`` is over."""
        if not self._columns:
            return
        late_s = 0.0
        if self._scenario.faults:
            if any(self._scenario.of(TelemetryGap, second)):
                return
            if any(self._scenario.of(Restart, second)):
                return
            late = next(self._scenario.of(LateSpans, second), None)
            late_s = 0.0 if late is None else late.by
        due = int(np.ceil(second + 1 + self._lag_s + late_s))
        self._underway.setdefault(due, []).append(second)

    def arrivals(self, second: int) -> Heard | None:
        """Counts that arrive by the beginning of ``second``; whoever is away then misses them."""
        told = self._underway.pop(second, None)
        if told is None:
            return None
        counts = np.concatenate([self._counts_of(earlier) for earlier in told])
        seconds = np.repeat(np.array(told, dtype=np.int64), len(self._columns))
        signals = np.tile(np.arange(len(self._columns)), len(told))
        is_counted = counts >= 0  # false for NaN: nothing was recorded
        if np.count_nonzero(is_counted) < len(counts):
            signals, seconds, counts = (a[is_counted] for a in (signals, seconds, counts))
        return Heard(signals, seconds, counts) if len(counts) else None

    def _counts_of(self, second: int) -> Floats:
        """Columns are read a block of seconds at a time, each after the other."""
        if not 0 <= second - self._block_begins < len(self._block):
            self._block_begins = second // _BLOCK_S * _BLOCK_S
            block = slice(self._block_begins, self._block_begins + _BLOCK_S)
            self._block = np.stack([values[block] for values in self._columns], axis=1)
        counts: Floats = self._block[second - self._block_begins]
        return counts
