"""How finely the bound is searched for, by how much work it may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.fleet import Floats, Ints
from capacity_pilot.simulator.clairvoyant.bound import MOST_COST, cheapest
from capacity_pilot.simulator.clairvoyant.bound_moves import Problem
from capacity_pilot.simulator.clairvoyant.minute_table import optimistic_table
from capacity_pilot.simulator.clairvoyant.setting import DecreaseRules, Setting

_LONG_MINUTES: Final = 3750
"""What is shorter gets no more cells by its effort: they are quicker where they fit the cache."""

# What takes but a moment is searched as well as can be.
_MOMENT_WORK: Final = 1e8
_MOST_CELLS: Final = 250e3
_MOMENT_MINUTES: Final = 360
_GROUPS_PER_WAIT: Final = 12
_LOOK_PAST_WAIT: Final = 15


@dataclass(frozen=True, slots=True)
class Effort:
    """``work`` is in cells x minutes. ``group`` minutes of hourly decreases are played together,
    as if all were made in the first of them.
    """

    work: float
    group: int


_EFFORTS: Final = (Effort(3e8, 5), Effort(8e8, 2))
"""A week takes about 1 s with the first and 4 s with the second, on one core."""


def efforts_for(minutes: int) -> tuple[Effort, ...]:
    """What can be tried one after the other until the bound is close enough."""
    return _EFFORTS[:1] if minutes <= _MOMENT_MINUTES else _EFFORTS


def find_bound(
    demand: Floats, setting: Setting, *, rules: DecreaseRules, day_of: Ints, effort: Effort
) -> tuple[int, Ints]:
    """A bound in unit-minutes for whole minutes, (minutes, 60), and decreases to plan with.

    The decreases may follow each other by up to a group too soon. ``day_of`` (minutes,) numbers
    the days. Raises ``InputError`` for a demand too high to count.
    """
    minutes = len(demand)
    cells = max(effort.work / max(minutes, _LONG_MINUTES), min(_MOST_CELLS, _MOMENT_WORK / minutes))
    grid = setting.grid(setting.most, cells)
    if float(grid.units[-1]) * minutes >= MOST_COST:
        raise InputError(
            f"the demand needs up to {grid.units[-1]} units over {minutes} minutes; "
            f"the clairvoyant counts up to {MOST_COST} unit-minutes"
        )
    group = max(1, min(effort.group, rules.wait // _GROUPS_PER_WAIT))
    if minutes <= _MOMENT_MINUTES:
        group = 1
    ahead = rules.wait + _LOOK_PAST_WAIT
    soon = np.concatenate((setting.needed, np.zeros(ahead)))
    highest = np.lib.stride_tricks.sliding_window_view(soon, ahead + 1).max(axis=1)
    problem = Problem(
        grid=grid,
        table=optimistic_table(demand, grid, setting.burst_seconds),
        is_new_day=np.diff(day_of, prepend=day_of[:1]) > 0,
        tops=np.minimum(np.searchsorted(grid.units, highest) + 2, len(grid.units)),
        free=rules.free,
        wait=rules.wait,
        group=group,
    )
    return cheapest(problem)
