"""What has been learned of signals, for people to look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.fleet import Bools
from capacity_pilot.core.forecast.upstream.pairs import find_trusted
from capacity_pilot.core.forecast.upstream.response import EDGES_S, gain_of
from capacity_pilot.core.forecast.upstream.signals import DUTY_S
from capacity_pilot.core.forecast.upstream.state import UpstreamState

_MIDDLES_S = (EDGES_S[1:] + EDGES_S[:-1]) / 2
_STEADY = 0.1
_LOST_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """A signal that demand of a slot has followed.

    ``gain`` is units per count, ``lag_s`` how long they take on average. ``skill`` is the share of
    what was not usual that it explained in episodes it had not learned from, ``None`` before
    there was one; at or below 0 the forecast is better off without it. ``doubt`` is by what part
    of what it announces more usually comes.
    """

    signal: int
    slot: int
    gain: float
    lag_s: float
    episodes: int
    skill: float | None
    doubt: float
    is_trusted: bool


def list_leads(state: UpstreamState) -> list[Lead]:
    """Every place that has been learned for, by slot."""
    leads = []
    held = state.pairs
    trusted = find_trusted(held.arrays)
    for place, slot in np.argwhere(~np.isnan(held.signal) & (held.lessons > 0)):
        weights = held.weights[:, place, slot]
        gain = gain_of(weights)
        missed, erred = held.missed[place, slot], held.erred[place, slot]
        lead = Lead(
            signal=int(held.signal[place, slot]),
            slot=int(slot),
            gain=gain,
            lag_s=float(_MIDDLES_S @ weights) / max(gain, 1e-12),
            episodes=int(held.lessons[place, slot]),
            skill=float(1 - erred / missed) if missed > 0 else None,
            doubt=float(held.doubt[place, slot]),
            is_trusted=bool(trusted[place, slot]),
        )
        leads.append(lead)
    return sorted(leads, key=lambda lead: (lead.slot, lead.signal))


def find_deaf(state: UpstreamState, now: float) -> Bools | None:
    """The slots that a believed signal leads while signals are lost, (n,), ``None`` for none.

    Lost they are when of all that are told of in a tenth of all seconds or more none has been for
    two minutes; rarer ones, such as pushes, may well be silent for so long.
    """
    signals = state.signals
    if not len(signals):
        return None
    steady = signals.last_told[signals.duty >= _STEADY]
    if not len(steady) or now - steady.max() <= _LOST_S:
        return None
    deaf = _find_led(state)
    return deaf if np.count_nonzero(deaf) else None


def heard_s(state: UpstreamState, now: float, most: int) -> float:
    """How many of the ``most`` seconds from ``now`` on ``find_deaf`` is sure to find nothing in; it
    may be that it does not in further ones.
    """
    signals = state.signals
    drift = most / DUTY_S
    steady = signals.last_told[signals.duty >= _STEADY + drift]  # whatever is told of meanwhile
    sure_s = float(steady.max()) + _LOST_S - now + 1 if len(steady) else 0.0
    if sure_s >= most or not np.count_nonzero(signals.duty >= _STEADY - drift):
        return float(most)
    # What is no lesson yet is not believed before an episode ends, in more than a minute.
    return sure_s if np.count_nonzero(~np.isnan(state.pairs.signal)) else float(most)


def _find_led(state: UpstreamState) -> Bools:
    """The slots that a believed signal leads, (n,)."""
    led: Bools = np.any(find_trusted(state.pairs.arrays), axis=0)
    return led
