"""The capacities and bucket levels that the searches tell apart.

Rows are capacities, in octaves like floating-point numbers: octave ``e`` holds ``n * unit * 2**e``
for ``n`` below twice the fineness, and every octave but the first starts at the fineness. Within
an octave a bucket is counted in steps of ``60 * unit * 2**e / notch`` units, so that what a
minute's capacity adds is a whole number of steps in every row: only demand is rounded, and that
cumulatively, so rounding never adds up.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from capacity_pilot.core.fleet import Bools, Floats, Ints
from capacity_pilot.simulator.physics.bucket import BURST_SECONDS

MINUTE_S: Final = 60

_FINENESSES: Final = (1024, 768, 512, 384, 256, 192, 128, 96, 64, 48, 32, 24, 16)
_NOTCHES: Final = (60, 30, 20, 12, 6, 4, 2)
_ROW_OVERHEAD_CELLS: Final = 60  # what visiting a row costs beside its cells, measured


class Grid(NamedTuple):
    """Rows in ascending order; their bucket levels lie one after the other in an array of cells.

    ``units`` (rows,) is the capacity, ``octave`` (rows,) its octave, ``gain`` (rows,) the bucket
    steps it adds in a minute, ``start`` and ``width`` (rows,) its place among the cells, whose
    index within a row counts bucket steps. ``step`` (octaves,) is the bucket step in units,
    ``notch`` the steps between neighbouring rows' gains. ``below`` (rows,) is the capacity one
    notch lower, or the row's own where no whole number lies between or it would be too low.
    ``lags`` (octaves,) is true where whole numbers lie between.
    """

    units: Ints
    octave: Ints
    gain: Ints
    start: Ints
    width: Ints
    below: Ints
    step: Floats
    lags: Bools
    notch: int
    least: int

    @property
    def cells(self) -> int:
        return int(self.start[-1] + self.width[-1])


def finest_grid(
    *, least: int, most: int, typical: float, burst_seconds: float, cells: float
) -> Grid:
    """The finest grid from ``least`` to ``most`` units that is no more work than ``cells`` cells.

    ``typical`` units is about where costs arise, and are told apart best. Where that leaves every
    whole number a row, what is left of the work goes into finer bucket steps.
    """
    # a bucket that holds less is told apart more finely, up to 16 times
    notch = max(1, round(BURST_SECONDS / max(burst_seconds, BURST_SECONDS / 16)))
    for fineness in _FINENESSES:
        unit = max(1, int(typical / fineness))
        grid = make_grid(unit, fineness, notch, least, most, burst_seconds)
        if _work(grid) <= cells:
            break
    if unit == 1 and len(grid.step) == 1:
        for finer in _NOTCHES:
            candidate = make_grid(unit, fineness, notch * finer, least, most, burst_seconds)
            if _work(candidate) <= cells:
                return candidate
    return grid


def make_grid(
    unit: int, fineness: int, notch: int, least: int, most: int, burst_seconds: float
) -> Grid:
    """All rows from the first of at least ``least`` units to the first of at least ``most``."""
    mantissas, octaves = [], []
    mantissa, octave = 1, 0
    while True:
        units = mantissa * unit << octave
        if units >= least:
            mantissas.append(mantissa)
            octaves.append(octave)
        if units >= max(most, least):
            break
        mantissa += 1
        if mantissa == 2 * fineness:
            mantissa, octave = fineness, octave + 1
    octave_of = np.array(octaves, dtype=np.int64)
    spacing = np.int64(unit) << octave_of
    units_of = np.array(mantissas, dtype=np.int64) * spacing
    below = units_of - spacing
    step = MINUTE_S * unit * 2.0 ** np.arange(octave + 1) / notch
    # The demand's rounding takes one level above a full bucket's, and a bound's lag a notch.
    full = np.ceil(burst_seconds * units_of / step[octave_of] - 1e-9).astype(np.int64)
    width = full + 2 + notch
    return Grid(
        units=units_of,
        octave=octave_of,
        gain=np.array(mantissas, dtype=np.int64) * notch,
        start=np.cumsum(width) - width,
        width=width,
        below=np.where((spacing > 1) & (below >= least), below, units_of),
        step=step,
        lags=np.int64(unit) << np.arange(octave + 1) > 1,
        notch=notch,
        least=least,
    )


def _work(grid: Grid) -> float:
    return grid.cells + _ROW_OVERHEAD_CELLS * len(grid.units)
