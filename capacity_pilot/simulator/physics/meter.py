"""What was consumed and throttled: totals, the last second, and CloudWatch's late minutes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from capacity_pilot.core.errors import InputError
from capacity_pilot.simulator.physics.bucket import FloatArray

MINUTE_SECONDS: Final = 60
_MINUTES_KEPT: Final = 16
_CONSUMED, _THROTTLED, _REQUESTS, _REFUSALS = range(4)


@dataclass(frozen=True, slots=True)
class Tally:
    """Arrays of shape (n,): units served, units refused, requests served, requests refused."""

    consumed: FloatArray
    throttled: FloatArray
    requests: FloatArray
    refusals: FloatArray


@dataclass(frozen=True, slots=True)
class PublishedMinute:
    """One minute as CloudWatch shows it, arrays of shape (n,).

    ``consumed`` is the Sum of Consumed*CapacityUnits (a rate is Sum / 60), ``throttle_events``
    that of *ThrottleEvents, ``requests`` the SampleCount.
    """

    starts_at: float
    consumed: FloatArray
    throttle_events: FloatArray
    requests: FloatArray


class Meter:
    """Counts per slot. Time moves by ``advance_to``; a minute is out ``lag`` s after its end."""

    def __init__(self, *, publication_lag_seconds: float = 60.0) -> None:
        if not 0 <= publication_lag_seconds <= (_MINUTES_KEPT - 2) * MINUTE_SECONDS:
            raise InputError(
                f"CloudWatch lag is {publication_lag_seconds} s; it must be 0 to "
                f"{(_MINUTES_KEPT - 2) * MINUTE_SECONDS}"
            )
        self.publication_lag_seconds = publication_lag_seconds
        self._totals = np.zeros((4, 0))
        self._second_counts = np.zeros((4, 0))
        self._last_second_counts = np.zeros((4, 0))
        self._minutes = np.zeros((_MINUTES_KEPT, 4, 0))
        self._second: int | None = None
        self._first_minute = 0

    def add(self) -> int:
        """Adds a slot, all zero, and returns its number."""
        slot: int = self._totals.shape[1]
        self.make_room(1)
        return slot

    def make_room(self, slots: int) -> None:
        """Adds so many slots at once."""
        for name in ("_totals", "_second_counts", "_last_second_counts", "_minutes"):
            counts = getattr(self, name)
            room = np.zeros((*counts.shape[:-1], slots))
            setattr(self, name, np.append(counts, room, axis=-1))

    def restart(self, slot: int) -> None:
        """Gives a slot to another resource: its counts begin at zero."""
        for counts in (
            self._totals,
            self._second_counts,
            self._last_second_counts,
            self._minutes,
        ):
            counts[..., slot] = 0.0

    def advance_to(self, second: int) -> None:
        """Lets Unix ``second`` begin; a clock that stands or runs backwards changes nothing."""
        if self._second is None:
            self._second = second
            self._first_minute = second // MINUTE_SECONDS
            return
        elapsed = second - self._second
        if elapsed <= 0:
            return
        if elapsed == 1:
            self._last_second_counts, self._second_counts = (
                self._second_counts,
                self._last_second_counts,
            )
        else:
            self._last_second_counts[:] = 0.0
        self._second_counts[:] = 0.0
        before, minute = self._second // MINUTE_SECONDS, second // MINUTE_SECONDS
        if minute > before:
            for begun in range(max(before + 1, minute - _MINUTES_KEPT + 1), minute + 1):
                self._minutes[begun % _MINUTES_KEPT] = 0.0
        self._second = second

    def record(
        self,
        consumed: FloatArray,
        throttled: FloatArray,
        *,
        requests: FloatArray | None = None,
        refusals: FloatArray | None = None,
    ) -> None:
        """Adds a second's units of all slots; without counts, a request is taken as one unit."""
        counts = np.stack(
            (
                consumed,
                throttled,
                consumed if requests is None else requests,
                throttled if refusals is None else refusals,
            )
        )
        self._totals += counts
        self._second_counts += counts
        self._minutes[self._row()] += counts

    def record_served(self, slot: int, units: float) -> None:
        self._record_one(slot, units, rows=(_CONSUMED, _REQUESTS))

    def record_refused(self, slot: int, units: float) -> None:
        self._record_one(slot, units, rows=(_THROTTLED, _REFUSALS))

    def served_this_second(self, slot: int) -> float:
        """Units that one slot served in the second that has begun."""
        return float(self._second_counts[_CONSUMED, slot])

    def totals(self) -> Tally:
        """Everything since each slot began."""
        return Tally(*self._totals.copy())

    def last_second(self) -> Tally:
        """The whole second before the current one."""
        return Tally(*self._last_second_counts.copy())

    def published(self, now: float, *, minutes_back: int = 0) -> PublishedMinute | None:
        """The latest minute whose data is out at ``now``, or one of those before it.

        ``None`` when that minute ended before measuring began or is no longer kept.
        """
        minute = int((now - self.publication_lag_seconds) // MINUTE_SECONDS) - 1 - minutes_back
        if self._second is None or minute < self._first_minute:
            return None
        current = self._second // MINUTE_SECONDS
        if minute <= current - _MINUTES_KEPT:
            return None
        counts = (
            self._minutes[minute % _MINUTES_KEPT].copy()
            if minute <= current
            else np.zeros_like(self._totals)
        )
        return PublishedMinute(
            starts_at=float(minute * MINUTE_SECONDS),
            consumed=counts[_CONSUMED],
            throttle_events=counts[_REFUSALS],
            requests=counts[_REQUESTS],
        )

    def _record_one(self, slot: int, units: float, *, rows: tuple[int, int]) -> None:
        minute = self._minutes[self._row()]
        for row, count in zip(rows, (units, 1.0), strict=True):
            self._totals[row, slot] += count
            self._second_counts[row, slot] += count
            minute[row, slot] += count

    def _row(self) -> int:
        if self._second is None:
            return 0
        return (self._second // MINUTE_SECONDS) % _MINUTES_KEPT
