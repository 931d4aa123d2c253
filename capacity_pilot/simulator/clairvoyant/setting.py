"""What both of a clairvoyant's searches need to know: of the demand, and of AWS's rules."""

from __future__ import annotations

import math
from dataclasses import dataclass

from capacity_pilot.core.fleet import Floats
from capacity_pilot.simulator.clairvoyant.grid import MINUTE_S, Grid, finest_grid
from capacity_pilot.simulator.physics.bucket import BURST_SECONDS
from capacity_pilot.simulator.physics.quota import (
    FREE_DECREASES_PER_DAY,
    SECONDS_BETWEEN_LATER_DECREASES,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecreaseRules:
    """AWS's allowance: ``free`` decreases per UTC day, then one per ``wait_s`` after the last."""

    free: int = FREE_DECREASES_PER_DAY
    wait_s: float = SECONDS_BETWEEN_LATER_DECREASES
    day_s: float = 86_400.0

    @property
    def wait(self) -> int:
        """Whole minutes."""
        return math.ceil(self.wait_s / MINUTE_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """``typical`` units is where most costs arise, ``constant`` the cheapest capacity that is never
    changed, ``needed`` (minutes,) roughly what each minute takes if it starts with little burst.
    """

    availability: float
    least: int
    typical: float
    constant: int
    needed: Floats

    @property
    def burst_seconds(self) -> float:
        return self.availability * float(BURST_SECONDS)

    @property
    def most(self) -> int:
        """As high as a plan is likely to go; a little above ``constant``, for rounding's sake."""
        highest = float(self.needed.max(initial=0.0))
        return max(math.ceil(self.constant * 1.05) + 4, math.ceil(highest))

    def grid(self, most: int, cells: float) -> Grid:
        return finest_grid(
            least=self.least,
            most=most,
            typical=self.typical,
            burst_seconds=self.burst_seconds,
            cells=cells,
        )
