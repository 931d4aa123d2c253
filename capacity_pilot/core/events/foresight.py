"""From occurrences to what each slot has to be ready for, and from what came to what is learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from capacity_pilot.core.demand import WINDOW_S, DemandState, settled_until
from capacity_pilot.core.events.gains import (
    Gains,
    estimate_gains,
    learn_gains,
    move_gains,
)
from capacity_pilot.core.events.occurrence import FreezeWindow, Occurrence
from capacity_pilot.core.events.rise import foresee_rise, relieve_rise
from capacity_pilot.core.events.schedule import NOTHING_COMING, Schedule
from capacity_pilot.core.events.watch import (
    PolicyNumber,
    Watch,
    begin_watch,
    continue_watch,
    find_crowded,
    learn_second,
    note_usual,
)
from capacity_pilot.core.fleet import Bools, Fleet, Floats, Ints
from capacity_pilot.core.model import Direction
from capacity_pilot.core.reasons import Reason, Reasons
from capacity_pilot.core.sizing import REACTION_S

_KEEP_S = 600.0
"""A decrease so short before an event saves little, and there are few of them."""

_STILL_USUAL_S = 30.0
_MOST_NAMES = 200

Lesson = tuple[str, bool]
"""What gains are learned by: the event's name, and whether its recipients were counted."""


@dataclass(frozen=True, slots=True)
class EventState:
    """Everything remembered of events: those being watched, and what earlier ones taught.

    ``settled`` is the newest second they were learned from.
    """

    settled: int
    watches: tuple[Watch, ...] = ()
    gains: Mapping[Lesson, Gains] = field(default_factory=dict)


def lesson_of(occurrence: Occurrence) -> Lesson:
    """What the occurrence is an example of."""
    return occurrence.expected.name, occurrence.expected.audience is not None


def watch_events(
    state: EventState,
    occurrences: Sequence[Occurrence],
    *,
    fleet: Fleet,
    policy_number: PolicyNumber,
    apply_time_s: Floats,
    now: float,
) -> EventState:
    """Begins to watch what comes near, and drops what was called off.

    An announcement under other terms than before takes the place of the earlier one.
    """
    if not occurrences and not state.watches:
        return state
    coming = {o.key: o for o in occurrences}
    kept: dict[tuple[str, float], Watch] = {}
    for watch in state.watches:
        occurrence = watch.occurrence
        if occurrence.ends_at <= now:
            kept[occurrence.key] = watch  # over, but its last seconds are still to be told
        elif (found := coming.get(occurrence.key)) is not None:
            if found == occurrence:
                kept[occurrence.key] = watch
            else:
                fresh = begin(state, found, fleet, policy_number)
                kept[occurrence.key] = continue_watch(fresh, watch, old=fleet, new=fleet)
    for key, occurrence in coming.items():
        if key not in kept and watched_from(occurrence, apply_time_s) <= now < occurrence.ends_at:
            kept[key] = begin(state, occurrence, fleet, policy_number)
    return replace(state, watches=tuple(kept.values()))


def watched_from(occurrence: Occurrence, apply_time_s: Floats) -> float:
    """When to begin to watch it, where changes take ``apply_time_s`` (n,)."""
    most_lead_s = float(_lead_s(apply_time_s).max(initial=0.0))
    return occurrence.starts_at - max(occurrence.expected.lead or 0.0, most_lead_s) - _KEEP_S


def note_demand_before(
    state: EventState, demand: DemandState, *, apply_time_s: Floats, now: float
) -> EventState:
    """Notes what is usual where an event's lead time begins.

    Whoever comes to know of an event only when it is well under way cannot say what was usual.
    """
    if not state.watches:
        return state
    watches, settled = [], settled_until(demand, now)
    for watch in state.watches:
        starts_in_s = watch.occurrence.starts_at - now
        due = (starts_in_s > -_STILL_USUAL_S) & (starts_in_s <= _leads_s(watch, apply_time_s))
        watches.append(note_usual(watch, demand, due, settled=settled))
    return replace(state, watches=tuple(watches))


def foresee(
    state: EventState,
    freezes: Sequence[FreezeWindow],
    *,
    policy_numbers: Ints,
    apply_time_s: Floats,
    burst_units: Floats,
    now: float,
) -> Schedule:
    """What each slot has to be ready for; ``policy_numbers`` (n,) are their policies', -1 for none,
    and ``burst_units`` (n,) what of the bucket may be relied on.

    Capacity is ordered two apply times before an event: a change may be on its way when the time
    comes, and the first may take longer than the last ones did. It is for what the event is to
    bring until a change ordered now, and one more after it, would be in force. What was stated is
    there in full; of what was learned the bucket carries its part.
    """
    if not state.watches and not freezes:
        return NOTHING_COMING
    coming = _Coming.nothing(len(apply_time_s))
    for watch in state.watches:
        if len(watch.slots) and now < watch.occurrence.ends_at:
            _add(coming, watch, apply_time_s=apply_time_s, burst_units=burst_units, now=now)
    frozen = _freeze(freezes, policy_numbers)
    foreseen = np.nan_to_num(coming.usual) + coming.rise
    return Schedule(
        foreseen=np.fmax(coming.stated, foreseen),
        needed=np.fmax(coming.stated, foreseen - coming.relief),
        is_near=coming.is_near,
        is_frozen_in=frozen[Direction.IN],
        is_frozen_out=frozen[Direction.OUT],
        reasons=coming.reasons,
    )


