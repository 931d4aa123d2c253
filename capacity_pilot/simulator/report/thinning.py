"""Fewer points that look the same: bounded in number, with every minimum and maximum kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.fleet import Floats, Ints

_WIDTHS = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 720, 1440)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bins:
    """Consecutive minutes taken together, ``width`` at a time; the last bin may be shorter."""

    minutes: int
    width: int

    @property
    def starts(self) -> Ints:
        """First minute of each bin, (bins,)."""
        return np.arange(0, self.minutes, self.width, dtype=np.int64)

    def low(self, values: Floats) -> Floats:
        return self._reduce(np.fmin, values)

    def high(self, values: Floats) -> Floats:
        return self._reduce(np.fmax, values)

    def total(self, values: Floats) -> Floats:
        return self._reduce(np.add, np.nan_to_num(values, nan=0.0))

    def mean(self, values: Floats) -> Floats:
        """Of the minutes that have a value; NaN where none has."""
        known = self.total(np.isfinite(values).astype(np.float64))
        means = np.full(len(known), np.nan)
        np.divide(self.total(values), known, out=means, where=known > 0)
        return means

    def _reduce(self, operation: np.ufunc, values: Floats) -> Floats:
        if self.minutes == 0:
            return np.empty(0)
        reduced: Floats = operation.reduceat(np.asarray(values, dtype=np.float64), self.starts)
        return reduced


def bin_minutes(minutes: int, *, at_most: int) -> Bins:
    """The narrowest bins of a readable width that are no more than ``at_most``."""
    least = -(-minutes // at_most)
    width = next((w for w in _WIDTHS if w >= least), least)
    return Bins(minutes=minutes, width=max(width, 1))


def trace_steps(values: Floats, *, at_most: int) -> tuple[Ints, Floats]:
    """A course that stays and jumps, as (minutes, values) to be drawn as ``hv`` steps.

    Given are (minutes,) values; returned are those where it jumps, and its last. Where that is
    more than ``at_most``, each bin gives its lowest and highest minute instead, in their order.
    NaN is a value like another: the line has a gap there.
    """
    if len(values) == 0:
        return np.empty(0, dtype=np.int64), np.empty(0)
    same = (values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))
    kept = np.flatnonzero(np.concatenate(([True], ~same)))
    if len(kept) > at_most:
        kept = _extremes(values, bin_minutes(len(values), at_most=max(at_most // 2, 1)))
    kept = np.union1d(kept, [len(values) - 1])
    return kept, values[kept]


def _extremes(values: Floats, bins: Bins) -> Ints:
    padded = np.full(len(bins.starts) * bins.width, np.nan)
    padded[: len(values)] = values
    rows = padded.reshape(-1, bins.width)
    lowest = np.argmin(np.where(np.isnan(rows), np.inf, rows), axis=1)
    highest = np.argmax(np.where(np.isnan(rows), -np.inf, rows), axis=1)
    minutes = np.unique(np.concatenate((bins.starts + lowest, bins.starts + highest)))
    kept: Ints = minutes[minutes < len(values)]
    return kept
