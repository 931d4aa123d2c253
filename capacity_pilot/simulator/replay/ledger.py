"""What a replay writes down: minute by minute, per slot, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from capacity_pilot.core.fleet import Floats

MINUTE_S = 60
_ROUNDING = 1e-6
"""Units below which a second counts as served: rounding of sums, not throttling."""

Course32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Account:
    """All (n,) over a whole replay: units consumed and throttled, and throttled seconds."""

    consumed: Floats
    throttled: Floats
    seconds_throttled: Floats
    longest_throttle_s: Floats


class Ledger:
    """Four arrays (minutes, n) of single precision: 16 bytes per slot and minute.

    ``provisioned`` is the minute's mean and ``provisioned_peak`` its highest second, ``burst``
    the lowest bucket level in seconds of provisioned capacity.
    """

    def __init__(self, *, seconds: int, slots: int) -> None:
        shape = (-(-seconds // MINUTE_S), slots)
        self.provisioned: Course32 = np.zeros(shape, dtype=np.float32)
        self.provisioned_peak: Course32 = np.zeros(shape, dtype=np.float32)
        self.throttled: Course32 = np.zeros(shape, dtype=np.float32)
        self.burst: Course32 = np.zeros(shape, dtype=np.float32)
        self._consumed = np.zeros(slots)
        self._throttled = np.zeros(slots)
        self._unit_seconds = np.zeros(slots)
        self._seconds_throttled = np.zeros(slots)
        self._run = np.zeros(slots)
        self._longest = np.zeros(slots)
        self._block = np.zeros((4, MINUTE_S, slots))
        self._minute = 0
        self._filled = 0

    @property
    def unit_seconds(self) -> Floats:
        """Provisioned, summed over all seconds, (n,)."""
        return self._unit_seconds

    def note(
        self, *, provisioned: Floats, burst: Floats, consumed: Floats, throttled: Floats
    ) -> None:
        """Takes the next second, all (n,): ``burst`` is what is left in the bucket, in units."""
        block = self._block[:, self._filled]
        block[0], block[1], block[2], block[3] = provisioned, burst, consumed, throttled
        self._filled += 1
        if self._filled == MINUTE_S:
            self._close_minute()

    def close(self) -> Account:
        """Ends the replay: a minute begun counts by the seconds it has."""
        if self._filled:
            self._close_minute()
        return Account(self._consumed, self._throttled, self._seconds_throttled, self._longest)

    def _close_minute(self) -> None:
        provisioned, burst, consumed, throttled = self._block[:, : self._filled]
        row = self._minute
        self.provisioned[row] = provisioned.mean(axis=0)
        self.provisioned_peak[row] = provisioned.max(axis=0)
        lost = throttled.sum(axis=0)
        self.throttled[row] = lost
        self.burst[row] = (burst / np.maximum(provisioned, 1.0)).min(axis=0)
        self._consumed += consumed.sum(axis=0)
        self._throttled += lost
        self._unit_seconds += provisioned.sum(axis=0)
        if (lost > _ROUNDING).any() or self._run.any():
            self._count_runs(throttled > _ROUNDING)
        self._minute += 1
        self._filled = 0

    def _count_runs(self, is_throttled: npt.NDArray[np.bool_]) -> None:
        self._seconds_throttled += is_throttled.sum(axis=0)
        for second in is_throttled:
            self._run = np.where(second, self._run + 1, 0.0)
            np.maximum(self._longest, self._run, out=self._longest)
