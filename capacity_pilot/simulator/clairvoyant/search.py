"""The cheapest plan that throttles nothing, and a proof of how close to the cheapest it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from capacity_pilot.core.errors import InputError, InvariantError
from capacity_pilot.core.fleet import Bools, Floats, Ints
from capacity_pilot.simulator.clairvoyant.bound import MOST_COST, cheapest
from capacity_pilot.simulator.clairvoyant.bound_moves import Problem
from capacity_pilot.simulator.clairvoyant.grid import MINUTE_S, Grid, finest_grid
from capacity_pilot.simulator.clairvoyant.minute_table import (
    needed_from_empty,
    optimistic_table,
    safe_table,
)
from capacity_pilot.simulator.clairvoyant.physics_check import (
    first_throttled_second,
    least_constant_units,
)
from capacity_pilot.simulator.clairvoyant.plan import Task, cheapest_plan
from capacity_pilot.simulator.physics.bucket import BURST_SECONDS
from capacity_pilot.simulator.physics.quota import (
    FREE_DECREASES_PER_DAY,
    SECONDS_BETWEEN_LATER_DECREASES,
)

# Cells x minutes: a week's bound in about 4 s and its plan in about 1.5 s on one core. What is
# short may have more cells than stay in the cache.
_BOUND_WORK: Final = 4e8
_CACHED_BOUND_CELLS: Final = 50e3
_SHORT_BOUND_WORK: Final = 1e8
_MOST_BOUND_CELLS: Final = 250e3
_PLAN_WORK: Final = 3e9
_MOST_PLAN_CELLS: Final = 1e6
# What a capacity is told apart for: two hours ahead, with 20 s of it in the bucket.
_AHEAD_MINUTES: Final = 120
_SLACK_SECONDS: Final = 20.0
_LOOK_PAST_WAIT: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class DecreaseRules:
    """AWS's allowance: ``free`` decreases per UTC day, then one per ``wait_s`` after the last."""

    free: int = FREE_DECREASES_PER_DAY
    wait_s: float = SECONDS_BETWEEN_LATER_DECREASES
    day_s: float = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Clairvoyant:
    """A plan that throttles nothing: ``units`` in force in each minute, (minutes,).

    It costs ``unit_seconds``; none that throttles nothing costs less than ``bound_unit_seconds``.
    """

    units: Ints
    unit_seconds: float
    bound_unit_seconds: float

    @property
    def gap(self) -> float:
        """How much the plan may cost above the cheapest, as a fraction of the bound."""
        return self.unit_seconds / self.bound_unit_seconds - 1.0


