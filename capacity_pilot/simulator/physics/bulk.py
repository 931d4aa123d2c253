"""What ``BurstBuckets`` does in bulk, slot by slot and compiled, for replays of many seconds.

Both functions do to a slot of ``BurstBuckets.levels`` what its methods do to all, to the last bit.
Whoever lets seconds begin here writes the last of them to ``BurstBuckets.second``.
"""

from __future__ import annotations

from capacity_pilot.core.compiled import compiled
from capacity_pilot.simulator.physics.bucket import (
    ALLOWANCE,
    BURST,
    BURST_CAP,
    PROVISIONED,
    FloatArray,
)


@compiled
def begin_second(levels: FloatArray, slot: int) -> None:
    """As ``BurstBuckets.advance_to`` the second after."""
    saved = levels[BURST, slot] + levels[ALLOWANCE, slot]
    levels[BURST, slot] = min(saved, levels[BURST_CAP, slot])
    levels[ALLOWANCE, slot] = levels[PROVISIONED, slot]


@compiled
def take_units(levels: FloatArray, slot: int, asked: float) -> float:
    """As ``BurstBuckets.serve``: returns the units consumed.

    ``asked`` must be finite and not negative.
    """
    allowance, burst = levels[ALLOWANCE, slot], levels[BURST, slot]
    consumed: float = min(asked, allowance + burst)
    from_allowance = min(consumed, allowance)
    levels[ALLOWANCE, slot] = allowance - from_allowance
    levels[BURST, slot] = max(burst - (consumed - from_allowance), 0.0)
    return consumed
