"""How much of what CloudWatch counted the spans told of, from minutes known to both.

The ratio is that of sums over minutes, which counts of any smallness leave unbiased, with the
standard error of a ratio estimator (W. G. Cochran, Sampling Techniques, 3rd ed., section 6.4).
Minutes fade with age. A minute that does not fit the others is left out until the next ones
agree with it: then what came before it no longer counts, for coverage itself has changed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.fleet import Bools, Floats, Ints

LEAST_MINUTES = 3
"""With fewer there is no telling a minute that does not fit from one that does."""

_MEMORY = 0.93
_DEVIATIONS = 4.0
_LEAST_DEVIATION = 0.1
_FALLS, _RISES = 2, 3  # a minute may still be growing: that looks as if coverage rose


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a set of minutes says, all (m,), NaN where it says nothing.

    ``ratio`` is told over consumed units, ``error`` its standard error, ``spread`` by how much of
    itself a single minute's consumption misses what the ratio makes of its spans. ``compared`` is
    the number of minutes behind them, ``newest`` the last one's number, ``since`` the first
    minute that may count, moved on where ``has_changed``.
    """

    ratio: Floats
    error: Floats
    spread: Floats
    compared: Ints
    newest: Floats
    since: Ints
    has_changed: Bools


def compare_minutes(told: Floats, consumed: Floats, minutes: Ints, since: Ints) -> Comparison:
    """Compares units per minute, (k, m), NaN where not known, at ``minutes`` (k,), ascending.

    ``since`` (m,) is the first minute of each column that may count.
    """
    numbers = minutes[:, None]
    is_known = (told + consumed > 0) & (numbers >= since)  # NaN compares false
    s, c = np.where(is_known, told, 0.0), np.where(is_known, consumed, 0.0)
    faded = _MEMORY ** (minutes[-1] - numbers)
    rank = is_known[::-1].cumsum(axis=0)[::-1]
    is_base = is_known & (rank > _RISES)
    has_base = is_base.sum(axis=0) >= LEAST_MINUTES
    off = _deviations(s, c, is_base * faded, is_known)
    falls = has_base & _all_newest(is_known & (rank <= _FALLS), off < 0, _FALLS)
    rises = has_base & _all_newest(is_known & (rank <= _RISES), off > 0, _RISES)
    has_changed = falls | rises
    anew = is_known & (rank <= np.where(falls, _FALLS, _RISES))
    kept = np.where(has_changed, anew, is_known & ((off == 0) | ~has_base))
    since = np.where(has_changed, np.where(anew, numbers, minutes[-1]).min(axis=0), since)
    ratio, error, spread = _estimate(s, c, kept * faded)
    compared = kept.sum(axis=0)
    newest = np.where(kept, numbers, -1).max(axis=0).astype(np.float64)
    return Comparison(
        ratio=ratio,
        error=error,
        spread=spread,
        compared=compared,
        newest=np.where(compared > 0, newest, np.nan),
        since=since,
        has_changed=has_changed,
    )


def _deviations(s: Floats, c: Floats, weights: Floats, is_known: Bools) -> Floats:
    """+1 where a minute tells too much to fit the weighted others, -1 too little, else 0, (k, m).

    A minute is measured by the others' ratio and variance per unit, never by its own.
    """
    ws, wc = weights * s, weights * c
    other_s, other_c = ws.sum(axis=0) - ws, np.maximum(wc.sum(axis=0) - wc, 1e-9)
    ratio = other_s / other_c
    squares = (
        _others(ws * s) - 2 * ratio * _others(ws * c) + ratio**2 * _others(wc * c)
    )  # the weighted sum of (s - ratio * c)^2 over the others
    # Calls of one unit that come at random have at least this variance, however calm it was.
    per_unit = np.maximum(squares / other_c, ratio)
    excess = s - ratio * c
    limit = np.maximum(_DEVIATIONS * np.sqrt(per_unit * c), _LEAST_DEVIATION * ratio * c)
    return np.where(is_known & (np.abs(excess) > limit), np.sign(excess), 0.0)


def _others(values: Floats) -> Floats:
    total: Floats = values.sum(axis=0) - values
    return total


def _all_newest(newest: Bools, fits: Bools, count: int) -> Bools:
    agreeing: Bools = (newest & fits).sum(axis=0) == count
    return agreeing


def _estimate(s: Floats, c: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Ratio, its standard error and the spread of single minutes around it, (m,)."""
    ws, wc = weights * s, weights * c
    count = np.count_nonzero(weights, axis=0)
    total = wc.sum(axis=0)
    total = np.where(total > 0, total, np.nan)
    ratio = ws.sum(axis=0) / total
    squares = (s - ratio * c) ** 2
    few = count / np.maximum(count - 1, 1)
    by_chance = ratio * (weights * wc).sum(axis=0)
    variance = np.maximum((weights**2 * squares).sum(axis=0) * few, by_chance) / total**2
    foretold = (weights * (ratio * c) ** 2).sum(axis=0)
    around = (weights * squares).sum(axis=0) * few / np.where(foretold > 0, foretold, np.nan)
    return ratio, np.sqrt(variance), np.sqrt(around)
