"""What was attempted, second by second, and what is not known.

Spans arrive late and in lumps, so a second is *settled* only once the fleet's usual telemetry lag
has passed; until then its sum is a lower bound. A second without spans is unknown, not zero: it
becomes a zero only in retrospect, when the target's next span arrives after a silence that is
ordinary for that target.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.fleet import Bools, Floats, Ints

WINDOW_S = 128
"""Seconds of per-second demand kept; spans later than that are lost to the forecast."""

LAG_BINS = 32
"""Telemetry lags of 0 to 31 s are told apart; the default SDK exporter needs 5 to 6 s."""

_LAG_QUANTILE = 0.98
_LAG_MEMORY = 0.93
_INITIAL_LAG_S = 5
_GAP_MEMORY = 0.9
_CREDIBLE_GAPS = 8.0
_SILENCE_BOUNDS_S = (10.0, 300.0)
_PEAK_REACH_S = 2
_AGE_MEMORY = 0.9
MOST_UNITS = 1e9
"""No table has this much, and squares of larger numbers would spoil the noise."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Demand that became known since the last tick; one entry per slot and second, any order.

    ``slots`` and ``seconds`` are integers, ``units`` attempted units, ``refusals`` refused
    attempts. An entry with 0 units says the second was seen and empty. ``throttled`` is the part
    of ``units`` that was refused in the end, ``None`` where none was.
    """

    slots: Ints
    seconds: Ints
    units: Floats
    refusals: Floats
    throttled: Floats | None = None

    @classmethod
    def none(cls) -> Arrivals:
        empty = np.zeros(0)
        return cls(empty.astype(np.int64), empty.astype(np.int64), empty, empty)


@dataclass(frozen=True, slots=True)
class DemandState:
    """Per-second demand of the last ``WINDOW_S`` seconds, as a ring over ``second % WINDOW_S``.

    ``units`` and ``known`` are (WINDOW_S, n); ``known`` is 1.0 where the second is known and 0.0
    elsewhere, and ``units`` is 0 wherever ``known`` is. The rest is (n,), NaN for never, except
    ``lags``: the distribution of the fleet's telemetry lag, seconds after a second's
    end until it is told of, rounded up,
    (LAG_BINS, 1); ``lag_s`` is the one within which all but the slowest fiftieth is told.
    ``news_age`` is how old a target's newest second usually is when it is told.
    """

    units: Floats
    known: Floats
    last_seen: Floats
    mean_gap: Floats
    news_age: Floats
    last_refused: Floats
    lags: Floats
    lag_s: int
    head: int

    @classmethod
    def empty(cls, size: int, now: float) -> DemandState:
        lags = np.zeros((LAG_BINS, 1))
        lags[_INITIAL_LAG_S] = 1.0
        return cls(
            units=np.zeros((WINDOW_S, size)),
            known=np.zeros((WINDOW_S, size)),
            last_seen=np.full(size, np.nan),
            mean_gap=np.ones(size),
            news_age=np.zeros(size),
            last_refused=np.full(size, np.nan),
            lags=lags,
            lag_s=_INITIAL_LAG_S,
            head=int(now),
        )


def absorb(state: DemandState, arrivals: Arrivals, now: float) -> DemandState:
    """Places arrivals in their own seconds; those older than the window are left out.

    Seconds ahead of ``now`` (a sender's clock runs fast) count for the current one.
    """
    head = max(int(now), state.head)
    units, known = _roll(state, head)
    told = _usable(arrivals, head)
    slots, seconds = told.slots, told.seconds
    last_seen, mean_gap, news_age = state.last_seen, state.mean_gap, state.news_age
    last_refused, lags, lag_s = state.last_refused, state.lags, state.lag_s
    if len(slots):
        lags = _learn_lags(lags, seconds, told.units, now)
        arrived = lags.cumsum()
        lag_s = int(arrived.searchsorted(_LAG_QUANTILE * arrived[-1]))
        news_age = _learn_news_age(news_age, slots, head - seconds)
        gaps = _measure_gaps(last_seen, slots, seconds)
        if np.count_nonzero(gaps.lengths > 1):
            credible = credible_silence(state)[gaps.slots]
            _fill_silences(known, gaps, credible, head)
            # An outage of telemetry must not teach that long silences are ordinary.
            gaps = _Gaps(gaps.slots, gaps.ends, np.minimum(gaps.lengths, credible))
        mean_gap = _learn_gaps(mean_gap, gaps)
        last_seen = _latest(last_seen, slots, seconds)
        rows = seconds % WINDOW_S
        np.add.at(units, (rows, slots), told.units)
        known[rows, slots] = 1.0
        refused = told.refusals > 0
        if np.count_nonzero(refused):
            last_refused = _latest(last_refused, slots[refused], seconds[refused])
    return DemandState(
        units=units,
        known=known,
        last_seen=last_seen,
        mean_gap=mean_gap,
        news_age=news_age,
        last_refused=last_refused,
        lags=lags,
        lag_s=lag_s,
        head=head,
    )


def has_bounded_lag(state: DemandState) -> bool:
    """False while more than a fiftieth of demand is later than lags are told apart.

    Then no second within reach is complete, and what is seen is a lower bound.
    """
    return state.lag_s < LAG_BINS - 1


def settled_until(state: DemandState, now: float) -> int:
    """The newest second whose demand has arrived, but for the slowest fiftieth."""
    return math.floor(now - state.lag_s) - 1


def credible_silence(state: DemandState) -> Floats:
    """Seconds for which each target's silence is ordinary, (n,)."""
    return (_CREDIBLE_GAPS * state.mean_gap + 2.0).clip(*_SILENCE_BOUNDS_S)


def is_fresh(state: DemandState, now: float) -> Bools:
    """Targets whose last span is recent enough to speak for the present, (n,).

    A target told of later than the fleet is measured by its own lag. Spans ahead of the clock
    (it was put back) say nothing of the present.
    """
    lag = np.maximum(state.news_age, int(now) - settled_until(state, now))
    silence = int(now) - state.last_seen
    # Never seen is NaN, and not fresh.
    fresh: Bools = (silence >= 0) & (silence <= credible_silence(state) + lag)
    return fresh


def recent_peak(state: DemandState, settled: int) -> Floats:
    """The highest mean of two neighbouring seconds lately, (n,).

    Reaches from just before ``settled`` to the present, whose sums are still lower bounds.
    """
    first = max(settled - _PEAK_REACH_S, state.head - WINDOW_S + 1)
    young = state.units[np.arange(first, state.head + 1) % WINDOW_S]
    peak: Floats = ((young[1:] + young[:-1]) / 2).max(axis=0)
    return peak


@dataclass(frozen=True, slots=True)
class _Gaps:
    """Steps from one second with spans to the next of the same slot, (m,).

    ``ends`` is the later second; a ``length`` of 1 s is no silence at all.
    """

    slots: Ints
    ends: Ints
    lengths: Floats


def _roll(state: DemandState, head: int) -> tuple[Floats, Floats]:
    """Copies of the rings in which the seconds after the old head are unknown."""
    units, known = state.units.copy(), state.known.copy()
    for second in range(max(state.head + 1, head - WINDOW_S + 1), head + 1):
        units[second % WINDOW_S] = 0.0
        known[second % WINDOW_S] = 0.0
    return units, known


def _usable(arrivals: Arrivals, head: int) -> Arrivals:
    """What can be counted of ``arrivals``: no absurd units, nothing older than the window."""
    seconds, units = arrivals.seconds, arrivals.units
    usable = (units >= 0) & (units <= MOST_UNITS) & (seconds > head - WINDOW_S) & (seconds <= head)
    if np.count_nonzero(usable) == len(usable):
        return arrivals
    usable = np.isfinite(units) & (units >= 0) & (seconds > head - WINDOW_S)
    return Arrivals(
        arrivals.slots[usable],
        np.minimum(seconds[usable], head),
        np.minimum(units[usable], MOST_UNITS),
        arrivals.refusals[usable],
    )


def _learn_lags(lags: Floats, seconds: Ints, units: Floats, now: float) -> Floats:
    """By units: the last crumbs of a second come late, but are crumbs."""
    learned: Floats = _LAG_MEMORY * lags
    if np.count_nonzero(seconds != seconds[0]):
        since_ended_s = np.ceil(np.maximum(now - (seconds + 1), 0.0))
        ages = np.minimum(since_ended_s, LAG_BINS - 1).astype(np.int64)
        weights = units + 1e-6  # seconds told of as empty say when they are told of, too
        order = np.lexsort((weights, ages))  # sums of floats depend on their order, lags must not
        ages, weights = ages[order], weights[order]
        seen = np.bincount(ages, weights, minlength=LAG_BINS) / weights.sum()
        learned += (1 - _LAG_MEMORY) * seen[:, None]
    else:
        since_ended = math.ceil(max(now - (int(seconds[0]) + 1), 0.0))
        learned[min(since_ended, LAG_BINS - 1)] += 1 - _LAG_MEMORY
    return learned


def _learn_news_age(news_age: Floats, slots: Ints, ages: Ints) -> Floats:
    newest = np.full(len(news_age), float(LAG_BINS))
    np.minimum.at(newest, slots, ages.astype(np.float64))
    told = newest < LAG_BINS  # anything older is a backlog, not a lag
    learned: Floats = np.where(told, news_age + (1 - _AGE_MEMORY) * (newest - news_age), news_age)
    return learned


def _measure_gaps(last_seen: Floats, slots: Ints, seconds: Ints) -> _Gaps:
    order = np.lexsort((seconds, slots))
    slots, seconds = slots[order], seconds[order]
    since = last_seen[slots]
    again = slots[1:] == slots[:-1]
    if np.count_nonzero(again):
        # A late span ends no silence, and does not begin one either.
        since[1:] = np.where(again, np.fmax(seconds[:-1], since[1:]), since[1:])
    lengths = seconds - since
    advancing = lengths > 0  # false for NaN: nothing is known of the time before the first span
    return _Gaps(slots[advancing], seconds[advancing], lengths[advancing])


def _fill_silences(known: Floats, gaps: _Gaps, credible: Floats, head: int) -> None:
    """Marks ordinary silences that just ended as known zeros in ``known``, in place."""
    silent = (gaps.lengths > 1) & (gaps.lengths - 1 <= credible)
    if not np.count_nonzero(silent):
        return
    lengths = np.minimum(gaps.lengths[silent] - 1, WINDOW_S - 1).astype(np.int64)
    steps = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    seconds = np.repeat(gaps.ends[silent] - 1, lengths) - steps
    in_window = seconds > head - WINDOW_S
    slots = np.repeat(gaps.slots[silent], lengths)
    known[seconds[in_window] % WINDOW_S, slots[in_window]] = 1.0


def _learn_gaps(mean_gap: Floats, gaps: _Gaps) -> Floats:
    counts = np.bincount(gaps.slots, minlength=len(mean_gap))
    totals = np.bincount(gaps.slots, gaps.lengths, minlength=len(mean_gap))
    memory = _GAP_MEMORY**counts
    learned: Floats = memory * mean_gap + (1 - memory) * (totals / np.maximum(counts, 1))
    return learned


def _latest(times: Floats, slots: Ints, seconds: Ints) -> Floats:
    """``times`` moved on to ``seconds`` where those are later, or the first."""
    times = times.copy()
    np.fmax.at(times, slots, seconds.astype(np.float64))
    return times
