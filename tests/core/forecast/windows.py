"""Demand handed to ``learn_quantiles`` a window at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from capacity_pilot.core.demand import WINDOW_S as KEPT_S
from capacity_pilot.core.demand import DemandState
from capacity_pilot.core.fleet import Bools, Floats
from capacity_pilot.core.forecast.members import WINDOW_S
from capacity_pilot.core.forecast.quantiles import APPLY, QuantileState, learn_quantiles

MONDAY = 1_767_571_200
LAG_S = 6


@dataclass
class Watch:
    """What is learned of ``size`` targets as windows pass, each told of ``LAG_S`` late."""

    size: int
    apply_time_s: float = 50.0
    at: int = MONDAY
    state: QuantileState = field(init=False)
    _demand: DemandState = field(init=False)

    def __post_init__(self) -> None:
        self.state = QuantileState.empty(self.size, self.at)
        self._demand = DemandState.empty(self.size, self.at)

    def see(self, mean: Floats | float, known: Bools | None = None) -> None:
        """A window of this mean demand (n,) per second passes, unknown where not ``known``."""
        units = np.broadcast_to(np.asarray(mean, dtype=np.float64), self.size)
        told = np.ones(self.size, dtype=np.bool_) if known is None else known
        rows = np.arange(self.at, self.at + WINDOW_S) % KEPT_S
        self._demand.units[rows] = np.where(told, units, 0.0)
        self._demand.known[rows] = told
        self.at += WINDOW_S
        self._demand = replace(self._demand, head=self.at + LAG_S)
        self.tick()

    def see_all(self, means: Iterable[Floats | float]) -> None:
        for mean in means:
            self.see(mean)

    def pass_seconds(self, seconds: int) -> None:
        """Time in which nobody looks, and of which nothing is known."""
        self._demand.units[:] = 0.0
        self._demand.known[:] = 0.0
        self.at += seconds

    def tick(self) -> None:
        self.state = learn_quantiles(
            self.state,
            self._demand,
            settled=self.at - 1,
            apply_time_s=np.full(self.size, self.apply_time_s),
            now=float(self.at + LAG_S),
        )

    @property
    def units(self) -> Floats:
        """Quantiles at the apply time, (levels, n)."""
        units: Floats = self.state.current.units[:, APPLY]
        return units

    @property
    def exceeded(self) -> Floats:
        """How often each quantile at the apply time was, (levels, n)."""
        tally = self.state.calibration.tally
        share: Floats = tally.exceeded[:, APPLY] / tally.scored[APPLY]
        return share
