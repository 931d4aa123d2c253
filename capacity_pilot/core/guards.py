"""Rules that may hold a recommendation back, in the order of ``GUARDS``.

The first guard clamps to hard bounds. Every later one only moves a decision toward what is
provisioned, so a decision is always within the bounds or where capacity already is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.events.schedule import Schedule
from capacity_pilot.core.fleet import Bools, Floats
from capacity_pilot.core.quota import HOURLY_S, decreases_counted, keeps_reserve, next_decrease_at
from capacity_pilot.core.reasons import Reason, Reasons

# Plain integers, since compiled code knows no flags.
_RISING_DEMAND = Reason.RISING_DEMAND.value
_SURGE = Reason.SURGE.value
_TROUGH = Reason.TROUGH.value
_FLOOR = Reason.FLOOR.value
_CEILING = Reason.CEILING.value
_BURST_COVERS = Reason.BURST_COVERS.value
_NO_TELEMETRY = Reason.NO_TELEMETRY.value
_STALE_TELEMETRY = Reason.STALE_TELEMETRY.value
_CAPACITY_UNKNOWN = Reason.CAPACITY_UNKNOWN.value
_UPDATE_IN_FLIGHT = Reason.UPDATE_IN_FLIGHT.value
_THROTTLING = Reason.THROTTLING.value
_AFTERMATH = Reason.AFTERMATH.value
_STABILIZING = Reason.STABILIZING.value
_SMALL_SAVING = Reason.SMALL_SAVING.value
_DECREASE_QUOTA = Reason.DECREASE_QUOTA.value
_DECREASE_RESERVE = Reason.DECREASE_RESERVE.value
_UNMANAGED = Reason.UNMANAGED.value
_FROZEN = Reason.FROZEN.value

THROTTLE_MEMORY_S = 60.0
LEAST_SAVING = 0.09
_LEAST_SAVING_WITHIN_THE_HOUR = 0.3
_RELEARNING_S = 300.0
_UNTIL_NEXT_S = 0.9 * HOURLY_S


class Situation(NamedTuple):
    """What the guards look at, all (n,).

    ``least``, ``sustained``, ``resting`` and ``stabilized`` are units/s as sizing and
    stabilization give them, NaN or inf where unknown. Times are Unix seconds, NaN for never.
    """

    now: float
    provisioned: Floats
    least: Floats
    sustained: Floats
    resting: Floats
    stabilized: Floats
    is_managed: Bools
    floor: Floats
    ceiling: Floats
    is_fresh: Bools
    is_surging: Bools
    is_panicking: Bools
    is_changeable: Bools
    last_refused: Floats
    decreases_today: Floats
    last_decrease_at: Floats
    described_at: Floats
    reserve_decreases: Floats
    stabilization_s: Floats
    schedule: Schedule
    coverage_doubts: Reasons | None = None


class Draft(NamedTuple):
    """``units`` a slot should have and the ``reasons`` so far, (n,)."""

    units: Floats
    reasons: Reasons


def decide(at: Situation) -> Draft:
    """The recommendation, and what the guards leave of it."""
    size = len(at.provisioned)
    schedule, doubts = at.schedule, at.coverage_doubts
    draft = Draft(np.empty(size), np.empty(size, dtype=np.int64))
    decide_slots(
        draft.units,
        draft.reasons,
        float(at.now),
        at.provisioned,
        at.least,
        at.sustained,
        at.resting,
        at.stabilized,
        at.is_managed,
        at.floor,
        at.ceiling,
        at.is_fresh,
        at.is_surging,
        at.is_panicking,
        at.is_changeable,
        at.last_refused,
        at.decreases_today,
        at.last_decrease_at,
        at.described_at,
        at.reserve_decreases,
        at.stabilization_s,
        schedule.is_near,
        schedule.is_frozen_in,
        schedule.is_frozen_out,
        schedule.reasons,
        np.zeros(size, dtype=np.int64) if doubts is None else doubts,
    )
    return draft


class _Slot(NamedTuple):
    """A ``Situation`` in one slot."""

    now: float
    provisioned: float
    least: float
    sustained: float
    resting: float
    stabilized: float
    is_managed: bool
    floor: float
    ceiling: float
    is_fresh: bool
    is_surging: bool
    is_panicking: bool
    is_changeable: bool
    last_refused: float
    decreases_today: float
    last_decrease_at: float
    described_at: float
    reserve_decreases: float
    stabilization_s: float
    is_near: bool
    is_frozen_in: bool
    is_frozen_out: bool
    coverage_doubts: int


@compiled
def decide_slots(  # noqa: PLR0913, PLR0917 - compiled code takes no dataclasses
    units: Floats,
    reasons: Reasons,
    now: float,
    provisioned: Floats,
    least: Floats,
    sustained: Floats,
    resting: Floats,
    stabilized: Floats,
    is_managed: Bools,
    floor: Floats,
    ceiling: Floats,
    is_fresh: Bools,
    is_surging: Bools,
    is_panicking: Bools,
    is_changeable: Bools,
    last_refused: Floats,
    decreases_today: Floats,
    last_decrease_at: Floats,
    described_at: Floats,
    reserve_decreases: Floats,
    stabilization_s: Floats,
    is_near: Bools,
    is_frozen_in: Bools,
    is_frozen_out: Bools,
    schedule_reasons: Reasons,
    coverage_doubts: Reasons,
) -> None:
    """Fills the first two, slot by slot."""
    for slot in range(len(units)):
        at = _Slot(
            now,
            provisioned[slot],
            least[slot],
            sustained[slot],
            resting[slot],
            stabilized[slot],
            is_managed[slot],
            floor[slot],
            ceiling[slot],
            is_fresh[slot],
            is_surging[slot],
            is_panicking[slot],
            is_changeable[slot],
            last_refused[slot],
            decreases_today[slot],
            last_decrease_at[slot],
            described_at[slot],
            reserve_decreases[slot],
            stabilization_s[slot],
            is_near[slot],
            is_frozen_in[slot],
            is_frozen_out[slot],
            coverage_doubts[slot],
        )
        asked, because = _recommend(at)
        units[slot], reasons[slot] = _guard(asked, because | schedule_reasons[slot], at)


@compiled
def _recommend(at: _Slot) -> tuple[float, int]:
    """The recommendation before any guard: out to ``least`` when it does not fit, in to
    ``stabilized`` when that is lower than what is there, else what is there.

    Out by no more than is needed until the next change could act: raising again is free,
    lowering is not.
    """
    # NaN compares false: unknown asks for nothing.
    because = _NO_TELEMETRY if np.isnan(at.sustained) else 0
    if at.least > at.provisioned:
        because |= _RISING_DEMAND | (_SURGE if at.is_surging else 0)
        return np.ceil(at.least), because
    units = at.provisioned
    if at.sustained > at.provisioned:
        because |= _BURST_COVERS
    if np.ceil(at.resting) < at.provisioned:
        because |= _TROUGH
        units = np.fmin(np.ceil(np.fmax(at.stabilized, at.resting)), at.provisioned)
        if units == at.provisioned:
            because |= _STABILIZING
    return np.ceil(units), because


@compiled
def _guard(units: float, because: int, at: _Slot) -> tuple[float, int]:
    """Every guard in its order: what holds a change back, and why.

    The clamp comes first; a change to where capacity is already needs no further guard.
    """
    units, because = _clamp(units, because, at)
    for held, reason in (
        (_is_unmanaged(at), _UNMANAGED),
        (_awaits_description(at), _CAPACITY_UNKNOWN),
        (_awaits_update(at), _UPDATE_IN_FLIGHT),
        (_is_silent(units, at), _STALE_TELEMETRY),
        (_has_doubtful_coverage(units, at), at.coverage_doubts),
        (_outlasts_surge(units, at), _AFTERMATH),
        (_outlasts_throttling(units, at), _THROTTLING),
        (_awaits_event(units, at), 0),  # its reasons are told anyway
        (_is_frozen(units, at), _FROZEN),
        (_awaits_trough(units, at), _STABILIZING),
        (_saves_little(units, at), _SMALL_SAVING),
        (_exceeds_quota(units, at), _DECREASE_QUOTA),
        (_spends_reserve(units, at), _DECREASE_RESERVE),
    ):
        if held and units != at.provisioned:
            units, because = at.provisioned, because | reason
    return units, because


@compiled
def _clamp(units: float, because: int, at: _Slot) -> tuple[float, int]:
    """Hard bounds, whatever was asked: not a number asks for what is provisioned."""
    if np.isnan(units):
        units = at.provisioned
    if at.is_managed and units < at.floor:
        because |= _FLOOR
    if at.is_managed and units > at.ceiling:
        because |= _CEILING
    return np.minimum(np.maximum(units, at.floor), at.ceiling), because


@compiled
def _is_unmanaged(at: _Slot) -> bool:
    """A dimension the policy does not name is not ours to touch."""
    return not at.is_managed


@compiled
def _awaits_description(at: _Slot) -> bool:
    """Nothing is changed whose present value was never read."""
    return bool(np.isnan(at.provisioned))


@compiled
def _awaits_update(at: _Slot) -> bool:
    """One update in flight per table; the next decision is made when it is through."""
    return not at.is_changeable


@compiled
def _is_silent(units: float, at: _Slot) -> bool:
    """Missing data may block scale-in; it never causes it."""
    return units < at.provisioned and not at.is_fresh


@compiled
def _has_doubtful_coverage(units: float, at: _Slot) -> bool:
    """Who does not know how much demand goes unseen does not lower anything by what is seen."""
    return units < at.provisioned and at.coverage_doubts != 0


@compiled
def _outlasts_surge(units: float, at: _Slot) -> bool:
    """A surge may come back, and while it ebbs away a decrease is worth more later."""
    return units < at.provisioned and at.is_panicking


@compiled
def _outlasts_throttling(units: float, at: _Slot) -> bool:
    """Whoever is being throttled has nothing to give away."""
    return units < at.provisioned and at.now - at.last_refused < THROTTLE_MEMORY_S


@compiled
def _awaits_event(units: float, at: _Slot) -> bool:
    """Capacity given away before an event would be bought again, and missed in one."""
    return units < at.provisioned and at.is_near


@compiled
def _is_frozen(units: float, at: _Slot) -> bool:
    """The operator wants nothing moved; an increase only where that was said of increases."""
    if units > at.provisioned:
        return at.is_frozen_out
    return units < at.provisioned and at.is_frozen_in


@compiled
def _awaits_trough(units: float, at: _Slot) -> bool:
    """While the recommendation is still coming down, a decrease is worth more later.

    To wait until what is usual has been learned anew, a stabilization window at least, costs what
    would be saved meanwhile; not to wait costs the rest of the way down for the hour until there
    is another decrease.
    """
    wait_s = np.maximum(at.stabilization_s, _RELEARNING_S)
    forgone = (at.provisioned - units) * wait_s
    is_early = (units - np.maximum(at.resting, at.floor)) * _UNTIL_NEXT_S > forgone
    return units < at.provisioned and is_early


@compiled
def _saves_little(units: float, at: _Slot) -> bool:
    """Decreases are scarce: each must give back some, unless the ceiling demands it.

    At the hourly pace AWS would allow the next one anyway. One of the day's free ones is only
    spent before the hour is over for a third of what there is.
    """
    is_free = at.now - at.last_decrease_at < HOURLY_S  # never decreased is NaN, and at the pace
    least = _LEAST_SAVING_WITHIN_THE_HOUR if is_free else LEAST_SAVING
    is_small = units < at.provisioned and units > at.provisioned * (1 - least)
    return is_small and at.provisioned <= at.ceiling


@compiled
def _exceeds_quota(units: float, at: _Slot) -> bool:
    """AWS refuses decreases beyond its allowance, and with them whatever shares the call."""
    counted = decreases_counted(at.decreases_today, at.described_at, at.now)
    return (
        units < at.provisioned and next_decrease_at(counted, at.last_decrease_at, at.now) > at.now
    )


@compiled
def _spends_reserve(units: float, at: _Slot) -> bool:
    """The policy keeps some of the day's free decreases for surprises."""
    counted = decreases_counted(at.decreases_today, at.described_at, at.now)
    kept = keeps_reserve(counted, at.last_decrease_at, at.reserve_decreases, at.now)
    return units < at.provisioned and not kept
