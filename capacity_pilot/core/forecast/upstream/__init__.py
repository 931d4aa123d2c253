"""Demand foreseen from upstream: signals that move before a table's demand does.

``signals`` keeps what is told of signals and notices when one leaves its usual rate, ``bursts``
learns how that goes on, ``response`` how a signal comes out as demand, ``pairs`` which signal may
be believed for which slot, ``hints`` what policies say before any of it is learned. ``learning``
takes them from second to second, ``announcing`` says what is to come. It can only raise capacity.
Next to no work is done in seconds in which every signal is at its usual rate.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from capacity_pilot.core.demand import DemandState, settled_until
from capacity_pilot.core.fleet import Floats, Ints
from capacity_pilot.core.forecast.upstream.announcing import Announced, announce, size_announced
from capacity_pilot.core.forecast.upstream.hints import (
    Hints,
    are_heeded,
    find_doubtful,
    heed_hints,
)
from capacity_pilot.core.forecast.upstream.leads import Lead, find_deaf, heard_s, list_leads
from capacity_pilot.core.forecast.upstream.learning import Scope, learn_second
from capacity_pilot.core.forecast.upstream.signals import (
    NO_SIGNALS,
    SignalArrivals,
    absorb_signals,
)
from capacity_pilot.core.forecast.upstream.state import UpstreamState, make_room


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
        return state, Announced.nothing(len(table_of), int(now))
    state = make_room(state, arrivals)
    state = state.with_signals(absorb_signals(state.signals, arrivals, now))
    pairs = heed_hints(state.pairs, hints)
    state = state if pairs is state.pairs else replace(state, pairs=pairs)
    scope = Scope(arrivals.table_of, table_of)
    seconds = range(state.signals.watched + 1, settled_until(demand, now) + 1)
    for second in seconds[-len(demand.units) // 2 :]:
        state = learn_second(state, demand, second, scope=scope)
    lasts_s = np.zeros(len(state.signals)) if hints is None else hints.lasts_s
    return announce(state, lasts_s=lasts_s, ahead_s=ahead_s, now=now)


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
    "foresee",
    "heard_s",
    "list_leads",
    "size_announced",
]