@dataclass(frozen=True, slots=True)
class _Coming:
    """What all watches come to, (n,): the highest ``stated`` load and ``usual`` demand, the
    ``rise`` of all together and the most that the bucket carries of any; NaN for none.
    """

    stated: Floats
    usual: Floats
    rise: Floats
    relief: Floats
    is_near: Bools
    reasons: Reasons

    @classmethod
    def nothing(cls, size: int) -> _Coming:
        stated, usual, rise = (np.full(size, np.nan) for _ in range(3))
        reasons = np.zeros(size, dtype=np.int64)
        return cls(stated, usual, rise, np.zeros(size), reasons > 0, reasons)


def _add(
    coming: _Coming, watch: Watch, *, apply_time_s: Floats, burst_units: Floats, now: float
) -> None:
    """Adds a watch, in place. The rises of two events at once come on top of each other."""
    slots, occurrence = watch.slots, watch.occurrence
    starts_in_s, leads_s = occurrence.starts_at - now, _leads_s(watch, apply_time_s)
    near = starts_in_s <= leads_s + apply_time_s[slots] + _KEEP_S
    kind = Reason.ANNOUNCED if occurrence.is_announced else Reason.EVENT
    first = watch.estimate.learned_from == 0
    coming.is_near[slots] |= near
    coming.reasons[slots] |= near * kind.value | (near & first) * Reason.FIRST_TIME.value
    is_open = starts_in_s <= leads_s
    if not np.count_nonzero(is_open):
        return
    stated = np.fmax(watch.at_least, watch.multiplier * watch.usual)
    coming.stated[slots] = np.fmax(coming.stated[slots], np.where(is_open, stated, np.nan))
    coming.usual[slots] = np.fmax(coming.usual[slots], watch.usual)
    reach_s = _lead_s(apply_time_s[slots])
    rise = foresee_rise(watch, reach_s, now=now)
    known = is_open & ~np.isnan(rise)
    so_far = coming.rise[slots]
    coming.rise[slots] = np.where(known, np.nan_to_num(so_far) + rise, so_far)
    relief = relieve_rise(watch, rise, reach_s, units=burst_units[slots], now=now)
    coming.relief[slots] = np.fmax(coming.relief[slots], np.where(known, relief, 0.0))


def learn_events(state: EventState, demand: DemandState, now: float) -> EventState:
    """Learns from the newly settled seconds, and from occurrences that are over."""
    settled = max(settled_until(demand, now), state.settled)
    watches = list(state.watches)
    if watches:
        size = demand.units.shape[1]
        for second in range(max(state.settled, settled - WINDOW_S // 2) + 1, settled + 1):
            on = [
                at
                for at, watch in enumerate(watches)
                if watch.occurrence.starts_at <= second < watch.occurrence.ends_at
            ]
            crowded = find_crowded([watches[at] for at in on], size)
            for at in on:
                watches[at] = learn_second(watches[at], demand, second, crowded)
    learned = EventState(settled, tuple(watches), state.gains)
    for watch in watches:
        if watch.occurrence.ends_at <= settled + 1:
            learned = _close(learned, watch)
    return learned


def refit_events(
    state: EventState, *, old: Fleet, new: Fleet, policy_number: PolicyNumber
) -> EventState:
    """The same state for another fleet; events are watched over tables that are new as well."""
    gains = {lesson: move_gains(known, old, new) for lesson, known in state.gains.items()}
    moved = replace(state, gains=gains, watches=())
    watches = tuple(
        continue_watch(begin(moved, watch.occurrence, new, policy_number), watch, old=old, new=new)
        for watch in state.watches
    )
    return replace(moved, watches=watches)


def begin(
    state: EventState, occurrence: Occurrence, fleet: Fleet, policy_number: PolicyNumber
) -> Watch:
    """A watch that knows what earlier occurrences of the name taught."""
    gains = state.gains.get(lesson_of(occurrence), Gains.none())
    return begin_watch(occurrence, gains, fleet=fleet, policy_number=policy_number)


def _close(state: EventState, watch: Watch) -> EventState:
    """Takes the lesson of an occurrence that is over; those of its name being watched know it."""
    lesson = lesson_of(watch.occurrence)
    gains = dict(state.gains)
    known = gains.pop(lesson, Gains.none())
    gains[lesson] = learned = learn_gains(known, watch.slots, watch.rises / watch.audience)
    while len(gains) > _MOST_NAMES:
        gains.pop(next(iter(gains)))
    watches = tuple(
        replace(w, estimate=estimate_gains(learned, w.slots))
        if lesson_of(w.occurrence) == lesson
        else w
        for w in state.watches
        if w is not watch
    )
    return replace(state, watches=watches, gains=gains)


def _lead_s(apply_time_s: Floats) -> Floats:
    """How long before an event its capacity is ordered at the latest."""
    return 2 * apply_time_s + REACTION_S


def _leads_s(watch: Watch, apply_time_s: Floats) -> Floats:
    """The same per slot of a watch; what the policy says may only lengthen it."""
    stated = watch.occurrence.expected.lead or 0.0
    leads: Floats = np.maximum(_lead_s(apply_time_s[watch.slots]), stated)
    return leads


def _freeze(freezes: Sequence[FreezeWindow], policy_numbers: Ints) -> dict[Direction, Bools]:
    frozen = {direction: np.zeros(len(policy_numbers), dtype=np.bool_) for direction in Direction}
    for window in freezes:
        for direction in window.directions:
            frozen[direction] |= policy_numbers == window.policy
    return frozen
