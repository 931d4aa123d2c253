"""The cheapest plan that throttles nothing, and a proof of how close to the cheapest it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.fleet import Floats, Ints
from capacity_pilot.simulator.clairvoyant.bounding import efforts_for, find_bound
from capacity_pilot.simulator.clairvoyant.grid import MINUTE_S
from capacity_pilot.simulator.clairvoyant.minute_table import needed_from_empty
from capacity_pilot.simulator.clairvoyant.physics_check import least_constant_units
from capacity_pilot.simulator.clairvoyant.planning import find_plan, space_decreases
from capacity_pilot.simulator.clairvoyant.setting import DecreaseRules, Setting

_GOOD_GAP: Final = 0.012
"""A bound further below its plan than this is worth a longer search."""

# What a capacity is told apart for: two hours ahead, with 20 s of it in the bucket.
_AHEAD_MINUTES: Final = 120
_SLACK_SECONDS: Final = 20.0


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
    setting = Setting(
        availability=availability,
        least=least,
        typical=max(float(demand.mean()), float(least)),
        constant=least_constant_units(demand, availability, least),
        needed=needed_from_empty(whole, _AHEAD_MINUTES, _SLACK_SECONDS * availability),
    )
    rules = rules or DecreaseRules()
    spacing = max(1, math.ceil(apply_time_s / MINUTE_S))
    day_of = np.floor_divide(start_at + MINUTE_S * np.arange(len(whole)), rules.day_s)
    plans, bounds = [], []
    for effort in efforts_for(len(whole)):
        bound, decreases = find_bound(whole, setting, rules=rules, day_of=day_of, effort=effort)
        bounds.append(bound)
        spaced = space_decreases(decreases, spacing=spacing, rules=rules, day_of=day_of)
        plans.append(find_plan(demand, setting, spaced, spacing))
        found = _account(min(plans, key=np.sum), max(bounds), demand=demand, least=least)
        if found.gap <= _GOOD_GAP or spacing > 1:  # the bound knows nothing of spacing
            break
    return found


def _account(units: Ints, bound: int, *, demand: Floats, least: int) -> Clairvoyant:
    """The last minute may be a part of one. ``bound`` is of whole minutes, in unit-minutes."""
    missing = len(units) * MINUTE_S - len(demand)
    unfinished = len(demand) % MINUTE_S
    return Clairvoyant(
        units=units,
        unit_seconds=float(units.sum() * MINUTE_S - units[-1] * missing),
        bound_unit_seconds=float(bound * MINUTE_S + least * unfinished),
    )


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
