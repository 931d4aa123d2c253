"""How a bound's plans move: a minute passes, capacity is raised, capacity is lowered."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.fleet import Bools, Ints
from capacity_pilot.simulator.clairvoyant.bucket_steps import (
    UNREACHABLE,
    into_next_octave,
    pass_minute,
    pass_minute_either,
    take_cheaper,
)
from capacity_pilot.simulator.clairvoyant.grid import Grid
from capacity_pilot.simulator.clairvoyant.ledger import LABEL_BITS
from capacity_pilot.simulator.clairvoyant.minute_table import MinuteTable


class Problem(NamedTuple):
    """What is searched: a grid, its optimistic table, and AWS's allowance of decreases.

    ``is_new_day`` (minutes,) is true where a UTC day's count starts anew, ``free`` how many a day
    has free, ``wait`` the minutes from one to the next after those. ``tops`` (minutes,) is the
    number of rows told apart right after an hourly decrease in that minute. Hourly decreases are
    played in groups of ``group`` minutes, which end ``wait`` minutes after the first of them.
    """

    grid: Grid
    table: MinuteTable
    is_new_day: Bools
    tops: Ints
    free: int
    wait: int
    group: int


@compiled
def advance(cells: Ints, levels: Ints, problem: Problem, t: int, first: int, top: int) -> int:
    """Raises capacity where that helps, then lets minute ``t`` pass; rows ``first`` to ``top``.

    Returns the lowest row still reachable. ``levels`` is scratch: the cheapest of all rows so far.
    """
    grid, table = problem.grid, problem.table
    levels[:] = UNREACHABLE
    lowest = top
    for row in range(first, top):
        octave, width = grid.octave[row], grid.width[row]
        if row > first and grid.octave[row - 1] != octave:
            into_next_octave(levels, table.parity[t, octave - 1] + grid.notch + 1)
        own = cells[grid.start[row] : grid.start[row] + width]
        take_cheaper(levels[:width], own)
        need = 0 if row == top - 1 else table.need[t, row]
        if need >= width or levels[need] >= UNREACHABLE:
            own[:] = UNREACHABLE
            continue
        lowest = min(lowest, row)
        shift = grid.gain[row] - table.moved[t, octave]
        if row == top - 1:
            _pass_top(own, levels, shift, grid, row)
        else:
            _pass_between(own, levels, (need, shift, table.end[t, row]), grid, row)
    return lowest


@compiled
def _pass_between(
    own: Ints, levels: Ints, bounds: tuple[int, int, int], grid: Grid, row: int
) -> None:
    """A minute at the row or, for the capacities between, at the one a notch below."""
    need, shift, end = bounds
    units, below = grid.units[row], grid.below[row]
    # the first row stands for all from the least allowed capacity on, at its price
    cost = (units if row > 0 else grid.least) << LABEL_BITS
    if below < units:
        shifts, costs = (shift, shift - grid.notch), (cost, below << LABEL_BITS)
        pass_minute_either(own, levels, need, end, shifts, costs)
    else:
        pass_minute(own, levels, need, shift, end, cost)


@compiled
def _pass_top(own: Ints, levels: Ints, shift: int, grid: Grid, row: int) -> None:
    """A minute at any capacity above the second highest row, each unit paid.

    Of the demand, only the minute's total must be served. A bucket as full as the row's may stand
    for one larger than told apart, so it serves any minute and is full again.
    """
    notch, units, below = grid.notch, grid.units[row], grid.below[row]
    notch_cost = (units * notch // grid.gain[row]) << LABEL_BITS
    cost = units if row > 0 else grid.least
    if below < units:
        shift, cost = shift - notch, below
    full, size = max(0, own.size - 2 - notch), own.size
    used = min(levels.size, max(size - shift, full + 1))
    for i in range(used):
        levels[i] = min(levels[i], levels[max(0, i - notch)] + notch_cost)
    price, most = cost << LABEL_BITS, levels[full]
    flat = min(max(shift, 0), size)
    own[:flat] = min(levels[0], most) + price
    known = max(min(size, levels.size + shift), flat)
    target, source = own[flat:known], levels[flat - shift : known - shift]
    for i in range(target.size):
        target[i] = min(source[i], most) + price
    for i in range(known, size):
        notches = (i - shift - levels.size) // notch + 1
        paid = levels[i - shift - notches * notch] + notches * notch_cost
        own[i] = min(paid, most) + price
    own[full:] = own[full]


@compiled
def gather(reached: Ints, cells: Ints, problem: Problem, t: int, first: int) -> None:
    """The cheapest of all rows of an octave or a higher one, for each bucket level of the octave.

    No row ever falls with the level, so neither do these.
    In the next octave down rows are half as far apart, and what was provisioned may lag by half as
    much. Who lags by more is taken to have caught up by half: neither cost nor bucket has to change
    for that. Where rows are a unit apart nothing lags, and what did is given to the bucket.
    """
    grid, parity = problem.grid, problem.table.parity
    reached[:] = UNREACHABLE
    widest = np.zeros(reached.shape[0], np.int64)
    for row in range(grid.units.size):
        octave, width = grid.octave[row], grid.width[row]
        widest[octave] = width
        if row >= first:
            own = cells[grid.start[row] : grid.start[row] + width]
            take_cheaper(reached[octave, :width], own)
    for octave in range(reached.shape[0] - 2, -1, -1):
        own, higher = reached[octave], reached[octave + 1]
        given = 0 if grid.lags[octave] else grid.notch
        for i in range(widest[octave]):
            above = max(0, (i - given + parity[t, octave] + 1) // 2)
            own[i] = min(own[i], higher[above])


@compiled
def lower_to(cells: Ints, reached: Ints, grid: Grid, first: int, top: int) -> None:
    """Offers what was gathered to the rows from ``first`` to ``top``, whose caps cut the bucket."""
    for row in range(first, top):
        width = grid.width[row]
        own = cells[grid.start[row] : grid.start[row] + width]
        take_cheaper(own, reached[grid.octave[row], :width])
