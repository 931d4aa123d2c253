"""How AWS lets a table change between provisioned and on-demand mode, and what that takes.

To on-demand at most four times in a rolling 24 hours, back at any time; until a switch is over the
capacity of before serves (AWS developer guide, switching capacity modes). How long it takes is
measured, of small tables; AWS promises nothing.
"""

from __future__ import annotations

from typing import Final

MOST_SWITCHES: Final = 4
SWITCHES_COUNT_S: Final = 86_400.0

FIRST_TO_ON_DEMAND_S: Final = 172.0
"""The longest that was measured of a table that was never on-demand before."""

TO_ON_DEMAND_S: Final = 5.0
TO_PROVISIONED_S: Final = 113.0


SAME_SWITCH_S: Final = 600.0
"""AWS's time of a switch and ours are of the same one, where they are no further apart."""


def expect_switch_s(on_demand_at: float | None) -> float:
    """How long a switch to on-demand takes of a table that was last switched there then."""
    return FIRST_TO_ON_DEMAND_S if on_demand_at is None else TO_ON_DEMAND_S
