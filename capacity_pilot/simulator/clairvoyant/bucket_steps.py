"""Moves of a whole row of bucket levels at once: a minute passes, or the capacity is raised.

A row holds, for each index ``i``, the least cost at which the bucket is at ``i`` or above, so it
never falls with ``i``.
"""

from __future__ import annotations

import numpy as np

from capacity_pilot.core.fleet import Ints
from capacity_pilot.simulator.compiled import compiled

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
def pass_minute_or_keep(
    row: Ints, before: Ints, need: int, shift: int, end: int, cost: int
) -> None:
    """As :func:`pass_minute`, keeping in ``row`` what is cheaper there already."""
    width = row.size
    flat = min(max(need + shift, 0), end + 1)
    stop = max(min(end + 1, width + shift), flat)
    lowest = before[need] + cost
    for i in range(flat):
        row[i] = min(row[i], lowest)
    target = row[flat:stop]
    source = before[flat - shift : stop - shift]
    for i in range(target.size):
        target[i] = min(target[i], source[i] + cost)


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
