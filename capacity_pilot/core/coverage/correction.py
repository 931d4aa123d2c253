"""What units told of are multiplied by."""

from __future__ import annotations

import numpy as np

from capacity_pilot.core.coverage.ratio import LEAST_MINUTES, Comparison
from capacity_pilot.core.fleet import Floats

_LEAST_FACTOR, _MOST_FACTOR = 0.25, 200.0
_LEAST_MOVE = 0.03
_CONSISTENT_MINUTES = 10


def move_factor(factor: Floats, found: Comparison) -> Floats:
    """The factors the comparison asks for, (m,), where it is sure that they are others.

    Upward two minutes are enough, and the error is added; down it takes three. What spans tell
    of is only scaled down when CloudWatch has counted less for ten minutes.
    """
    ratio, error = np.maximum(found.ratio, 1e-9), found.error
    is_excess = (found.compared >= _CONSISTENT_MINUTES) & (ratio - 3 * error > 1)
    wanted = np.where(is_excess, 1 / ratio, 1 / np.clip(ratio - error, 1 / _MOST_FACTOR, 1.0))
    sure = np.maximum(_LEAST_MOVE, 2 * error / ratio)
    wanted = np.where(np.abs(np.log(ratio)) <= sure, 1.0, np.maximum(wanted, _LEAST_FACTOR))
    enough = np.where(wanted > factor, found.compared >= 2, found.compared >= LEAST_MINUTES)
    moves = (np.abs(np.log(wanted / factor)) > sure) & enough
    return np.where(moves, wanted, factor)
