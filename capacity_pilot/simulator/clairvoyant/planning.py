"""A plan that throttles nothing, given the minutes in which capacity may be lowered."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from capacity_pilot.core.errors import InvariantError
from capacity_pilot.core.fleet import Bools, Floats, Ints
from capacity_pilot.simulator.clairvoyant.grid import MINUTE_S, Grid
from capacity_pilot.simulator.clairvoyant.minute_table import safe_table
from capacity_pilot.simulator.clairvoyant.physics_check import first_throttled_second
from capacity_pilot.simulator.clairvoyant.plan import Task, cheapest_plan
from capacity_pilot.simulator.clairvoyant.setting import DecreaseRules, Setting

_WORK: Final = (
    3e9  # cells x minutes, of which most lie aside of the coarse plan and are not visited
)
_MOST_CELLS: Final = 1e6
_COARSE: Final = 1 / 16
# The finest plan lies close to a coarse one: it is sought among the capacities that the coarse one
# has within so many minutes, and this factor around them. On recorded weeks it is the same plan.
_NEAR_MINUTES: Final = 10
_NEAR_FACTOR: Final = 1.2


def find_plan(demand: Floats, setting: Setting, decreases: Ints, spacing: int) -> Ints:
    """Units per minute, (minutes,), that throttle none of ``demand`` (seconds,).

    ``decreases`` are the minutes, in order, in which capacity may be lowered; changes are
    ``spacing`` minutes apart.
    """
    minutes = math.ceil(len(demand) / MINUTE_S)
    padded = np.zeros((minutes, MINUTE_S))
    padded.ravel()[: len(demand)] = demand
    peak = max(setting.least, math.ceil(demand.max()))
    may_lower = np.zeros(minutes, dtype=np.bool_)
    may_lower[decreases] = True
    may_raise = may_lower | _may_raise(minutes, decreases, spacing)
    # The first attempt nearly always holds. Rounding may take the last unit of a bucket, and a
    # capacity as high as the peak needs no bucket.
    for most, margin in ((min(setting.most, peak), 0.0), (peak, 1e-6), (peak, 1e-3)):
        units: Ints | None = None
        for cells in _cells(minutes):
            grid = setting.grid(most, cells)
            table = safe_table(padded, grid, setting.burst_seconds, margin_steps=margin)
            first, last = _near(units, grid, minutes)
            finer = cheapest_plan(Task(grid, table, may_lower, may_raise, first, last))
            units = units if finer is None else finer
        if units is not None and (
            first_throttled_second(demand, units, setting.availability) is None
        ):
            return units
    raise InvariantError(f"no plan up to the peak of {peak} units passes the physics")


def space_decreases(decreases: Ints, *, spacing: int, rules: DecreaseRules, day_of: Ints) -> Ints:
    """Puts decreases off that follow too soon; those put off past the end are left out.

    ``spacing`` is in minutes, ``day_of`` (minutes,) numbers the days.
    """
    minutes = len(day_of)
    kept: list[int] = []
    today = 0
    for minute in decreases.tolist():
        at = max(minute, kept[-1] + spacing) if kept else minute
        if at < minutes and kept and day_of[at] == day_of[kept[-1]] and today >= rules.free:
            at = max(at, min(kept[-1] + rules.wait, _next_day(day_of, at)))
        if at >= minutes:
            break
        today = today + 1 if kept and day_of[at] == day_of[kept[-1]] else 1
        kept.append(at)
    return np.array(kept, dtype=np.int64)


def _next_day(day_of: Ints, minute: int) -> int:
    return int(np.searchsorted(day_of, day_of[minute] + 1))


def _cells(minutes: int) -> tuple[float, ...]:
    finest = min(_MOST_CELLS, _WORK / minutes)
    return finest * _COARSE, finest


def _near(units: Ints | None, grid: Grid, minutes: int) -> tuple[Ints, Ints]:
    """The lowest and the highest row, (minutes,), around a plan; all rows without one."""
    rows = len(grid.units)
    if units is None:
        return np.zeros(minutes, dtype=np.int64), np.full(minutes, rows - 1)
    width = 2 * _NEAR_MINUTES + 1
    around = np.lib.stride_tricks.sliding_window_view(
        np.pad(units, _NEAR_MINUTES, mode="edge"), width
    )
    first = np.searchsorted(grid.units, around.min(axis=1) / _NEAR_FACTOR, side="right") - 1
    last = np.searchsorted(grid.units, around.max(axis=1) * _NEAR_FACTOR)
    return np.maximum(first, 0), np.minimum(last, rows - 1)


def _may_raise(minutes: int, decreases: Ints, spacing: int) -> Bools:
    """Minutes a multiple of ``spacing`` before the next decrease, clear of the last, (minutes,)."""
    bounds = np.concatenate(([-spacing], decreases, [minutes]))
    minute = np.arange(minutes)
    following = np.searchsorted(bounds, minute, side="right")
    since, until = minute - bounds[following - 1], bounds[following] - minute
    is_free: Bools = (until % spacing == 0) & (since >= spacing)
    return is_free
