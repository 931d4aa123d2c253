"""Taking in what is told of demand, however late and in whatever order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.demand.freshness import credible_silence_s
from capacity_pilot.core.demand.state import LAG_BINS, MOST_UNITS, WINDOW_S, Arrivals, DemandState
from capacity_pilot.core.fleet import Bools, Floats, Ints

_LAG_QUANTILE = 0.98
_LAG_MEMORY = 0.93
_GAP_MEMORY = 0.9
_AGE_MEMORY = 0.9
_FRACTIONS = 2.0**20  # of a unit, that are told apart where lags are weighed


def absorb(state: DemandState, arrivals: Arrivals, now: float) -> DemandState:
    """Places arrivals in their own seconds; those older than the window are left out.

    Seconds ahead of ``now`` (a sender's clock runs fast) count for the current one.
    """
    head, after = max(int(now), state.head), state.copy()
    lag_s = take_in(
        after.units,
        after.known,
        after.last_seen,
        after.mean_gap,
        after.news_age,
        after.last_refused,
        after.lags,
        arrivals.slots,
        arrivals.seconds,
        arrivals.units,
        arrivals.refusals,
        state.head,
        head,
        float(now),
    )
    # The same array tells that no refusal is new.
    is_refused = np.count_nonzero(arrivals.refusals)
    last_refused = after.last_refused if is_refused else state.last_refused
    return replace(after, last_refused=last_refused, lag_s=lag_s, head=head)


@compiled
def take_in(  # noqa: PLR0913, PLR0917 - compiled code takes no dataclasses
    units: Floats,
    known: Bools,
    last_seen: Floats,
    mean_gap: Floats,
    news_age: Floats,
    last_refused: Floats,
    lags: Floats,
    slots: Ints,
    seconds: Ints,
    told: Floats,
    refusals: Floats,
    before: int,
    head: int,
    now: float,
) -> int:
    """Moves the head on from ``before`` and takes in what was ``told``, all in place.

    Returns the fleet's telemetry lag.
    """
    for second in range(max(before + 1, head - WINDOW_S + 1), head + 1):
        units[second % WINDOW_S] = 0.0
        known[second % WINDOW_S] = False
    order = _sort_usable(seconds, told, head)
    if len(order):
        _learn_lags(lags, order, seconds, told, now)
        _learn_news_age(news_age, order, slots, seconds, head)
        _learn_gaps(known, last_seen, mean_gap, order, slots, seconds, head)
    for entry in order:
        slot, second = slots[entry], min(seconds[entry], head)
        units[second % WINDOW_S, slot] += min(told[entry], MOST_UNITS)
        known[second % WINDOW_S, slot] = True
        if refusals[entry] > 0:
            last_refused[slot] = np.fmax(last_refused[slot], second)
    return _find_lag_s(lags)


@compiled
def _sort_usable(seconds: Ints, told: Floats, head: int) -> Ints:
    """Which entries can be counted, by second: no absurd units, nothing older than the window."""
    oldest = head - WINDOW_S + 1
    ends = np.zeros(WINDOW_S + 1, dtype=np.int64)
    for entry in range(len(seconds)):
        if seconds[entry] >= oldest and 0 <= told[entry] < np.inf:
            ends[min(seconds[entry], head) - oldest + 1] += 1
    for row in range(WINDOW_S):
        ends[row + 1] += ends[row]
    order = np.empty(ends[WINDOW_S], dtype=np.int64)
    for entry in range(len(seconds)):
        if seconds[entry] >= oldest and 0 <= told[entry] < np.inf:
            row = min(seconds[entry], head) - oldest
            order[ends[row]] = entry
            ends[row] += 1
    return order


@compiled
def _learn_lags(lags: Floats, order: Ints, seconds: Ints, told: Floats, now: float) -> None:
    """By units: the last crumbs of a second come late, but are crumbs."""
    seen = np.zeros(LAG_BINS)
    for entry in order:
        since_ended_s = max(now - (seconds[entry] + 1), 0.0)
        # Sums of whole numbers do not depend on their order, and lags must not. Seconds told of as
        # empty say when they are told of, too.
        weight = np.rint(min(told[entry], MOST_UNITS) * _FRACTIONS) + 1.0
        seen[min(int(np.ceil(since_ended_s)), LAG_BINS - 1)] += weight
    total = seen.sum()
    for lag_s in range(LAG_BINS):
        lags[lag_s, 0] = _LAG_MEMORY * lags[lag_s, 0] + (1 - _LAG_MEMORY) * (seen[lag_s] / total)


@compiled
def _find_lag_s(lags: Floats) -> int:
    """The lag within which all but the slowest fiftieth is told."""
    arrived = lags.cumsum()
    return int(np.searchsorted(arrived, _LAG_QUANTILE * arrived[-1]))


@compiled
def _learn_news_age(news_age: Floats, order: Ints, slots: Ints, seconds: Ints, head: int) -> None:
    newest = np.full(len(news_age), LAG_BINS)
    for entry in order:
        slot = slots[entry]
        newest[slot] = min(newest[slot], head - min(seconds[entry], head))
    for slot in range(len(news_age)):
        if newest[slot] < LAG_BINS:  # anything older is a backlog, not a lag
            news_age[slot] += (1 - _AGE_MEMORY) * (newest[slot] - news_age[slot])


@compiled
def _learn_gaps(
    known: Bools,
    last_seen: Floats,
    mean_gap: Floats,
    order: Ints,
    slots: Ints,
    seconds: Ints,
    head: int,
) -> None:
    """Learns how far apart seconds with spans are, and marks ordinary silences that ended as known.

    A late span ends no silence, and does not begin one either.
    """
    gaps, lasted_s = np.zeros(len(mean_gap)), np.zeros(len(mean_gap))
    for entry in order:
        slot, second = slots[entry], min(seconds[entry], head)
        gap_s = second - last_seen[slot]
        if gap_s > 0:  # NaN is not: nothing is known of the time before the first span
            credible_s = credible_silence_s(mean_gap[slot])
            if gap_s - 1 <= credible_s:
                for silent in range(max(second - int(gap_s), head - WINDOW_S) + 1, second):
                    known[silent % WINDOW_S, slot] = True
            # An outage of telemetry must not teach that long silences are ordinary.
            gaps[slot] += 1.0
            lasted_s[slot] += min(gap_s, credible_s)
        last_seen[slot] = np.fmax(last_seen[slot], second)
    for slot in range(len(mean_gap)):
        if gaps[slot] > 0:
            memory = _GAP_MEMORY ** gaps[slot]
            gap_s = lasted_s[slot] / gaps[slot]
            mean_gap[slot] = memory * mean_gap[slot] + (1 - memory) * gap_s
