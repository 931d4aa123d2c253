"""Signals by name, as telemetry tells of them, to signals by number, as the forecast keeps them.

There are only so many numbers. Once they are all given, a signal takes another's when its busiest
second of late was clearly busier: what may precede a surge is a burst, however rare.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from capacity_pilot.core.fleet import Fleet, Floats
from capacity_pilot.core.forecast.upstream import NO_SIGNALS, SignalArrivals
from capacity_pilot.core.model import Dimension, Resource, SignalKey

MOST_SIGNALS = 64
"""Numbers a pilot gives out unless told otherwise."""

_CANDIDATES_PER_NUMBER = 8
_ELECTION_S = 600
_HALVING_S = 86_400.0
_CLEARLY = 2.0

_Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class KnownSignals:
    """``names`` by number, and the ``busiest`` second of late of each candidate; when numbers were
    last given away.
    """

    names: tuple[_Name, ...]
    busiest: Mapping[_Name, float]
    elected_at: float | None

    def as_json(self) -> dict[str, Any]:
        busiest = [[*name, peak] for name, peak in self.busiest.items()]
        return {"names": self.names, "busiest": busiest, "elected_at": self.elected_at}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        return cls(
            names=tuple((table, name) for table, name in kept["names"]),
            busiest={(table, name): peak for table, name, peak in kept["busiest"]},
            elected_at=kept["elected_at"],
        )


class SignalNames:
    """Gives numbers to names. ``left_out`` counts entries of signals that have none."""

    def __init__(self, most: int = MOST_SIGNALS) -> None:
        self.left_out = 0
        self._most = most
        self._numbers: dict[_Name, int] = {}
        self._busiest: dict[_Name, float] = {}
        self._elected_at: float | None = None
        self._fleet = Fleet(())
        self._table_of = np.zeros(0)

    @property
    def names(self) -> tuple[_Name, ...]:
        """(table or ``""``, signal) by number."""
        return tuple(sorted(self._numbers, key=self._numbers.__getitem__))

    def remember(self) -> KnownSignals:
        return KnownSignals(self.names, dict(self._busiest), self._elected_at)

    def recall(self, known: KnownSignals) -> None:
        """Gives the numbers that were given before, since what was learned goes by them."""
        self._numbers = {name: number for number, name in enumerate(known.names)}
        self._busiest = dict(known.busiest)
        self._elected_at = known.elected_at

    def address(
        self, signals: Mapping[SignalKey, float], fleet: Fleet, now: float
    ) -> SignalArrivals:
        """What was told of signals, by number."""
        if not signals and not self._numbers:
            return NO_SIGNALS
        renewed = self._elect(now)
        numbers, seconds, counts = [], [], []
        for (table, name, second), count in signals.items():
            number = self._number_of((table, name), count)
            if number is None:
                self.left_out += 1
            else:
                numbers.append(number)
                seconds.append(second)
                counts.append(count)
        return SignalArrivals(
            signals=np.array(numbers, dtype=np.int64),
            seconds=np.array(seconds, dtype=np.int64),
            counts=np.array(counts, dtype=np.float64),
            table_of=self._find_tables(fleet, is_new=bool(renewed)),
            renewed=np.array(renewed, dtype=np.int64),
        )

    def _number_of(self, name: _Name, count: float) -> int | None:
        number = self._numbers.get(name)
        if number is None and len(self._numbers) < self._most:
            number = self._numbers[name] = len(self._numbers)
        busiest = self._busiest.get(name)
        if busiest is None and len(self._busiest) >= _CANDIDATES_PER_NUMBER * self._most:
            return number
        if busiest is None or count > busiest:
            self._busiest[name] = count
        return number

    def _elect(self, now: float) -> list[int]:
        """Now and then, the numbers of signals that others are clearly busier than, given away."""
        if self._elected_at is None:
            self._elected_at = now
        passed_s = now - self._elected_at
        if passed_s < _ELECTION_S:
            return []
        self._elected_at = now
        fading = 0.5 ** (passed_s / _HALVING_S)
        ranked = sorted(
            ((peak * fading, name) for name, peak in self._busiest.items()), reverse=True
        )
        self._busiest = {name: peak for peak, name in ranked if name in self._numbers}
        waiting = [(peak, name) for peak, name in ranked if name not in self._numbers]
        self._busiest |= {name: peak for peak, name in waiting[: self._most]}
        renewed = []
        for (peak, name), least in zip(
            waiting, sorted(self._numbers, key=self._peak), strict=False
        ):
            if peak <= _CLEARLY * self._peak(least):
                break
            number = self._numbers.pop(least)
            self._numbers[name] = number
            renewed.append(number)
        return renewed

    def _peak(self, name: _Name) -> float:
        return self._busiest.get(name, 0.0)

    def _find_tables(self, fleet: Fleet, *, is_new: bool) -> Floats:
        """Per number its table's number, NaN for a signal of none, infinite where it is unknown."""
        if is_new or fleet is not self._fleet or len(self._table_of) != len(self._numbers):
            table_of = fleet.table_of
            slots = [fleet.slot(Resource(table), Dimension.READ) for table, _ in self.names]
            known = [np.inf if slot is None else float(table_of[slot]) for slot in slots]
            self._fleet = fleet
            self._table_of = np.where([not table for table, _ in self.names], np.nan, known)
        return self._table_of