def find_clairvoyant(
    demand: Floats,
    *,
    start_at: float,
    availability: float = 1.0,
    apply_time_s: float = 30.0,
    least: int = 1,
    rules: DecreaseRules | None = None,
) -> Clairvoyant:
    """Plans whole units, a capacity per minute, for ``demand`` (seconds,) in units/s.

    ``start_at`` is the Unix time of the first second. The first capacity is free to choose and
    its bucket full, which is ``availability`` x 300 s of it; the day begins without decreases so
    far. Requests are made early enough, so ``apply_time_s`` only keeps changes that many seconds
    apart, rounded up to minutes; a decrease counts in the minute in which it is in force.

    The bound leaves ``apply_time_s`` aside, so beyond 60 s the gap holds what that costs, too.

    Raises :class:`InputError` for values out of bounds, and where numba is not installed.
    """
    _require_inputs(demand, availability, apply_time_s, least)
    whole = demand[: len(demand) // MINUTE_S * MINUTE_S].reshape(-1, MINUTE_S)
    setting = _Setting(
        availability=availability,
        least=least,
        typical=max(float(demand.mean()), float(least)),
        constant=least_constant_units(demand, availability, least),
        needed=needed_from_empty(whole, _AHEAD_MINUTES, _SLACK_SECONDS * availability),
    )
    rules = rules or DecreaseRules()
    bound, decreases = _bound(whole, setting, start_at, rules)
    spacing = max(1, math.ceil(apply_time_s / MINUTE_S))
    if spacing > 1:
        decreases = _spaced(decreases, spacing, start_at, len(whole), rules)
    units = _plan(demand, setting, decreases, spacing)
    unfinished = len(demand) - len(whole) * MINUTE_S
    missing = len(units) * MINUTE_S - len(demand)
    return Clairvoyant(
        units=units,
        unit_seconds=float(units.sum() * MINUTE_S - units[-1] * missing),
        bound_unit_seconds=float(bound * MINUTE_S + least * unfinished),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    """What both searches need to know.

    ``typical`` units is where most costs arise, ``constant`` the cheapest capacity never changed,
    ``needed`` (minutes,) roughly what each minute takes if it starts with little burst.
    """

    availability: float
    least: int
    typical: float
    constant: int
    needed: Floats

    @property
    def burst_seconds(self) -> float:
        return self.availability * float(BURST_SECONDS)

    @property
    def most(self) -> int:
        """As high as a plan is likely to go; a little above ``constant``, for rounding's sake."""
        highest = float(self.needed.max(initial=0.0))
        return max(math.ceil(self.constant * 1.05) + 4, math.ceil(highest))

    def grid(self, most: int, cells: float) -> Grid:
        return finest_grid(
            least=self.least,
            most=most,
            typical=self.typical,
            burst_seconds=self.burst_seconds,
            cells=cells,
        )


def _bound(
    demand: Floats, setting: _Setting, start_at: float, rules: DecreaseRules
) -> tuple[int, Ints]:
    """A bound in unit-minutes for whole minutes, (minutes, 60), and decreases to plan with."""
    minutes = len(demand)
    cells = max(
        min(_CACHED_BOUND_CELLS, _BOUND_WORK / minutes),
        min(_MOST_BOUND_CELLS, _SHORT_BOUND_WORK / minutes),
    )
    grid = setting.grid(setting.most, cells)
    if float(grid.units[-1]) * minutes >= MOST_COST:
        raise InputError(
            f"the demand needs up to {grid.units[-1]} units over {minutes} minutes; "
            f"the clairvoyant counts up to {MOST_COST} unit-minutes"
        )
    wait = math.ceil(rules.wait_s / MINUTE_S)
    soon = np.concatenate((setting.needed, np.zeros(wait + _LOOK_PAST_WAIT)))
    highest = np.lib.stride_tricks.sliding_window_view(soon, wait + _LOOK_PAST_WAIT + 1).max(axis=1)
    rows = len(grid.units)
    problem = Problem(
        grid=grid,
        table=optimistic_table(demand, grid, setting.burst_seconds),
        is_new_day=_new_days(start_at, minutes, rules.day_s),
        tops=np.minimum(np.searchsorted(grid.units, highest) + 2, rows),
        free=rules.free,
        wait=wait,
    )
    cost, decreases = cheapest(problem)
    return cost, decreases


def _new_days(start_at: float, minutes: int, day_s: float) -> Bools:
    """True for each minute, (minutes,), in which a day's count starts anew."""
    days = np.floor_divide(start_at + MINUTE_S * np.arange(minutes), day_s)
    is_new_day: Bools = np.diff(days, prepend=days[0]) > 0
    return is_new_day


def _spaced(
    decreases: Ints, spacing: int, start_at: float, minutes: int, rules: DecreaseRules
) -> Ints:
    """Puts decreases off that follow too soon; those put off past the end are left out."""
    wait = math.ceil(rules.wait_s / MINUTE_S)
    day_of = np.floor_divide(start_at + MINUTE_S * np.arange(minutes), rules.day_s)
    kept: list[int] = []
    today = 0
    for minute in decreases.tolist():
        at = max(minute, kept[-1] + spacing) if kept else minute
        if at < minutes and kept and day_of[at] == day_of[kept[-1]] and today >= rules.free:
            at = max(at, min(kept[-1] + wait, int(np.searchsorted(day_of, day_of[at] + 1))))
        if at >= minutes:
            break
        today = today + 1 if kept and day_of[at] == day_of[kept[-1]] else 1
        kept.append(at)
    return np.array(kept, dtype=np.int64)


def _plan(demand: Floats, setting: _Setting, decreases: Ints, spacing: int) -> Ints:
    """Units per minute, (minutes,), that throttle none of ``demand`` (seconds,)."""
    minutes = math.ceil(len(demand) / MINUTE_S)
    padded = np.zeros((minutes, MINUTE_S))
    padded.ravel()[: len(demand)] = demand
    peak = max(setting.least, math.ceil(demand.max()))
    cells = min(_MOST_PLAN_CELLS, _PLAN_WORK / minutes)
    may_lower = np.zeros(minutes, dtype=np.bool_)
    may_lower[decreases] = True
    may_raise = may_lower | _may_raise(minutes, decreases, spacing)
    # The first attempt nearly always holds. Rounding may take the last unit of a bucket, and a
    # capacity as high as the peak needs no bucket.
    for most, margin in ((min(setting.most, peak), 0.0), (peak, 1e-6), (peak, 1e-3)):
        grid = setting.grid(most, cells)
        table = safe_table(padded, grid, setting.burst_seconds, margin_steps=margin)
        units = cheapest_plan(Task(grid, table, may_lower, may_raise))
        if units is not None and (
            first_throttled_second(demand, units, setting.availability) is None
        ):
            return units
    raise InvariantError(f"no plan up to the peak of {peak} units passes the physics")


def _may_raise(minutes: int, decreases: Ints, spacing: int) -> Bools:
    """Minutes a multiple of ``spacing`` before the next decrease, clear of the last, (minutes,)."""
    bounds = np.concatenate(([-spacing], decreases, [minutes]))
    minute = np.arange(minutes)
    following = np.searchsorted(bounds, minute, side="right")
    since, until = minute - bounds[following - 1], bounds[following] - minute
    is_free: Bools = (until % spacing == 0) & (since >= spacing)
    return is_free


def _require_inputs(demand: Floats, availability: float, apply_time_s: float, least: int) -> None:
    if demand.ndim != 1 or len(demand) < MINUTE_S:
        raise InputError(
            f"demand has shape {demand.shape}; a clairvoyant needs at least {MINUTE_S} seconds"
        )
    if not bool((np.isfinite(demand) & (demand >= 0.0)).all()):
        second = int(np.argmin(np.isfinite(demand) & (demand >= 0.0)))
        raise InputError(
            f"demand of second {second} is {demand[second]}; it must be finite and >= 0"
        )
    if not 0.0 <= availability <= 1.0:
        raise InputError(f"burst availability is {availability}; it must be 0 to 1")
    if not (apply_time_s >= 0.0 and math.isfinite(apply_time_s)):
        raise InputError(f"apply time is {apply_time_s} s; it must be finite and >= 0")
    if least < 1:
        raise InputError(f"least is {least} units; it must be >= 1")
