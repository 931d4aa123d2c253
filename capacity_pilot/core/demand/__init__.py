"""What was attempted, second by second, and what is not known.

Spans arrive late and in lumps, so a second is *settled* only once the fleet's usual telemetry lag
has passed; until then its sum is a lower bound. A second without spans is unknown, not zero: it
becomes a zero only in retrospect, when the target's next span arrives after a silence that is
ordinary for that target.
"""

from __future__ import annotations

from capacity_pilot.core.demand.absorbing import absorb
from capacity_pilot.core.demand.freshness import (
    has_bounded_lag,
    is_fresh,
    settled_until,
)
from capacity_pilot.core.demand.state import (
    LAG_BINS,
    MOST_UNITS,
    WINDOW_S,
    Arrivals,
    DemandState,
)

__all__ = [
    "LAG_BINS",
    "MOST_UNITS",
    "WINDOW_S",
    "Arrivals",
    "DemandState",
    "absorb",
    "has_bounded_lag",
    "is_fresh",
    "settled_until",
]
