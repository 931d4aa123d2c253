"""A table, a signal and what one brings the other, told to the forecast as telemetry would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from capacity_pilot.core.demand import Arrivals, DemandState, absorb
from capacity_pilot.core.fleet import Floats, Ints
from capacity_pilot.core.forecast.upstream import (
    Announced,
    Hints,
    SignalArrivals,
    UpstreamState,
    foresee,
)
from capacity_pilot.core.forecast.upstream.hints import respond

START = 1_700_000_000
LAG_S = 6
AHEAD_S = 36.0
MINUTE = 60
CALM = 400.0


def bursts(seconds: int, *begin: int, lasts: int = 60, rate: float = 5000.0) -> Floats:
    """A signal that is silent but for bursts of ``lasts`` seconds."""
    counts = np.zeros(seconds)
    for at in begin:
        counts[at : at + lasts] = rate
    return counts


def brought_by(signal: Floats, *, gain: float = 0.05, mean_delay_s: float = 60.0) -> Floats:
    """Demand that follows: each count brings ``gain`` units, from 4 s on, most within minutes."""
    age = np.arange(600)
    response = np.where(age < 4, 0.0, np.exp(-(age - 4) / mean_delay_s))
    whole = np.convolve(signal, gain * response / response.sum())
    return whole[: len(signal)]


def noisy(mean: Floats, seed: int = 3) -> Floats:
    return np.random.default_rng(seed).poisson(mean).astype(np.float64)


def hint(
    *, gain: float = 0.05, lag_s: float = 60.0, lasts_s: float = 60.0, key: float = 1.0
) -> Hints:
    """A policy's only hint, at the only signal and for the only slot; ``gain`` 0 is not said."""
    hints = Hints.none(1)
    hints.keys[0, 0], hints.signals[0, 0] = key, 0.0
    if gain:
        hints.weights[:, 0, 0] = respond(gain, lag_s)
    return replace(hints, lasts_s=np.array([lasts_s]))


@dataclass(frozen=True, slots=True)
class Watched:
    """``peaks`` (seconds, n): what was announced in each second; the last of everything."""

    peaks: Floats
    announced: list[Announced]
    state: UpstreamState
    demand: DemandState

    def first_said(self, begin: int, end: int, slot: int = 0) -> int | None:
        """The first second from ``begin`` to before ``end`` in which anything was announced."""
        said = np.flatnonzero(~np.isnan(self.peaks[begin:end, slot]))
        return begin + int(said[0]) if len(said) else None

    def says_nothing(self, begin: int, end: int, slot: int = 0) -> bool:
        return self.first_said(begin, end, slot) is None


def watch(
    demand: Floats,
    signals: Floats,
    *,
    table_of: Ints | None = None,
    signal_table: Floats | None = None,
    hints: Callable[[int], Hints | None] = lambda _: None,
    change: Callable[[int, UpstreamState], UpstreamState] = lambda _, state: state,
) -> Watched:
    """Tells (seconds, n) units and (seconds, S) counts ``LAG_S`` late; NaN is never told."""
    demand, signals = demand.reshape(len(demand), -1), signals.reshape(len(signals), -1)
    slots, numbers = np.arange(demand.shape[1]), np.arange(signals.shape[1])
    tables = np.zeros(len(slots), dtype=np.int64) if table_of is None else table_of
    scope = np.full(len(numbers), np.nan) if signal_table is None else signal_table
    known, state = DemandState.empty(len(slots), START), UpstreamState.empty(len(slots), START)
    none = np.zeros(0, dtype=np.int64)
    peaks, said = np.full((len(demand), len(slots)), np.nan), []
    for second in range(len(demand)):
        told = second - 1 - LAG_S
        units = demand[max(told, 0)] if told >= 0 else np.full(len(slots), np.nan)
        counts = signals[max(told, 0)] if told >= 0 else np.full(len(numbers), np.nan)
        there, heard = ~np.isnan(units), ~np.isnan(counts)
        at = START + told
        arrivals = Arrivals(
            slots[there], np.full(there.sum(), at), units[there], np.zeros(there.sum())
        )
        known = absorb(known, arrivals, START + second)
        news = SignalArrivals(numbers[heard], np.full(heard.sum(), at), counts[heard], scope, none)
        state, announced = foresee(
            change(second, state),
            news,
            known,
            hints=hints(second),
            table_of=tables,
            ahead_s=np.full(len(slots), AHEAD_S),
            now=START + second,
        )
        peaks[second] = announced.peak(len(slots))
        said.append(announced)
    return Watched(peaks, said, state, known)
