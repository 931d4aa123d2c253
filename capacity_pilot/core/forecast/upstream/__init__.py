"""Demand foreseen from upstream: signals that move before a table's demand does.

``signals`` keeps what is told of signals and notices when one leaves its usual rate, ``bursts``
learns how that goes on, ``response`` how a signal comes out as demand, ``pairs`` which signal may
be believed for which slot, ``hints`` what policies say before any of it is learned, ``unheard``
where one moves of which nobody knows anything. ``learning`` takes them from second to second,
``announcing`` says what is to come. It can only raise capacity. Next to no work is done in seconds
in which every signal is at its usual rate.
"""

from __future__ import annotations

from dataclasses import replace

from capacity_pilot.core.demand import DemandState, settled_until
from capacity_pilot.core.fleet import Floats, Ints
from capacity_pilot.core.forecast.upstream.announcing import Announced, announce, size_announced
from capacity_pilot.core.forecast.upstream.hints import (
    Hints,
    are_heeded,
    find_doubtful,
    heed_hints,
    said_to_last,
)
from capacity_pilot.core.forecast.upstream.leads import Lead, find_deaf, heard_s, list_leads
from capacity_pilot.core.forecast.upstream.learning import DemandRings, learn_signals
from capacity_pilot.core.forecast.upstream.signals import (
    NO_SIGNALS,
    SignalArrivals,
    absorb_signals,
    watch_seconds,
)
from capacity_pilot.core.forecast.upstream.state import UpstreamState, make_room
from capacity_pilot.core.forecast.upstream.unheard import find_unheard


def foresee(
    state: UpstreamState,
    arrivals: SignalArrivals,
    demand: DemandState,
    *,
    hints: Hints | None = None,
    table_of: Ints,
    ahead_s: Floats,
    now: float,
) -> tuple[UpstreamState, Announced]:
    """Learns from the newly settled seconds, then says what signals announce.

    ``hints`` are what policies say of signals. ``table_of`` (n,) numbers the slots' tables; a
    change made now acts from ``ahead_s`` (n,) on.
    """
    if not len(arrivals.table_of):
        return state, Announced.nothing(int(now))
    state = make_room(state, arrivals)
    pairs = heed_hints(state.pairs, hints)
    until = settled_until(demand, now)
    signals = absorb_signals(state.signals, arrivals, now)
    if signals.are_at_rest:
        watched = watch_seconds(signals.arrays, signals.watched, until, demand.known)
        seen = replace(signals, watched=watched)
        if seen.are_at_rest:
            after = UpstreamState(seen, state.bursts, state.moments, pairs)
            return after, Announced.nothing(watched)
        # An episode begins, which is learned from as it begins.
        signals = absorb_signals(state.signals, arrivals, now)
    after = UpstreamState(signals, state.bursts.copy(), state.moments.copy(), pairs.copy())
    watched = learn_signals(
        after.arrays,
        signals.watched,
        until,
        DemandRings(demand.units, demand.known, demand.head),
        arrivals.table_of,
        table_of,
    )
    lasts_s = said_to_last(hints, len(signals))
    slots, course = announce(after.arrays, watched, lasts_s, ahead_s, now)
    after = after.with_signals(replace(signals, watched=watched))
    return after, Announced(slots, course, watched)


__all__ = [
    "NO_SIGNALS",
    "Announced",
    "Hints",
    "Lead",
    "SignalArrivals",
    "UpstreamState",
    "are_heeded",
    "find_deaf",
    "find_doubtful",
    "find_unheard",
    "foresee",
    "heard_s",
    "list_leads",
    "size_announced",
]
