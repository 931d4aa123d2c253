"""A proven lower bound of what any plan costs, and the decreases of a plan that comes near it.

Dynamic programming, minute by minute, over (decreases left, capacity row, bucket level). It
searches a superset of all plans. A capacity between two rows may be played by both in turn, so
that what was provisioned in total lags the true plan by less than one row's minute: costs are
counted exactly, and the bucket is allowed that lag on top. The highest row may stand for any
higher capacity, paid by the unit, and may throttle within a minute.

Which decreases are left: while free ones are, only their number counts, one set of cells per
number. The last free one and a later hourly one that has become due allow the same, so they share
a set. After it nothing may be lowered until ``wait`` minutes or midnight have passed, which is
independent of all else: such a track is played to its end at once, while it is in the cache.
Hourly decreases of a few neighbouring minutes share a track, which ends as that of the first of
them would; that allows a little more than AWS does, and is a fraction of the work.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.fleet import Bools, Ints
from capacity_pilot.simulator.clairvoyant.bound_moves import Problem, advance, gather, lower_to
from capacity_pilot.simulator.clairvoyant.bucket_steps import (
    UNREACHABLE,
    into_next_octave,
    take_cheaper,
)
from capacity_pilot.simulator.clairvoyant.grid import Grid
from capacity_pilot.simulator.clairvoyant.ledger import (
    LABEL_BITS,
    Ledger,
    decreases_of,
    new_ledger,
    relabel,
)

MOST_COST: Final = 1 << 36  # beyond, values could not be told from UNREACHABLE


class _Tracks(NamedTuple):
    """Plans that may not lower anything for now: ``cells`` (tracks, cells) as they end.

    Rows ``lowest`` to ``top`` of each, in force from minute ``until`` (-1: the place is unused).
    ``open`` (1,) is the track that is still being added to, or -1.
    """

    cells: Ints
    lowest: Ints
    top: Ints
    until: Ints
    open: Ints


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
    ledger: Ledger


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
        _play_track(state, problem, t)
        for used in range(problem.free):
            first = state.lowest[used]
            if first < rows:
                state.lowest[used] = advance(
                    state.sets[used], state.levels, problem, t, first, rows
                )
    _end_tracks(state, problem, minutes)
    best = state.sets.min()
    return best >> LABEL_BITS, decreases_of(state.ledger, best)


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
        np.full(1, -1),
    )
    state = _State(
        np.full((free, cells), UNREACHABLE),
        np.full(free, rows),
        np.full((free, grid.step.size, levels), UNREACHABLE),
        np.empty(levels, np.int64),
        tracks,
        new_ledger(),
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
def _decrease(state: _State, problem: Problem, t: int, until: int) -> None:
    """Adds what is reached by a decrease in minute ``t``, before it passes."""
    grid, rows, free = problem.grid, problem.grid.units.size, problem.free
    first = 0
    while first < rows - 1 and problem.table.need[t, first] >= grid.width[first]:
        first += 1
    for used in range(free):
        if state.lowest[used] < rows:
            gather(state.reached[used], state.sets[used], problem, t, state.lowest[used])
            relabel(state.reached[used], state.ledger, t)
        else:
            state.reached[used] = UNREACHABLE
    for used in range(free - 1):
        if state.reached[used, 0, 0] < UNREACHABLE:
            lower_to(state.sets[used + 1], state.reached[used], grid, first, rows)
            state.lowest[used + 1] = min(state.lowest[used + 1], first)
    if state.reached[free - 1, 0, 0] < UNREACHABLE:
        _lower_track(state, problem, t, until, first)


@compiled
def _lower_track(state: _State, problem: Problem, t: int, until: int, first: int) -> None:
    """Adds what is reached by an hourly decrease in minute ``t`` to the open track, or to one that
    ends at minute ``until``.
    """
    tracks = state.tracks
    if tracks.open[0] < 0:
        place = 0
        while tracks.until[place] >= 0:
            place += 1
        tracks.open[0], tracks.until[place] = place, until
        tracks.cells[place] = UNREACHABLE
        tracks.lowest[place] = tracks.top[place] = problem.tops[t]
    place = tracks.open[0]
    top = tracks.top[place]
    lowest = min(first, top - 1)
    lower_to(tracks.cells[place], state.reached[problem.free - 1], problem.grid, lowest, top)
    tracks.lowest[place] = min(tracks.lowest[place], lowest)


@compiled
def _play_track(state: _State, problem: Problem, t: int) -> None:
    """Lets minute ``t`` pass on the open track, and the rest if it is its group's last."""
    tracks = state.tracks
    place = tracks.open[0]
    if place < 0:
        return
    until = tracks.until[place]
    is_last = (t + 1) % problem.group == 0 or t + 1 == until
    for minute in range(t, until if is_last else t + 1):
        tracks.lowest[place] = advance(
            tracks.cells[place],
            state.levels,
            problem,
            minute,
            tracks.lowest[place],
            tracks.top[place],
        )
    if is_last:
        tracks.open[0] = -1


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
            into_next_octave(levels, problem.table.parity[t, octave - 1] + grid.notch + 1)
            levels[levels.size // 2 :] = highest
        take_cheaper(target[grid.start[row] : grid.start[row] + width], levels[:width])
