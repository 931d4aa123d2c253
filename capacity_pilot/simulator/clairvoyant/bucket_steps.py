"""Moves of a whole row of bucket levels at once: a minute passes, or the capacity is raised.

A row holds, for each index ``i``, the least cost at which the bucket is at ``i`` or above, so it
never falls with ``i``.
"""

from __future__ import annotations

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.fleet import Ints

UNREACHABLE = np.int64(1) << 61


@compiled
def pass_minute(row: Ints, before: Ints, need: int, shift: int, end: int, cost: int) -> None:
    """Writes into ``row`` what ``before`` becomes over a minute.

    The bucket needs index ``need``, moves by ``shift`` and ends at ``end`` at most.
    """
    width = row.size
    flat = min(max(need + shift, 0), end + 1)
    stop = max(min(end + 1, width + shift), flat)
    lowest = before[need] + cost
    for i in range(flat):
        row[i] = lowest
    target = row[flat:stop]
    source = before[flat - shift : stop - shift]
    for i in range(target.size):
        target[i] = source[i] + cost
    row[stop:] = UNREACHABLE


@compiled
def pass_minute_either(
    row: Ints, before: Ints, need: int, end: int, shifts: tuple[int, int], costs: tuple[int, int]
) -> None:
    """The cheaper of two ways to pass the minute in each place, as :func:`pass_minute` does each.

    The first way moves the bucket by no less than the second. At once, since most of the time goes
    into reading and writing.
    """
    width = row.size
    (shift, lower_shift), (cost, lower_cost) = shifts, costs
    flat = min(max(need + shift, 0), end + 1)
    stop = max(min(end + 1, width + shift), flat)
    lower_flat = min(max(need + lower_shift, 0), end + 1)
    lower_stop = max(min(end + 1, width + lower_shift), lower_flat)
    lowest = before[need] + cost
    row[:lower_flat] = min(lowest, before[need] + lower_cost)
    middle = min(flat, lower_stop)
    target, lower_source = row[lower_flat:middle], before[lower_flat - lower_shift :]
    for i in range(target.size):
        target[i] = min(lowest, lower_source[i] + lower_cost)
    row[middle:flat] = lowest
    both = max(flat, lower_stop)
    target, source, lower_source = (
        row[flat:both],
        before[flat - shift :],
        before[flat - lower_shift :],
    )
    for i in range(target.size):
        target[i] = min(source[i] + cost, lower_source[i] + lower_cost)
    target, source = row[both:stop], before[both - shift :]
    for i in range(target.size):
        target[i] = source[i] + cost
    row[stop:] = UNREACHABLE


@compiled
def take_cheaper(row: Ints, other: Ints) -> None:
    """The cheaper of both in each place of ``row``."""
    for i in range(row.size):
        row[i] = min(row[i], other[i])


@compiled
def into_next_octave(levels: Ints, added: int) -> None:
    """Re-indexes ``levels`` in place for the next octave, whose steps are twice as large.

    Index ``i`` becomes ``(i + added) // 2``.
    """
    half = levels.size // 2
    for i in range(min(added, half) - 1, -1, -1):  # from lower ones, hence downwards
        levels[i] = levels[max(0, 2 * i - added)]
    for i in range(added, half):
        levels[i] = levels[2 * i - added]
    levels[half:] = UNREACHABLE
