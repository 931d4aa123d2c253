"""All that is remembered of upstream signals, and room for more of them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np

from capacity_pilot.core.fleet import ArrayState, Ints, name_arrays
from capacity_pilot.core.forecast.upstream.bursts import BurstsState
from capacity_pilot.core.forecast.upstream.pairs import PairState, release_places
from capacity_pilot.core.forecast.upstream.response import MomentState
from capacity_pilot.core.forecast.upstream.signals import SignalArrivals, SignalState

State = TypeVar("State", SignalState, BurstsState, MomentState)


@dataclass(frozen=True, slots=True)
class UpstreamState(ArrayState):
    """Of S signals, in arrays that end in (S, 1), and of the slots they lead, in such of (.., n).

    A signal takes about 4.8 kB, a slot 960 bytes.
    """

    signals: SignalState
    bursts: BurstsState
    moments: MomentState
    pairs: PairState

    @classmethod
    def empty(cls, size: int, now: float) -> UpstreamState:
        return cls(
            signals=SignalState.empty(now),
            bursts=BurstsState.empty(),
            moments=MomentState.empty(),
            pairs=PairState.empty(size),
        )

    def with_signals(self, signals: SignalState) -> UpstreamState:
        return UpstreamState(signals, self.bursts, self.moments, self.pairs)


UpstreamStateArrays = name_arrays(UpstreamState)


def make_room(state: UpstreamState, arrivals: SignalArrivals) -> UpstreamState:
    """Room for signals that are new, and nothing left of those whose numbers were given away."""
    grown = max(len(arrivals.table_of) - len(state.signals), 0)
    renewed = arrivals.renewed
    if not grown and not len(renewed):
        return state
    return UpstreamState(
        signals=_renew(state.signals, SignalState.empty(0.0, max(grown, 1)), grown, renewed),
        bursts=_renew(state.bursts, BurstsState.empty(max(grown, 1)), grown, renewed),
        moments=_renew(state.moments, MomentState.empty(max(grown, 1)), grown, renewed),
        pairs=release_places(state.pairs, renewed),
    )


def _renew(state: State, fresh: State, grown: int, renewed: Ints) -> State:
    changes: dict[str, Any] = {}
    for item in fields(state):
        before, blank = getattr(state, item.name), getattr(fresh, item.name)
        if isinstance(before, np.ndarray):
            after = np.concatenate([before, blank[..., :grown, :]], axis=-2)
            after[..., renewed, :] = blank[..., :1, :]
            changes[item.name] = after
    return replace(state, **changes)
