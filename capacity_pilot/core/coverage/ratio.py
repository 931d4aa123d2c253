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

AT_ONCE = _RISES
"""So many new minutes can be told apart from those before them at once."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a set of minutes says, all (m,), NaN where it says nothing.

    ``ratio`` is told over consumed units, ``error`` its standard error, ``spread`` by how much of
    itself a single minute's consumption misses what the ratio makes of its spans. ``compared`` is
    the number of minutes behind them, ``newest`` the last minute known to both, ``since`` the
    first that may count, moved on where ``has_changed``. ``is_suspect``: the newest does not fit.
    """

    ratio: Floats
    error: Floats
    spread: Floats
    compared: Ints
    newest: Floats
    since: Ints
    has_changed: Bools
    is_suspect: Bools


def compare_minutes(
    told: Floats, consumed: Floats, minutes: Ints, *, since: Ints, until: int
) -> Comparison:
    """Compares units per minute, (k, m), NaN where not known, at ``minutes`` (k,), ascending.

    Of each column only the minutes from ``since`` (m,) to ``until`` count.
    """
    numbers = minutes[:, None]
    is_known = (told + consumed > 0) & (numbers >= since) & (numbers <= until)  # false for NaN
    s, c = np.where(is_known, told, 0.0), np.where(is_known, consumed, 0.0)
    moments = np.stack((s, c, s * s, s * c, c * c))
    faded = is_known * _MEMORY ** (until - numbers)
    rank = is_known[::-1].cumsum(axis=0)[::-1]
    base = faded * (rank > _RISES)
    has_base = np.count_nonzero(base, axis=0) >= LEAST_MINUTES
    # A minute that did not fit when it was new must not widen what fits now.
    base *= _deviations(moments, base) == 0
    off = np.where(is_known & has_base, _deviations(moments, base), 0.0)
    falls = np.count_nonzero((rank <= _FALLS) & (off < 0), axis=0) == _FALLS
    rises = np.count_nonzero((rank <= _RISES) & (off > 0), axis=0) == _RISES
    has_changed = falls | rises
    anew = is_known & (rank <= np.where(falls, _FALLS, _RISES))
    kept = faded * np.where(has_changed, anew, off == 0)
    ratio, error, spread = _estimate(moments, kept)
    newest = np.where(is_known, numbers, -1).max(axis=0)
    return Comparison(
        ratio=ratio,
        error=error,
        spread=spread,
        compared=np.count_nonzero(kept, axis=0),
        newest=np.where(newest >= 0, newest, np.nan),
        since=np.where(has_changed, np.where(anew, numbers, until).min(axis=0), since),
        has_changed=has_changed,
        is_suspect=((rank == 1) & (off != 0)).any(axis=0) & ~has_changed,
    )


def _deviations(moments: Floats, weights: Floats) -> Floats:
    """+1 where a minute tells too much to fit the weighted others, -1 too little, else 0, (k, m).

    A minute is measured by the others' ratio and variance per unit, never by its own.
    """
    s, c = moments[0], moments[1]
    weighted = weights * moments
    other_s, other_c, ss, sc, cc = weighted.sum(axis=1, keepdims=True) - weighted
    other_c = np.maximum(other_c, 1e-9)
    ratio = other_s / other_c
    squares = ss - ratio * (2 * sc - ratio * cc)  # of s - ratio * c, summed over the others
    # Calls of one unit that come at random have at least this variance, however calm it was.
    per_unit = np.maximum(squares / other_c, ratio)
    excess = s - ratio * c
    limit = np.maximum(_DEVIATIONS * np.sqrt(per_unit * c), _LEAST_DEVIATION * ratio * c)
    deviations: Floats = np.sign(excess) * (np.abs(excess) > limit)
    return deviations


def _estimate(moments: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Ratio, its standard error and the spread of single minutes around it, (m,)."""
    s, c = moments[0], moments[1]
    told, total, *_, foretold = (weights * moments).sum(axis=1)
    total = np.where(total > 0, total, np.nan)
    ratio = told / total
    squares = weights * (s - ratio * c) ** 2
    count = np.count_nonzero(weights, axis=0)
    few = count / np.maximum(count - 1, 1)
    by_chance = ratio * (weights**2 * c).sum(axis=0)
    variance = np.maximum((weights * squares).sum(axis=0) * few, by_chance) / total**2
    foretold = np.where(foretold * ratio > 0, foretold * ratio**2, np.nan)
    return ratio, np.sqrt(variance), np.sqrt(squares.sum(axis=0) * few / foretold)
