"""Signals by name, as telemetry tells of them, to signals by number, as the forecast keeps them.

There are only so many numbers. Once they are all given, a signal takes another's when its busiest
second of late was clearly busier: what may precede a surge is a burst, however rare.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from capacity_pilot.core.fleet import Fleet, Floats, Ints
from capacity_pilot.core.forecast.upstream import NO_SIGNALS, SignalArrivals
from capacity_pilot.core.model import Dimension, Resource, SignalKey

MOST_SIGNALS = 64
"""Numbers a pilot gives out unless told otherwise."""

_CANDIDATES_PER_NUMBER = 8
_ELECTION_S = 600
_HALVING_S = 86_400.0
_CLEARLY = 2.0

SignalName = tuple[str, str]
"""(table whose demand alone the signal may lead or ``""``, signal)."""


class SignalsTold(NamedTuple):
    """What was told of signals: an entry, (k,) each, per second and signal told of.

    ``columns`` index ``names``, ``seconds`` are Unix seconds, ``counts`` what was counted in them.
    """

    names: tuple[SignalName, ...]
    columns: Ints
    seconds: Ints
    counts: Floats

    @classmethod
    def of(cls, signals: Mapping[SignalKey, float]) -> SignalsTold:
        if not signals:
            return NOTHING_TOLD
        column_of: dict[SignalName, int] = {}
        columns = [column_of.setdefault(key[:2], len(column_of)) for key in signals]
        return cls(
            tuple(column_of),
            np.array(columns, dtype=np.int64),
            np.array([second for *_, second in signals], dtype=np.int64),
            np.array(list(signals.values()), dtype=np.float64),
        )

    def until(self, end: int) -> SignalsTold:
        """The entries before ``end``."""
        columns, seconds, counts = self.columns[:end], self.seconds[:end], self.counts[:end]
        return SignalsTold(self.names, columns, seconds, counts)


NOTHING_TOLD = SignalsTold((), *SignalArrivals.none()[:3])


@dataclass(frozen=True, slots=True)
class KnownSignals:
    """``names`` by number, and the ``busiest`` second of late of each candidate; when numbers were
    last given away.
    """

    names: tuple[SignalName, ...]
    busiest: Mapping[SignalName, float]
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


class _Lately(NamedTuple):
    """Of the ``names`` told of last, by column: their ``numbers``, -1 for none, and the ``busiest``
    second of each since the last election, -1 where it was not told of: what need not be looked up
    again as long as the same names are told of.
    """

    names: tuple[SignalName, ...]
    numbers: Ints
    busiest: Floats

    @classmethod
    def of(cls, names: tuple[SignalName, ...]) -> _Lately:
        return cls(names, np.full(len(names), -1), np.full(len(names), -1.0))


class SignalNames:
    """Gives numbers to names. ``left_out`` counts entries of signals that have none."""

    def __init__(self, most: int = MOST_SIGNALS) -> None:
        self.left_out = 0
        self._most = most
        self._numbers: dict[SignalName, int] = {}
        self._busiest: dict[SignalName, float] = {}
        self._elected_at: float | None = None
        self._fleet = Fleet(())
        self._table_of = np.zeros(0)
        self._lately = _Lately.of(())
        self._hinted: frozenset[str] = frozenset()

    def keep(self, hinted: frozenset[str]) -> None:
        """Signals that policies name have a number as soon as they are heard, and keep it."""
        if hinted != self._hinted:
            self._hinted = hinted
            self._lately = _Lately.of(())

    def number(self, table: str, name: str) -> int | None:
        """That of the table's own signal of this name, else of the one that may lead any table;
        ``None`` where neither was heard.
        """
        own = self._numbers.get((table, name))
        return own if own is not None else self._numbers.get(("", name))

    @property
    def names(self) -> tuple[SignalName, ...]:
        """(table or ``""``, signal) by number."""
        return tuple(sorted(self._numbers, key=self._numbers.__getitem__))

    def remember(self) -> KnownSignals:
        return KnownSignals(self.names, dict(self._busiest), self._elected_at)

    def recall(self, known: KnownSignals) -> None:
        """Gives the numbers that were given before, since what was learned goes by them."""
        self._numbers = {name: number for number, name in enumerate(known.names)}
        self._busiest = dict(known.busiest)
        self._elected_at = known.elected_at

    def address(self, told: SignalsTold, fleet: Fleet, now: float) -> SignalArrivals:
        """What was told of signals, by number."""
        if not len(told.columns) and not self._numbers:
            return NO_SIGNALS
        renewed = self._elect(now)
        numbers = self._number(told, renewed)[told.columns]
        is_known = numbers >= 0
        self.left_out += len(numbers) - int(np.count_nonzero(is_known))
        return SignalArrivals(
            signals=numbers[is_known],
            seconds=told.seconds[is_known],
            counts=told.counts[is_known],
            table_of=self._find_tables(fleet, is_new=bool(renewed)),
            renewed=np.array(renewed, dtype=np.int64),
        )

    def count_seconds(self, told: SignalsTold, ends: Ints, now: float) -> int:
        """Of how many seconds from ``now`` on ``told`` may be addressed at once: of the first up
        to ``ends[0]``, and so on. One, if further ones tell of signals without a number; and no
        election may be due in them.
        """
        until = len(ends)
        if self._elected_at is not None:
            since = now if now - self._elected_at >= _ELECTION_S else self._elected_at
            until = min(until, max(int(np.ceil(since + _ELECTION_S - now)), 1))
        further = told.columns[ends[0] : ends[until - 1]]
        if not len(further):
            return until
        is_known = told.names is self._lately.names and (self._lately.numbers[further] >= 0).all()
        return until if is_known else 1

    def _number(self, told: SignalsTold, renewed: list[int]) -> Ints:
        """The numbers of those that are told of, by column, -1 for none."""
        if told.names is not self._lately.names:
            self._lately = _Lately.of(told.names)
        numbers, busiest = self._lately.numbers, self._lately.busiest
        before = busiest.copy()
        np.fmax.at(busiest, told.columns, np.maximum(told.counts, 0.0))
        for column in np.flatnonzero(busiest > before).tolist():
            name = told.names[column]
            number = self._number_of(name, float(busiest[column]))
            if number is None and name[1] in self._hinted:
                number = self._make_way(name, renewed)
                numbers[numbers == number] = -1
            numbers[column] = -1 if number is None else number
        return numbers

    def _number_of(self, name: SignalName, count: float) -> int | None:
        number = self._numbers.get(name)
        if number is None and len(self._numbers) < self._most:
            number = self._numbers[name] = len(self._numbers)
        busiest = self._busiest.get(name)
        if busiest is None and len(self._busiest) >= _CANDIDATES_PER_NUMBER * self._most:
            return number
        if busiest is None or count > busiest:
            self._busiest[name] = count
        return number

    def _make_way(self, name: SignalName, renewed: list[int]) -> int | None:
        """Gives a policy's signal the number of the one whose busiest second was the calmest."""
        others = [other for other in self._numbers if other[1] not in self._hinted]
        if not others:
            return None
        least = min(others, key=self._peak)
        number = self._numbers[name] = self._numbers.pop(least)
        renewed.append(number)
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
        self._lately = _Lately.of(())
        renewed = []
        given = [name for name in self._numbers if name[1] not in self._hinted]
        for (peak, name), least in zip(waiting, sorted(given, key=self._peak), strict=False):
            if peak <= _CLEARLY * self._peak(least):
                break
            number = self._numbers.pop(least)
            self._numbers[name] = number
            renewed.append(number)
        return renewed

    def _peak(self, name: SignalName) -> float:
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
