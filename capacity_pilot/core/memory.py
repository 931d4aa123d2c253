"""What a pilot takes with it through a restart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from capacity_pilot.core.apply_time import ApplyTimes
from capacity_pilot.core.demand import WINDOW_S
from capacity_pilot.core.events.foresight import Lesson
from capacity_pilot.core.events.gains import Gains
from capacity_pilot.core.events.lookout import WatchNotes
from capacity_pilot.core.fleet import Fleet
from capacity_pilot.core.signal_names import KnownSignals
from capacity_pilot.core.tick import PilotState

_STILL_TODAYS_S = 900.0

PUT_BACK_S = 10.0
"""A clock put back by less only makes telemetry look as late as it often is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Everything learned, by the slots of ``fleet``, as of ``taken_at`` (Unix seconds)."""

    taken_at: float
    fleet: Fleet
    state: PilotState
    apply_times: ApplyTimes
    signals: KnownSignals
    gains: Mapping[Lesson, Gains]
    watches: tuple[WatchNotes, ...] = ()


def state_after(memory: Memory, now: float) -> PilotState:
    """The tick's state after a pause, or after the clock was put back.

    Spans of the last ``WINDOW_S`` seconds can still be told. After a longer pause nobody knows what
    the burst buckets had to bear, so they count as empty; after a quarter of an hour what demand
    was says nothing of what it is, and only what was learned of how things depend on each other
    is kept. Likewise after ``PUT_BACK_S``: seconds that count as over would not be heard of until
    they are.
    """
    pause_s = now - memory.taken_at
    is_put_back = pause_s < -PUT_BACK_S
    state, fresh = memory.state, PilotState.empty(len(memory.fleet), now)
    state = replace(state, ladder=state.ladder.resumed(state.demand.last_seen, now))
    if pause_s > WINDOW_S // 2 or is_put_back:
        state = replace(state, burst=replace(state.burst, units=fresh.burst.units))
    if pause_s <= _STILL_TODAYS_S and not is_put_back:
        return state
    return replace(
        state,
        demand=fresh.demand,
        settling=fresh.settling,
        forecast=replace(
            fresh.forecast,
            excess=state.forecast.excess,
            recurrence=state.forecast.recurrence,
        ),
        stabilization=fresh.stabilization,
    )
