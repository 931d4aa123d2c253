"""What a replay writes down: minute by minute, per slot, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.fleet import Floats

MINUTE_S = 60
_ROUNDING = 1e-6
"""Units below which a second counts as served: rounding of sums, not throttling."""

# Rows of a tally: of the minute so far, and of the whole replay.
_PROVISIONED, _PEAK, _LEAST_BURST_S, _CONSUMED, _THROTTLED = range(5)
_SECONDS_THROTTLED, _RUN, _LONGEST = range(5, 8)

Course32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Account:
    """All (n,) over a whole replay: units consumed and throttled, and throttled seconds."""

    consumed: Floats
    throttled: Floats
    seconds_throttled: Floats
    longest_throttle_s: Floats


@dataclass(frozen=True, slots=True)
class MinuteSums:
    """A whole minute's units, both (n,)."""

    consumed: Floats
    throttled: Floats


class Ledger:
    """Four arrays (minutes, n) of single precision: 16 bytes per slot and minute.

    ``provisioned`` is the minute's mean and ``provisioned_peak`` its highest second, ``burst``
    the lowest bucket level in seconds of provisioned capacity. Compiled code notes seconds in
    ``tally`` (8, n) by ``note_second``, and ``pass_seconds`` follows, at the latest at the end of
    the minute.
    """

    def __init__(self, *, seconds: int, slots: int) -> None:
        shape = (-(-seconds // MINUTE_S), slots)
        self.provisioned: Course32 = np.zeros(shape, dtype=np.float32)
        self.provisioned_peak: Course32 = np.zeros(shape, dtype=np.float32)
        self.throttled: Course32 = np.zeros(shape, dtype=np.float32)
        self.burst: Course32 = np.zeros(shape, dtype=np.float32)
        self.tally: Floats = np.zeros((8, slots))
        self._consumed = np.zeros(slots)
        self._throttled = np.zeros(slots)
        self._unit_seconds = np.zeros(slots)
        self._minute = 0
        self._filled = 0
        self._begin_minute()

    @property
    def unit_seconds(self) -> Floats:
        """Provisioned, summed over all seconds, (n,)."""
        return self._unit_seconds

    def pass_seconds(self, seconds: int) -> MinuteSums | None:
        """So many were noted of all slots; gives the minute's sums where that ends it."""
        self._filled += seconds
        return self._close_minute() if self._filled == MINUTE_S else None

    def close(self) -> Account:
        """Ends the replay: a minute begun counts by the seconds it has."""
        if self._filled:
            self._close_minute()
        whole = self.tally
        return Account(
            self._consumed,
            self._throttled,
            whole[_SECONDS_THROTTLED].copy(),
            whole[_LONGEST].copy(),
        )

    def _close_minute(self) -> MinuteSums:
        row, tally = self._minute, self.tally
        self.provisioned[row] = tally[_PROVISIONED] / self._filled
        self.provisioned_peak[row] = tally[_PEAK]
        self.throttled[row] = tally[_THROTTLED]
        self.burst[row] = tally[_LEAST_BURST_S]
        self._consumed += tally[_CONSUMED]
        self._throttled += tally[_THROTTLED]
        self._unit_seconds += tally[_PROVISIONED]
        sums = MinuteSums(tally[_CONSUMED].copy(), tally[_THROTTLED].copy())
        self._minute += 1
        self._filled = 0
        self._begin_minute()
        return sums

    def _begin_minute(self) -> None:
        self.tally[:_SECONDS_THROTTLED] = 0.0
        self.tally[_LEAST_BURST_S] = np.inf


@compiled
def note_second(
    tally: Floats,
    slot: int,
    provisioned: float,
    burst: float,
    consumed: float,
    throttled: float,
) -> None:
    """Takes a slot's next second; ``burst`` is what is left in the bucket, in units."""
    tally[_PROVISIONED, slot] += provisioned
    tally[_PEAK, slot] = max(tally[_PEAK, slot], provisioned)
    burst_s = burst / max(provisioned, 1.0)
    tally[_LEAST_BURST_S, slot] = min(tally[_LEAST_BURST_S, slot], burst_s)
    tally[_CONSUMED, slot] += consumed
    tally[_THROTTLED, slot] += throttled
    if throttled > _ROUNDING:
        tally[_SECONDS_THROTTLED, slot] += 1.0
        tally[_RUN, slot] += 1.0
        tally[_LONGEST, slot] = max(tally[_LONGEST, slot], tally[_RUN, slot])
    else:
        tally[_RUN, slot] = 0.0
