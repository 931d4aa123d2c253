"""A route whose cost is no longer what it was, by the minutes since the last fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.fleet import Bools, Floats, Ints

_DEVIATIONS = 4.0
_LEAST_SHARE = 0.15
_LEAST_MINUTES = 3


@dataclass(frozen=True, slots=True)
class Drift:
    """For m targets, (m,): whether costs drifted, which row of them did, and by how much a request.

    ``row`` and ``by`` mean something only where ``is_found``.
    """

    is_found: Bools
    row: Ints
    by: Floats


def find_drift(
    missed: Floats, counts: Floats, costs: Floats, *, may_cost: Bools, error: Floats
) -> Drift:
    """Whether minutes were ``missed`` by more than usual, and whose cost explains most of it.

    ``missed`` (k, m) are units consumed beyond those reckoned from ``counts`` (k, r) and ``costs``
    (r, m), NaN where unknown; ``error`` (m,) by what share of itself a minute was missed so far.
    """
    is_known = ~np.isnan(missed)
    missed = np.where(is_known, missed, 0.0)
    consumed = np.where(is_known, counts @ costs, 0.0) + missed
    total = missed.sum(axis=0)
    usual = error * np.sqrt((consumed**2).sum(axis=0))
    is_found = np.abs(total) > np.maximum(
        _DEVIATIONS * usual, _LEAST_SHARE * np.abs(consumed.sum(axis=0))
    )
    is_found &= is_known.sum(axis=0) >= _LEAST_MINUTES
    squares = np.einsum("km,ki->im", is_known, counts**2)
    along = np.einsum("km,ki->im", missed, counts)
    by = np.maximum(along / np.where(squares > 0, squares, np.inf), -costs)
    left = (missed**2).sum(axis=0) - 2 * by * along + by**2 * squares
    row = np.where(may_cost, left, np.inf).argmin(axis=0)
    return Drift(is_found=is_found, row=row, by=np.take_along_axis(by, row[None], axis=0)[0])
