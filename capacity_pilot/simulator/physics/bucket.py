"""Which units DynamoDB serves this second, and which it throttles: token buckets with burst.

Every slot (one scalable target) may spend ``provisioned`` units in each whole Unix second.
What a second leaves unspent flows into the slot's burst, which keeps at most 300 seconds'
worth (AWS developer guide, "Burst and adaptive capacity"). AWS grants burst on a best-effort
basis; ``availability`` is the fraction of those 300 seconds that is really there.

Laws: consumed + throttled == demand, and 0 <= burst <= availability * 300 * provisioned.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from capacity_pilot.core.errors import InputError

FloatArray = NDArray[np.float64]

BURST_SECONDS: Final = 300.0
PROVISIONED, ALLOWANCE, BURST, BURST_CAP = range(4)


class BurstBuckets:
    """Buckets of ``n`` slots: drive them a second at a time in bulk, or request by request.

    Bulk: ``advance_to(second)`` then ``serve(demand)`` once per second, whose requests are
    taken as small enough to be split anywhere. Single: ``advance_to(second)`` then
    ``admit(slot, units)`` per request, which is served whole or not at all. ``second`` is the
    Unix second that has begun.
    """

    __slots__ = (
        "_allowance",
        "_availability",
        "_burst",
        "_burst_cap",
        "_initial_burst_seconds",
        "_levels",
        "_provisioned",
        "second",
    )

    def __init__(
        self,
        provisioned: FloatArray | None = None,
        *,
        availability: float = 1.0,
        initial_burst_seconds: float = BURST_SECONDS,
    ) -> None:
        """``provisioned``: units per second, shape (n,). ``initial_burst_seconds``: 0 to 300."""
        if not 0.0 <= availability <= 1.0:
            raise InputError(f"burst availability is {availability}; it must be 0 to 1")
        if not 0.0 <= initial_burst_seconds <= BURST_SECONDS:
            raise InputError(
                f"initial burst is {initial_burst_seconds} s; it must be 0 to {BURST_SECONDS:g}"
            )
        self._availability = availability
        self._initial_burst_seconds = initial_burst_seconds
        self._hold(np.zeros((4, 0)))
        self.second: int | None = None
        for units in np.zeros(0) if provisioned is None else provisioned:
            self.add(float(units))

    @property
    def size(self) -> int:
        return self._provisioned.size

    @property
    def levels(self) -> FloatArray:
        """Shape (4, n), rows as numbered in this module; not a copy, for ``bulk``."""
        return self._levels

    @property
    def provisioned(self) -> FloatArray:
        """Units per second, shape (n,); a copy."""
        return self._provisioned.copy()

    @property
    def burst(self) -> FloatArray:
        """Saved units, shape (n,); a copy."""
        return self._burst.copy()

    @property
    def burst_cap(self) -> FloatArray:
        """The most units that can be saved, shape (n,); a copy."""
        return self._burst_cap.copy()

    @property
    def allowance(self) -> FloatArray:
        """What is left of this second's provisioned units, shape (n,); a copy."""
        return self._allowance.copy()

    def add(self, provisioned: float) -> int:
        """Adds a slot with the configured initial burst and returns its number."""
        slot = self.size
        _require_units(provisioned, f"provisioned units of slot {slot}")
        cap = self._availability * BURST_SECONDS * provisioned
        burst = min(self._initial_burst_seconds * provisioned, cap)
        column = np.array([[provisioned], [provisioned], [burst], [cap]])
        self._hold(np.append(self._levels, column, axis=1))
        return slot

    def make_room(self, slots: int) -> None:
        """Adds so many slots at once, without any capacity."""
        self._hold(np.append(self._levels, np.zeros((len(self._levels), slots)), axis=1))

    def restart(self, slot: int, provisioned: float) -> None:
        """Gives a slot to another resource: nothing of the former one is carried over."""
        self.provision(slot, provisioned)
        self._allowance[slot] = provisioned
        self._burst[slot] = min(self._initial_burst_seconds * provisioned, self._burst_cap[slot])

    def provision(self, slot: int, units: float) -> None:
        """Sets a slot's capacity from now on; a smaller one lowers the burst's cap with it."""
        _require_units(units, f"provisioned units of slot {slot}")
        spent = self._provisioned[slot] - self._allowance[slot]
        self._provisioned[slot] = units
        self._allowance[slot] = max(units - spent, 0.0)
        self._burst_cap[slot] = self._availability * BURST_SECONDS * units
        self._burst[slot] = min(self._burst[slot], self._burst_cap[slot])

    def advance_to(self, second: int) -> None:
        """Lets Unix ``second`` begin; a clock that stands or runs backwards changes nothing."""
        if self.second is None:
            self.second = second
            return
        elapsed = second - self.second
        if elapsed <= 0:
            return
        self._burst += self._allowance
        if elapsed > 1:
            self._burst += self._provisioned * (elapsed - 1)
        np.minimum(self._burst, self._burst_cap, out=self._burst)
        self._allowance[:] = self._provisioned
        self.second = second

    def serve(self, demand: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Spends this second's demand, units of shape (n,); returns (consumed, throttled)."""
        if demand.shape != self._provisioned.shape:
            raise InputError(f"demand has shape {demand.shape}; there are {self.size} slots")
        if not bool((demand >= 0.0).all()):
            slot = int(np.argmin(np.where(demand >= 0.0, 1, 0)))
            raise InputError(f"demand of slot {slot} is {demand[slot]} units; it must be >= 0")
        consumed: FloatArray = np.minimum(demand, self._allowance + self._burst)
        from_allowance = np.minimum(consumed, self._allowance)
        self._allowance -= from_allowance
        self._burst -= consumed - from_allowance
        np.maximum(self._burst, 0.0, out=self._burst)
        return consumed, demand - consumed

    def spendable(self, slot: int) -> float:
        """The largest request that would be served right now."""
        return float(self._allowance[slot] + self._burst[slot])

    def admit(self, slot: int, units: float) -> bool:
        """Serves one request of ``units`` whole, or refuses it and takes nothing."""
        _require_units(units, f"request on slot {slot}")
        allowance = float(self._allowance[slot])
        if units <= allowance:
            self._allowance[slot] = allowance - units
            return True
        from_burst = units - allowance
        if from_burst > self._burst[slot]:
            return False
        self._allowance[slot] = 0.0
        self._burst[slot] -= from_burst
        return True

    def _hold(self, levels: FloatArray) -> None:
        self._levels = levels
        self._provisioned: FloatArray = levels[PROVISIONED]
        self._allowance: FloatArray = levels[ALLOWANCE]
        self._burst: FloatArray = levels[BURST]
        self._burst_cap: FloatArray = levels[BURST_CAP]


def _require_units(units: float, what: str) -> None:
    if not (units >= 0.0 and math.isfinite(units)):
        raise InputError(f"{what}: {units}; it must be finite and >= 0")
