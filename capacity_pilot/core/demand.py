"""What was attempted, second by second, and what is not known.

Spans arrive late and in lumps, so a second is *settled* only once the fleet's usual telemetry lag
has passed; until then its sum is a lower bound. A second without spans is unknown, not zero: it
becomes a zero only in retrospect, when the target's next span arrives after a silence that is
ordinary for that target.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

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
_MOST_UNITS = 1e9  # no table has this much; squares of larger numbers would spoil the noise


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Demand that became known since the last tick; one entry per slot and second, any order.

    ``slots`` and ``seconds`` are integers, ``units`` attempted units, ``refusals`` refused
    attempts. An entry with 0 units says the second was seen and empty.
    """

    slots: Ints
    seconds: Ints
    units: Floats
    refusals: Floats

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
    (LAG_BINS, 1). ``news_age`` is how old a target's newest second usually is when it is told.
    """

    units: Floats
    known: Floats
    last_seen: Floats
    mean_gap: Floats
    news_age: Floats
    last_refused: Floats
    lags: Floats
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
            head=int(now),
        )


def absorb(state: DemandState, arrivals: Arrivals, now: float) -> DemandState:
    """Places arrivals in their own seconds; those older than the window are left out.

    Seconds ahead of ``now`` (a sender's clock runs fast) count for the current one.
    """
    head = max(int(now), state.head)
    units, known = _roll(state, head)
    state = replace(state, units=units, known=known, head=head)
    finite = np.isfinite(arrivals.units) & (arrivals.units >= 0)
    usable = finite & (arrivals.seconds > head - WINDOW_S)
    if not usable.any():
        return state
    slots = arrivals.slots[usable]
    seconds = np.minimum(arrivals.seconds[usable], head)
    amounts = np.minimum(arrivals.units[usable], _MOST_UNITS)
    refusals = arrivals.refusals[usable]
    since_ended_s = np.maximum(now - (seconds + 1), 0.0)
    lags = _learn_lags(state.lags, np.ceil(since_ended_s).astype(np.int64), amounts)
    news_age = _learn_news_age(state.news_age, slots, head - seconds)
    last_seen, mean_gap = _fill_silences(state, known, slots, seconds)
    rows = seconds % WINDOW_S
    np.add.at(units, (rows, slots), amounts)
    known[rows, slots] = 1.0
    last_refused = state.last_refused.copy()
    refused = refusals > 0
    np.fmax.at(last_refused, slots[refused], seconds[refused].astype(np.float64))
    return replace(
        state,
        last_seen=last_seen,
        mean_gap=mean_gap,
        news_age=news_age,
        last_refused=last_refused,
        lags=lags,
    )


def has_bounded_lag(state: DemandState) -> bool:
    """False while more than a fiftieth of demand is later than lags are told apart.

    Then no second within reach is complete, and what is seen is a lower bound.
    """
    return bool(state.lags[-1, 0] <= (1 - _LAG_QUANTILE) * state.lags.sum())


def settled_until(state: DemandState, now: float) -> int:
    """The newest second whose demand has arrived, but for the slowest fiftieth."""
    lag = int(np.searchsorted(np.cumsum(state.lags), _LAG_QUANTILE * state.lags.sum()))
    return int(np.floor(now - lag)) - 1


def credible_silence(state: DemandState) -> Floats:
    """Seconds for which each target's silence is ordinary, (n,)."""
    return np.clip(_CREDIBLE_GAPS * state.mean_gap + 2.0, *_SILENCE_BOUNDS_S)


def is_fresh(state: DemandState, now: float) -> Bools:
    """Targets whose last span is recent enough to speak for the present, (n,).

    A target told of later than the fleet is measured by its own lag. Spans ahead of the clock
    (it was put back) say nothing of the present.
    """
    lag = np.maximum(state.news_age, int(now) - settled_until(state, now))
    silence = int(now) - state.last_seen
    with np.errstate(invalid="ignore"):  # never seen is NaN, and not fresh
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


def _roll(state: DemandState, head: int) -> tuple[Floats, Floats]:
    """Copies of the rings in which the seconds after the old head are unknown."""
    units, known = state.units.copy(), state.known.copy()
    fresh_rows = np.arange(max(state.head + 1, head - WINDOW_S + 1), head + 1) % WINDOW_S
    units[fresh_rows] = 0.0
    known[fresh_rows] = 0.0
    return units, known


def _learn_lags(lags: Floats, ages: Ints, amounts: Floats) -> Floats:
    """By units: the last crumbs of a second come late, but are crumbs."""
    weights = amounts + 1e-6  # seconds told of as empty say when they are told of, too
    order = np.lexsort((weights, ages))  # sums of floats depend on their order, lags must not
    ages, weights = np.minimum(ages[order], LAG_BINS - 1), weights[order]
    seen = np.bincount(ages, weights, minlength=LAG_BINS)
    learned: Floats = _LAG_MEMORY * lags + (1 - _LAG_MEMORY) * seen[:, None] / weights.sum()
    return learned


def _learn_news_age(news_age: Floats, slots: Ints, ages: Ints) -> Floats:
    newest = np.full(len(news_age), float(LAG_BINS))
    np.minimum.at(newest, slots, ages.astype(np.float64))
    told = newest < LAG_BINS  # anything older is a backlog, not a lag
    learned: Floats = np.where(told, news_age + (1 - _AGE_MEMORY) * (newest - news_age), news_age)
    return learned


def _fill_silences(
    state: DemandState, known: Floats, slots: Ints, seconds: Ints
) -> tuple[Floats, Floats]:
    """Marks ordinary silences that just ended as known zeros (in ``known``, in place).

    Returns the new ``last_seen`` and ``mean_gap``.
    """
    order = np.lexsort((seconds, slots))
    slots, seconds = slots[order], seconds[order].astype(np.float64)
    is_first = np.r_[True, slots[1:] != slots[:-1]]
    last_seen = state.last_seen[slots]
    # A late span ends no silence, and does not begin one either.
    before = np.where(is_first, last_seen, np.fmax(np.r_[0.0, seconds[:-1]], last_seen))
    gaps = seconds - before
    advancing = gaps > 0  # false for NaN: nothing is known of the time before the first span
    gap_slots, gap_lengths = slots[advancing], gaps[advancing]
    credible = credible_silence(state)
    silent = (gap_lengths > 1) & (gap_lengths - 1 <= credible[gap_slots])
    lengths = np.minimum(gap_lengths[silent] - 1, WINDOW_S - 1).astype(np.int64)
    if lengths.size:
        ends = seconds[advancing][silent].astype(np.int64)
        steps = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        silent_seconds = np.repeat(ends - 1, lengths) - steps
        in_window = silent_seconds > state.head - WINDOW_S
        rows = silent_seconds[in_window] % WINDOW_S
        known[rows, np.repeat(gap_slots[silent], lengths)[in_window]] = 1.0

    mean_gap = state.mean_gap.copy()
    if gap_slots.size:
        counts = np.bincount(gap_slots, minlength=len(mean_gap))
        # An outage of telemetry must not teach that long silences are ordinary.
        ordinary = np.minimum(gap_lengths, credible[gap_slots])
        totals = np.bincount(gap_slots, ordinary, minlength=len(mean_gap))
        touched = counts > 0
        memory = _GAP_MEMORY ** counts[touched]
        observed = totals[touched] / counts[touched]
        mean_gap[touched] = memory * mean_gap[touched] + (1 - memory) * observed
    last_seen = state.last_seen.copy()
    np.fmax.at(last_seen, slots, seconds)
    return last_seen, mean_gap
