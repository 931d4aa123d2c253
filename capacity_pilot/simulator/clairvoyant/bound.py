"""A proven lower bound of what any plan costs, and the decreases of a plan that comes near it.

Dynamic programming, minute by minute, over (decreases left, capacity row, bucket level). It
searches a superset of all plans. A capacity between two rows may be played by both in turn, so
that what was provisioned in total lags the true plan by less than one row's minute: costs are
counted exactly, and the bucket is allowed that lag on top. The highest row may stand for any
higher capacity, paid by the unit, and throttles nothing.

Which decreases are left: while free ones are, only their number counts, one set of cells per
number. The last free one and a later hourly one that has become due allow the same, so they share
a set. After it nothing may be lowered until ``wait`` minutes or midnight have passed, which is
independent of all else: such a track is played to its end at once, while it is in the cache.

Values are ``cost << LABEL_BITS | label``; the label is the last decrease, in a chain of them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from capacity_pilot.core.fleet import Bools, Ints
from capacity_pilot.simulator.clairvoyant.bucket_steps import (
    UNREACHABLE,
    into_next_octave,
    pass_minute,
    pass_minute_or_keep,
    take_cheaper,
)
from capacity_pilot.simulator.clairvoyant.compiled import compiled
from capacity_pilot.simulator.clairvoyant.grid import Grid
from capacity_pilot.simulator.clairvoyant.minute_table import MinuteTable

LABEL_BITS: Final = 24
MOST_COST: Final = 1 << 36

_LABEL: Final = (1 << LABEL_BITS) - 1
_LABELS: Final = 1 << 22


class Problem(NamedTuple):
    """What is searched: a grid, its optimistic table, and AWS's allowance of decreases.

    ``is_new_day`` (minutes,) is true where a UTC day's count starts anew, ``free`` how many a day
    has free, ``wait`` the minutes from one to the next after those. ``tops`` (minutes,) is the
    number of rows told apart right after an hourly decrease in that minute.
    """

    grid: Grid
    table: MinuteTable
    is_new_day: Bools
    tops: Ints
    free: int
    wait: int


class _Tracks(NamedTuple):
    """Plans that may not lower anything for now: ``cells`` (tracks, cells) as they end.

    Rows ``lowest`` to ``top`` of each, in force from minute ``until`` (-1: the place is unused).
    """

    cells: Ints
    lowest: Ints
    top: Ints
    until: Ints


class _Ledger(NamedTuple):
    """Decreases by label: their ``minute`` and the label of the one before; 0 is none.

    ``renamed`` is the last label that took a label's place. ``used`` (1,) counts the labels.
    """

    minute: npt.NDArray[np.int32]
    previous: npt.NDArray[np.int32]
    renamed: npt.NDArray[np.int32]
    used: Ints


class _State(NamedTuple):
    """``sets`` (free, cells) by free decreases used, reachable from row ``lowest`` (free,) on.

    ``reached`` (free, octaves, levels) is what a decrease starts from: the cheapest of all rows
    by bucket level. ``levels`` is scratch.
    """

    sets: Ints
    lowest: Ints
    reached: Ints
    levels: Ints
    tracks: _Tracks
    ledger: _Ledger


@compiled
def cheapest(problem: Problem) -> tuple[int, Ints]:
    """The least cost, in units x minutes, and the minutes of its decreases in order.

    The replay starts at any capacity with a full bucket, on a day without decreases so far.
    """
    grid, rows, minutes = problem.grid, problem.grid.units.size, problem.is_new_day.size
    state = _start(grid, problem.free, problem.wait)
    day_ends = _day_ends(problem.is_new_day)
    for t in range(minutes):
        _end_tracks(state, problem, t)
        if problem.is_new_day[t]:
            _forget_decreases(state, rows)
        _decrease(state, problem, t, min(t + problem.wait, day_ends[t]))
        for used in range(problem.free):
            first = state.lowest[used]
            if first < rows:
                state.lowest[used] = _advance(
                    state.sets[used], state.levels, problem, t, first, rows
                )
    _end_tracks(state, problem, minutes)
    best = state.sets.min()
    return best >> LABEL_BITS, _chain(state.ledger, best & _LABEL)


@compiled
def _start(grid: Grid, free: int, wait: int) -> _State:
    rows = grid.units.size
    cells = grid.start[rows - 1] + grid.width[rows - 1]
    levels = 2 * grid.width.max() + 2
    tracks = _Tracks(
        np.empty((wait, cells), np.int64),
        np.full(wait, rows),
        np.full(wait, rows),
        np.full(wait, -1),
    )
    ledger = _Ledger(
        np.empty(_LABELS, np.int32),
        np.empty(_LABELS, np.int32),
        np.empty(_LABELS, np.int32),
        np.ones(1, np.int64),
    )
    ledger.renamed[0] = 0
    state = _State(
        np.full((free, cells), UNREACHABLE),
        np.full(free, rows),
        np.full((free, grid.step.size, levels), UNREACHABLE),
        np.empty(levels, np.int64),
        tracks,
        ledger,
    )
    for row in range(rows):
        state.sets[0, grid.start[row] : grid.start[row] + grid.width[row] - 1] = 0
    state.lowest[0] = 0
    return state


@compiled
def _day_ends(is_new_day: Bools) -> Ints:
    """For each minute the first minute of the next day, or the end of all."""
    ends = np.empty(is_new_day.size, np.int64)
    following = is_new_day.size
    for t in range(is_new_day.size - 1, -1, -1):
        ends[t] = following
        if is_new_day[t]:
            following = t
    return ends


@compiled
def _forget_decreases(state: _State, rows: int) -> None:
    for used in range(1, state.lowest.size):
        take_cheaper(state.sets[0], state.sets[used])
        state.lowest[0] = min(state.lowest[0], state.lowest[used])
        state.sets[used] = UNREACHABLE
        state.lowest[used] = rows


@compiled
def _advance(cells: Ints, levels: Ints, problem: Problem, t: int, first: int, top: int) -> int:
    """Raises capacity where that helps, then lets minute ``t`` pass; rows ``first`` to ``top``.

    Returns the lowest row still reachable. ``levels`` is scratch: the cheapest of all rows so far.
    """
    grid, table = problem.grid, problem.table
    levels[:] = UNREACHABLE
    lowest = top
    for row in range(first, top):
        octave, width = grid.octave[row], grid.width[row]
        if row > first and grid.octave[row - 1] != octave:
            into_next_octave(levels, table.parity[t, octave - 1], 1)
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
    cost = units if row > 0 else grid.least
    pass_minute(own, levels, need, shift, end, cost << LABEL_BITS)
    if below < units:
        pass_minute_or_keep(own, levels, need, shift - grid.notch, end, below << LABEL_BITS)


@compiled
def _pass_top(own: Ints, levels: Ints, shift: int, grid: Grid, row: int) -> None:
    """A minute at any capacity above the second highest row, paid by the unit, none throttled."""
    end, notch = own.size - 1, grid.notch
    units, below = grid.units[row], grid.below[row]
    if below < units:
        pass_minute(own, levels, 0, shift - notch, end, below << LABEL_BITS)
    else:
        cost = units if row > 0 else grid.least
        pass_minute(own, levels, 0, shift, end, cost << LABEL_BITS)
    spacing = units * notch // grid.gain[row]
    for i in range(notch, own.size):
        own[i] = min(own[i], own[i - notch] + (spacing << LABEL_BITS))


@compiled
def _decrease(state: _State, problem: Problem, t: int, until: int) -> None:
    """Adds what is reached by a decrease in minute ``t``, before it passes."""
    grid, rows, free = problem.grid, problem.grid.units.size, problem.free
    first = 0
    while first < rows - 1 and problem.table.need[t, first] >= grid.width[first]:
        first += 1
    for used in range(free):
        if state.lowest[used] < rows:
            _gather(state.reached[used], state.sets[used], problem, t, state.lowest[used])
            _relabel(state.reached[used], state.ledger, t)
        else:
            state.reached[used] = UNREACHABLE
    for used in range(free - 1):
        if state.reached[used, 0, 0] < UNREACHABLE:
            _lower_to(state.sets[used + 1], state.reached[used], grid, first, rows)
            state.lowest[used + 1] = min(state.lowest[used + 1], first)
    if state.reached[free - 1, 0, 0] < UNREACHABLE:
        _play_track(state, problem, t, until, first)


@compiled
def _gather(reached: Ints, cells: Ints, problem: Problem, t: int, first: int) -> None:
    """The cheapest of all rows of an octave or a higher one, for each bucket level of the octave.

    From an octave down to the next one, twice as finely stepped, what was provisioned is taken to
    have caught up: the lag is given to the bucket.
    """
    grid, parity = problem.grid, problem.table.parity
    reached[:] = UNREACHABLE
    octaves, levels = reached.shape
    for row in range(first, grid.units.size):
        width = grid.width[row]
        own = cells[grid.start[row] : grid.start[row] + width]
        take_cheaper(reached[grid.octave[row], :width], own)
    for octave in range(octaves - 1, -1, -1):
        own = reached[octave]
        for i in range(levels - 2, -1, -1):
            own[i] = min(own[i], own[i + 1])
        if octave + 1 < octaves:
            for i in range(levels):
                above = (i + parity[t, octave] + 1) // 2 - grid.notch
                own[i] = min(own[i], reached[octave + 1, max(0, above)])


@compiled
def _relabel(reached: Ints, ledger: _Ledger, t: int) -> None:
    """Enters a decrease in minute ``t`` for every label in ``reached`` and puts its label there.

    In a full ledger the labels stay: the plan will lack those decreases, the cost is unchanged.
    """
    earliest_new = ledger.used[0]
    for octave in range(reached.shape[0]):
        for i in range(reached.shape[1]):
            value = reached[octave, i]
            if value >= UNREACHABLE:
                break
            label = value & _LABEL
            if ledger.renamed[label] < earliest_new:
                new = ledger.used[0]
                if new == ledger.minute.size:
                    continue
                ledger.minute[new], ledger.previous[new], ledger.renamed[new] = t, label, 0
                ledger.renamed[label] = new
                ledger.used[0] += 1
            reached[octave, i] = value - label + ledger.renamed[label]


@compiled
def _lower_to(cells: Ints, reached: Ints, grid: Grid, first: int, top: int) -> None:
    for row in range(first, top):
        width = grid.width[row]
        own = cells[grid.start[row] : grid.start[row] + width]
        take_cheaper(own, reached[grid.octave[row], :width])


@compiled
def _play_track(state: _State, problem: Problem, t: int, until: int, first: int) -> None:
    """Plays all plans with an hourly decrease in minute ``t`` up to minute ``until``."""
    tracks, grid = state.tracks, problem.grid
    place = 0
    while tracks.until[place] >= 0:
        place += 1
    cells, top = tracks.cells[place], problem.tops[t]
    lowest = min(first, top - 1)
    cells[grid.start[lowest] : grid.start[top - 1] + grid.width[top - 1]] = UNREACHABLE
    _lower_to(cells, state.reached[problem.free - 1], grid, lowest, top)
    for minute in range(t, until):
        lowest = _advance(cells, state.levels, problem, minute, lowest, top)
    tracks.lowest[place], tracks.top[place], tracks.until[place] = lowest, top, until


@compiled
def _end_tracks(state: _State, problem: Problem, t: int) -> None:
    """Lets the plans lower capacity again whose hour, or day, is over at minute ``t``."""
    tracks, grid = state.tracks, problem.grid
    for place in range(tracks.until.size):
        if tracks.until[place] != t:
            continue
        tracks.until[place] = -1
        first, top = tracks.lowest[place], tracks.top[place]
        last = grid.start[top - 1] + grid.width[top - 1]
        # a track that midnight ended lands in the last set too, and is forgiven with it
        target = state.sets[problem.free - 1]
        source = tracks.cells[place]
        take_cheaper(target[grid.start[first] : last], source[grid.start[first] : last])
        _spread_top(target, source, state.levels, problem, t, top)
        state.lowest[problem.free - 1] = min(state.lowest[problem.free - 1], first)


@compiled
def _spread_top(
    target: Ints, source: Ints, levels: Ints, problem: Problem, t: int, top: int
) -> None:
    """A track's highest row stood for all higher ones too, with buckets as large as theirs."""
    grid = problem.grid
    width = grid.width[top - 1]
    start = grid.start[top - 1]
    levels[:width] = source[start : start + width]
    levels[width:] = levels[width - 1]
    for row in range(top, grid.units.size):
        octave, width = grid.octave[row], grid.width[row]
        if grid.octave[row - 1] != octave:
            highest = levels[-1]
            into_next_octave(levels, problem.table.parity[t, octave - 1], 1)
            levels[levels.size // 2 :] = highest
        take_cheaper(target[grid.start[row] : grid.start[row] + width], levels[:width])


@compiled
def _chain(ledger: _Ledger, label: int) -> Ints:
    """The minutes of the decreases that end with ``label``, in order."""
    count, at = 0, label
    while at > 0:
        count, at = count + 1, ledger.previous[at]
    minutes = np.empty(count, np.int64)
    at = label
    for k in range(count - 1, -1, -1):
        minutes[k], at = ledger.minute[at], ledger.previous[at]
    return minutes
