"""What a minute of demand does to a bucket, for every minute and every row of a grid.

Within a minute the capacity stays, so 60 seconds come down to four numbers: the bucket needed at
its start, the most that can be left at its end, what moves in between, and whether it can be
passed at all. A bucket ``b`` that gains ``c - d`` each second, keeps at most ``cap`` and must not
fall below zero passes iff ``b >= max(prefix sums of d - c)`` and no run of seconds asks for more
than ``cap`` beyond its capacity; it ends at ``min(b + sum(c - d), cap - worst closing run)``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.fleet import Floats, Ints
from capacity_pilot.simulator.clairvoyant.grid import MINUTE_S, Grid

IMPASSABLE = 1 << 30

_ROUNDING_STEPS = 1e-6  # of a bucket step: far more than sums of doubles can be off


class MinuteTable(NamedTuple):
    """Bucket steps by minute and row, or octave.

    ``need`` (minutes, rows) is the index needed at the start, ``IMPASSABLE`` where no bucket is
    enough; ``end`` (minutes, rows) the highest index at the end; ``moved`` (minutes, octaves) the
    demand in whole steps; ``parity`` (minutes + 1, octaves) 1 where the demand so far is an odd
    number of steps, which decides how indices translate between neighbouring octaves.
    """

    need: npt.NDArray[np.int32]
    end: npt.NDArray[np.int32]
    moved: Ints
    parity: Ints


def optimistic_table(demand: Floats, grid: Grid, burst_seconds: float) -> MinuteTable:
    """For a bound: capacities anywhere between a row and the one below it pass as in the row.

    ``demand`` is (minutes, 60). Capacities chosen so far may lag behind the true ones by less than
    a notch, which the bucket gets in advance: index ``i`` after total demand ``D`` stands for a
    bucket of *at most* ``(i - notch) * step - D % step`` units plus the lag.
    """
    whole, rest = _demand_steps(demand, grid.step)
    need, end = _optimistic(demand, grid, rest, burst_seconds)
    return MinuteTable(need, end, np.diff(whole, axis=0), whole & 1)


def safe_table(
    demand: Floats, grid: Grid, burst_seconds: float, *, margin_steps: float
) -> MinuteTable:
    """For a plan: index ``i`` stands for a bucket of *at least* ``i * step - D % step`` units.

    ``demand`` is (minutes, 60); a need that is not zero is raised by ``margin_steps``.
    """
    whole, rest = _demand_steps(demand, grid.step)
    need, end = _safe(demand, grid, (whole, rest), burst_seconds, margin_steps)
    return MinuteTable(need, end, np.diff(whole, axis=0), whole & 1)


def _demand_steps(demand: Floats, step: Floats) -> tuple[Ints, Floats]:
    """Demand before each minute as whole steps and a rest in units, both (minutes + 1, octaves)."""
    total = np.concatenate(([0.0], np.cumsum(demand.sum(axis=1))))[:, None]
    whole = np.floor(total / step)
    return whole.astype(np.int64), total - whole * step


@compiled
def _measure(demand: Floats, units: Floats, deficits: Floats) -> None:
    """Fills ``deficits`` (3, rows) of a minute's ``demand`` (60,), in units.

    The largest deficit from the minute's start, the worst run of seconds, the worst closing run.
    """
    deficits[:] = 0.0
    need, worst, closing = deficits[0], deficits[1], deficits[2]
    total = 0.0
    for second in range(demand.size):
        asked = demand[second]
        total += asked
        elapsed = second + 1.0
        for row in range(units.size):
            since_start = total - units[row] * elapsed
            need[row] = max(need[row], since_start)
            run = max(0.0, closing[row] + asked - units[row])
            closing[row] = run
            worst[row] = max(worst[row], run)


@compiled
def _optimistic(
    demand: Floats, grid: Grid, rest: Floats, burst_seconds: float
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    minutes, rows = demand.shape[0], grid.units.size
    need = np.empty((minutes, rows), np.int32)
    end = np.empty((minutes, rows), np.int32)
    units = grid.units.astype(np.float64)
    deficits = np.empty((3, rows))
    for t in range(minutes):
        _measure(demand[t], units, deficits)
        for row in range(rows):
            octave = grid.octave[row]
            step = grid.step[octave]
            cap = burst_seconds * units[row]
            index = 0
            if deficits[0, row] > 0.0:
                index = math.ceil((deficits[0, row] + rest[t, octave]) / step - _ROUNDING_STEPS)
            if not grid.lags[octave]:
                index += grid.notch
            passable = deficits[1, row] <= cap + _ROUNDING_STEPS * step
            need[t, row] = index if passable and index < grid.width[row] else IMPASSABLE
            left = (cap - deficits[2, row] + rest[t + 1, octave]) / step
            end[t, row] = min(math.ceil(left - 1e-9) + grid.notch, grid.width[row] - 1)
    return need, end


@compiled
def _safe(
    demand: Floats,
    grid: Grid,
    steps: tuple[Ints, Floats],
    burst_seconds: float,
    margin: float,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    whole, rest = steps
    minutes, rows = demand.shape[0], grid.units.size
    need = np.empty((minutes, rows), np.int32)
    end = np.empty((minutes, rows), np.int32)
    units = grid.units.astype(np.float64)
    deficits = np.empty((3, rows))
    for t in range(minutes):
        _measure(demand[t], units, deficits)
        for row in range(rows):
            octave = grid.octave[row]
            step = grid.step[octave]
            cap = burst_seconds * units[row]
            full = math.floor((cap + rest[t, octave]) / step)
            index = 0
            if deficits[0, row] > 0.0:
                index = math.ceil((deficits[0, row] + rest[t, octave]) / step + margin)
            passable = deficits[1, row] <= max(0.0, cap - margin * step) and index <= full
            left = math.floor((cap - deficits[2, row] + rest[t + 1, octave]) / step)
            from_full = full + grid.gain[row] - (whole[t + 1, octave] - whole[t, octave])
            last = min(left, from_full, grid.width[row] - 1)
            need[t, row] = index if passable and last >= 0 else IMPASSABLE
            end[t, row] = last
    return need, end


@compiled
def needed_from_empty(demand: Floats, ahead: int, slack_seconds: float) -> Floats:
    """For each minute, the capacity that would carry what comes from an almost empty bucket.

    Over the next ``ahead`` minutes, with ``slack_seconds`` of that capacity in the bucket at the
    minute's start and ahead of any run of seconds within it. ``demand`` is (minutes, 60); returns
    (minutes,) units.
    """
    minutes = demand.shape[0]
    seconds = demand.ravel()
    needed = np.zeros(minutes)
    for t in range(minutes):
        most = 0.0
        begin = t * MINUTE_S
        for first in range(begin, begin + MINUTE_S):
            last = min(minutes, t + ahead) * MINUTE_S if first == begin else begin + MINUTE_S
            total = 0.0
            for second in range(first, last):
                total += seconds[second]
                most = max(most, total / (second - first + 1 + slack_seconds))
        needed[t] = most
    return needed
