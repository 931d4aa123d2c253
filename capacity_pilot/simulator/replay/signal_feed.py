"""What traces tell the pilot of a workload's upstream signals, and when it arrives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from capacity_pilot.core.fleet import Ints
from capacity_pilot.core.signal_names import NOTHING_TOLD, SignalsTold
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
        self._names = tuple((w.name, name) for w in workloads for name in w.signals)
        self._values = [values for w in workloads for values in w.signals.values()]
        self._scenario = scenario
        self._lag_s = lag_s
        self._began_at = int(began_at)
        self._underway: dict[int, list[int]] = {}
        self._sent = 0

    def arrivals(self, first: int, last: int) -> tuple[SignalsTold, Ints]:
        """What arrives by the beginning of each second from ``first`` on and before ``last``, and
        how many entries have by each.
        """
        if not self._names:
            return NOTHING_TOLD, np.zeros(last - first, dtype=np.int64)
        for second in range(self._sent, last):
            self._send(second)
        self._sent = max(self._sent, last)
        due = [self._underway.get(second, ()) for second in range(first, last)]
        told = np.array([second for seconds in due for second in seconds], dtype=np.int64)
        counts = np.stack([values[told] for values in self._values], axis=1)
        rows, columns = np.nonzero(counts >= 0)  # false for NaN: nothing was recorded
        ends = np.searchsorted(rows, np.cumsum([len(seconds) for seconds in due]))
        seconds = self._began_at + told[rows]
        return SignalsTold(self._names, columns, seconds, counts[rows, columns]), ends

    def pass_until(self, second: int) -> None:
        """What arrived by the beginning of ``second`` is told to nobody else any more."""
        for passed in [due for due in self._underway if due <= second]:
            del self._underway[passed]

    def _send(self, second: int) -> None:
        """What is counted in the world's ``second`` is under way, unless it is lost."""
        scenario = self._scenario
        if any(scenario.of(TelemetryGap, second)) or any(scenario.of(Restart, second)):
            return
        late = next(scenario.of(LateSpans, second), None)
        due = second + 1 + self._lag_s + (0.0 if late is None else late.by)
        self._underway.setdefault(int(np.ceil(due)), []).append(second)
