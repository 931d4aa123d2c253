"""How quantile forecasts did: sums that only grow, so that any two differ by what lay between."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.fleet import ArrayState, Floats

Values = TypeVar("Values", float, Floats)


@dataclass(frozen=True, slots=True)
class Tally(ArrayState):
    """Of the windows scored so far, per horizon and target.

    ``scored`` (horizons, n) counts them and ``demand`` (horizons, n) sums their means, units/s.
    ``exceeded`` (levels, horizons, n) counts those above the forecast; ``pinball`` (levels,
    horizons, n) sums their losses, units/s. ``led`` (members, horizons, n) counts whose forecast
    it was.
    """

    scored: Floats
    demand: Floats
    exceeded: Floats
    pinball: Floats
    led: Floats

    @classmethod
    def empty(cls, size: int, *, levels: int, horizons: int, members: int) -> Tally:
        return cls(
            scored=np.zeros((horizons, size)),
            demand=np.zeros((horizons, size)),
            exceeded=np.zeros((levels, horizons, size)),
            pinball=np.zeros((levels, horizons, size)),
            led=np.zeros((members, horizons, size)),
        )

    def of(self, slot: int) -> Tally:
        """One target's alone."""
        return Tally(*(getattr(self, item.name)[..., slot : slot + 1] for item in fields(self)))

    def __add__(self, other: Tally) -> Tally:
        """Two stretches of time of the same targets."""
        return Tally(
            *(getattr(self, item.name) + getattr(other, item.name) for item in fields(self))
        )


@compiled
def pinball(error: Values, level: Values) -> Values:
    """The loss of a quantile forecast that demand came ``error`` above (Koenker and Bassett 1978).

    Its mean is least for the true quantile, and it is in the forecast's own unit.
    """
    loss: Values = np.maximum(level * error, (level - 1.0) * error)
    return loss
