"""The cheapest plan on a grid for given minutes in which capacity may be lowered.

Dynamic programming over (capacity row, bucket level) with buckets rounded down, so that the plan
is feasible. Its way is found again block by block from saved cells, last block first.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.fleet import Bools, Ints
from capacity_pilot.simulator.clairvoyant.bucket_steps import (
    UNREACHABLE,
    into_next_octave,
    pass_minute,
)
from capacity_pilot.simulator.clairvoyant.grid import Grid
from capacity_pilot.simulator.clairvoyant.minute_table import MinuteTable


class Task(NamedTuple):
    """A grid, its safe table, and in which minutes, (minutes,), capacity may be moved which way.

    ``first`` and ``last`` (minutes,) are the lowest and the highest row that is tried.
    """

    grid: Grid
    table: MinuteTable
    may_lower: Bools
    may_raise: Bools
    first: Ints
    last: Ints


class _Notes(NamedTuple):
    """How the cells of a block of minutes came about.

    ``is_raised`` (minutes, cells): from the row below in the same minute. ``origin``
    (minutes, octaves, levels): the row that a lowered capacity comes from.
    """

    is_raised: Bools
    origin: npt.NDArray[np.int32]


def cheapest_plan(task: Task) -> Ints | None:
    """Units per minute, (minutes,), or ``None`` if no plan on this grid gets through."""
    # saved cells and a block's notes take about the same space
    block = max(16, math.isqrt(8 * len(task.may_lower)))
    rows = _find_rows(task, block)
    return task.grid.units[rows] if len(rows) else None


@compiled
def _find_rows(task: Task, block: int) -> Ints:
    grid, minutes, size = task.grid, task.may_lower.size, task.grid.start[-1] + task.grid.width[-1]
    levels = np.empty((grid.step.size + 1, 2 * grid.width.max() + 2), np.int64)
    notes = _Notes(
        np.empty((block, size), np.bool_),
        np.empty((block, grid.step.size, levels.shape[1]), np.int32),
    )
    blocks = (minutes + block - 1) // block
    saved = np.empty((blocks, size), np.int64)
    cells = np.full(size, UNREACHABLE)
    cells[grid.start[task.first[0]] : grid.start[task.last[0]] + grid.width[task.last[0]]] = 0
    for number in range(blocks):
        saved[number] = cells
        for t in range(number * block, min(minutes, (number + 1) * block)):
            _step(cells, levels, task, notes, t, 0)
    first_cell = grid.start[task.first[-1]]
    last_cell = grid.start[task.last[-1]] + grid.width[task.last[-1]]
    best = first_cell + cells[first_cell:last_cell].argmin()
    if cells[best] >= UNREACHABLE:
        return np.empty(0, np.int64)
    row = int(np.searchsorted(grid.start, best, side="right")) - 1
    index = int(best - grid.start[row])
    rows = np.empty(minutes, np.int64)
    for number in range(blocks - 1, -1, -1):
        first = number * block
        last = min(minutes, first + block)
        cells[:] = saved[number]
        for t in range(first, last):
            _step(cells, levels, task, notes, t, t - first)
        for t in range(last - 1, first - 1, -1):
            rows[t] = row
            row, index = _before(row, index, task, notes, t, t - first)
    return rows


@compiled
def _step(cells: Ints, levels: Ints, task: Task, notes: _Notes, t: int, note: int) -> None:
    """Moves capacity where that is allowed and helps, then lets minute ``t`` pass."""
    grid, table = task.grid, task.table
    before = max(t - 1, 0)
    cheapest = levels[-1]
    cheapest[:] = UNREACHABLE
    if task.may_lower[t]:
        _gather(cells, levels, task, notes.origin[note], t)
    for row in range(min(task.first[before], task.first[t]), task.last[t] + 1):
        octave, start, width = grid.octave[row], grid.start[row], grid.width[row]
        if not task.may_raise[t]:
            cheapest[:] = UNREACHABLE
        elif row > 0 and grid.octave[row - 1] != octave:
            into_next_octave(cheapest, table.parity[t, octave - 1])
        own = cells[start : start + width]
        if task.may_lower[t]:
            own[:] = levels[octave, :width]
        elif row < task.first[before] or row > task.last[before]:
            own[:] = UNREACHABLE
        _keep_cheaper(cheapest[:width], own, notes.is_raised[note, start : start + width])
        need = table.need[t, row]
        if row < task.first[t] or need >= width or cheapest[need] >= UNREACHABLE:
            own[:] = UNREACHABLE
        else:
            shift = grid.gain[row] - table.moved[t, octave]
            pass_minute(own, cheapest, need, shift, table.end[t, row], grid.units[row])


@compiled
def _keep_cheaper(cheapest: Ints, own: Ints, is_raised: Bools) -> None:
    for i in range(own.size):
        is_raised[i] = cheapest[i] < own[i]
        cheapest[i] = min(cheapest[i], own[i])


@compiled
def _gather(cells: Ints, levels: Ints, task: Task, origin: npt.NDArray[np.int32], t: int) -> None:
    """The cheapest of all rows of an octave or a higher one, for each bucket level of the octave.

    Into the octaves' rows of ``levels``; ``origin`` (octaves, levels) says which row it was.
    """
    grid, parity = task.grid, task.table.parity
    levels[:-1] = UNREACHABLE
    before = max(t - 1, 0)
    for row in range(task.first[before], task.last[before] + 1):
        octave, start = grid.octave[row], grid.start[row]
        for i in range(grid.width[row]):
            if cells[start + i] < levels[octave, i]:
                levels[octave, i] = cells[start + i]
                origin[octave, i] = row
    for octave in range(grid.step.size - 2, -1, -1):
        for i in range(levels.shape[1]):
            above = _index_above(i, parity[t, octave])
            if levels[octave + 1, above] < levels[octave, i]:
                levels[octave, i] = levels[octave + 1, above]
                origin[octave, i] = origin[octave + 1, above]


@compiled
def _index_above(index: int, parity: int) -> int:
    """The index in the next octave that an index comes down from; every bucket is at 0 or above."""
    return (index + parity + 1) // 2 if index > 0 else 0


@compiled
def _before(row: int, index: int, task: Task, notes: _Notes, t: int, note: int) -> tuple[int, int]:
    """The row and the bucket's index before minute ``t``'s move, from those after the minute."""
    grid, parity = task.grid, task.table.parity
    octave = grid.octave[row]
    index = max(index - grid.gain[row] + task.table.moved[t, octave], task.table.need[t, row])
    while notes.is_raised[note, grid.start[row] + index]:
        row -= 1
        if grid.octave[row] != octave:
            octave = grid.octave[row]
            index = max(0, 2 * index - parity[t, octave])
    if task.may_lower[t]:
        row = notes.origin[note, octave, index]
        while octave < grid.octave[row]:
            index = _index_above(index, parity[t, octave])
            octave += 1
    return row, index
