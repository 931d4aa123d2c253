"""What there was to forecast, what the pilot forecast, and from when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.demand import Arrivals, DemandState, absorb, settled_until
from capacity_pilot.core.fleet import Floats, Ints
from capacity_pilot.core.forecast.members import WINDOW_S
from capacity_pilot.core.forecast.quantiles import (
    APPLY,
    LEVELS,
    QuantileState,
    learn_quantiles,
)
from capacity_pilot.simulator.replay.settings import START_AT
from capacity_pilot.simulator.workload import Workload

_TELL_EVERY_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One workload's windows, in order. ``truth`` (windows,) is each one's mean demand, units/s,
    NaN where less than half of it was recorded. ``origins`` (windows,) is the newest window the
    pilot knew when it forecast this one, -1 where it did not; ``quantiles`` (levels, windows) is
    what it forecast, NaN there.
    """

    name: str
    truth: Floats
    origins: Ints
    quantiles: Floats


def forecast_cases(
    workloads: Sequence[Workload],
    *,
    horizon_s: float,
    lag_s: int,
    on_progress: Callable[[int], None] = lambda _: None,
) -> list[Case]:
    """The pilot's own forecasting, fed second by second as by telemetry that is ``lag_s`` late.

    Workloads are equally long. ``on_progress`` hears of seconds times workloads.
    """
    told = np.stack([np.where(w.is_recorded, w.demand, 0.0) for w in workloads], axis=1)
    size, windows = len(workloads), len(told) // WINDOW_S
    origins = np.full((windows, size), -1, dtype=np.int64)
    quantiles = np.full((windows, len(LEVELS), size), np.nan)
    began_at, slots = int(START_AT), np.arange(size)
    demand, state = DemandState.empty(size, START_AT), QuantileState.empty(size, START_AT)
    horizons_s = np.full(size, horizon_s)
    for second in range(len(told)):
        now = float(began_at + second)
        demand = absorb(demand, _tell(told, second - lag_s - 1, slots, began_at), now)
        before = state.window
        state = learn_quantiles(
            state,
            demand,
            settled=settled_until(demand, now),
            apply_time_s=horizons_s,
            now=now,
        )
        if state.window > before:
            ahead_s = float(state.current.ahead_s[APPLY, 0])
            target = int(np.ceil((second + ahead_s) / WINDOW_S)) - 1
            known = ~np.isnan(state.current.units[0, APPLY])
            if target < windows:
                quantiles[target] = state.current.units[:, APPLY]
                origins[target] = np.where(known, state.window - began_at // WINDOW_S, -1)
        if (second + 1) % _TELL_EVERY_S == 0:
            on_progress(_TELL_EVERY_S * size)
    on_progress(len(told) % _TELL_EVERY_S * size)
    return [
        Case(
            name=workload.name,
            truth=_mean_windows(workload),
            origins=origins[:, slot],
            quantiles=quantiles[:, :, slot].T,
        )
        for slot, workload in enumerate(workloads)
    ]


def _tell(told: Floats, second: int, slots: Ints, began_at: int) -> Arrivals:
    """What spans tell of a second; where there were none they tell nothing."""
    if second < 0:
        return Arrivals.none()
    units = told[second]
    (seen,) = units.nonzero()
    return Arrivals(
        slots[seen], np.full(len(seen), began_at + second), units[seen], np.zeros(len(seen))
    )


def _mean_windows(workload: Workload) -> Floats:
    windows = workload.seconds // WINDOW_S
    shape, end = (windows, WINDOW_S), windows * WINDOW_S
    recorded = workload.is_recorded[:end].reshape(shape)
    units = np.where(recorded, workload.demand[:end].reshape(shape), 0.0).sum(axis=1)
    known = recorded.sum(axis=1)
    mean = np.full(windows, np.nan)
    np.divide(units, known, out=mean, where=known >= WINDOW_S / 2)
    return mean
