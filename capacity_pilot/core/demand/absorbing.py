"""Taking in what is told of demand, however late and in whatever order."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.demand.freshness import credible_silence
from capacity_pilot.core.demand.state import LAG_BINS, MOST_UNITS, WINDOW_S, Arrivals, DemandState
from capacity_pilot.core.fleet import Floats, Ints

_LAG_QUANTILE = 0.98
_LAG_MEMORY = 0.93
_GAP_MEMORY = 0.9
_AGE_MEMORY = 0.9


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
