"""Rules that may hold a recommendation back, in the order of ``GUARDS``.

The first guard clamps to hard bounds. Every later one only moves a decision toward what is
provisioned, so a decision is always within the bounds or where capacity already is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.events.schedule import NOTHING_COMING, Schedule
from capacity_pilot.core.fleet import Bools, Floats
from capacity_pilot.core.quota import HOURLY_S, decreases_counted, keeps_reserve, next_decrease_at
from capacity_pilot.core.reasons import Reason, Reasons

_THROTTLE_MEMORY_S = 60.0
_LEAST_SAVING = 0.09
_LEAST_SAVING_WITHIN_THE_HOUR = 0.3
_RELEARNING_S = 300.0
_UNTIL_NEXT_S = 0.9 * HOURLY_S


@dataclass(frozen=True, slots=True)
class Situation:
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
    schedule: Schedule = NOTHING_COMING
    coverage_doubts: Reasons | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """``units`` a slot should have and the ``reasons`` so far, (n,)."""

    units: Floats
    reasons: Reasons


Guard = Callable[[Draft, Situation], Draft]


def recommend(at: Situation) -> Draft:
    """The recommendation before any guard: out to ``least`` when it does not fit, in to
    ``stabilized`` when that is lower than what is there, else what is there.

    Out by no more than is needed until the next change could act: raising again is free,
    lowering is not.
    """
    # NaN compares false: unknown asks for nothing.
    out = at.least > at.provisioned
    covered = ~out & (at.sustained > at.provisioned)
    falls = at.stabilized < at.provisioned
    trough = ~out & (at.resting < at.provisioned)
    lowering = trough & falls
    units = at.provisioned
    if np.count_nonzero(out):
        units = np.where(out, at.least, units)
    if np.count_nonzero(lowering):
        units = np.where(lowering, np.fmax(at.stabilized, at.resting), units)
    reasons = np.zeros(len(units), dtype=np.int64) | at.schedule.reasons
    for where, because in (
        (out, Reason.RISING_DEMAND),
        (out & at.is_surging, Reason.SURGE),
        (covered, Reason.BURST_COVERS),
        (trough, Reason.TROUGH),
        (trough & ~falls, Reason.STABILIZING),
        (np.isnan(at.sustained), Reason.NO_TELEMETRY),
    ):
        reasons = _mark(reasons, where, because)
    return Draft(np.ceil(units), reasons)


def clamp(draft: Draft, at: Situation) -> Draft:
    """Hard bounds, whatever was asked: not a number asks for what is provisioned."""
    if np.count_nonzero((draft.units >= at.floor) & (draft.units <= at.ceiling)) == len(at.floor):
        return draft
    units = np.where(np.isnan(draft.units), at.provisioned, draft.units)
    raised = at.is_managed & (units < at.floor)
    capped = at.is_managed & (units > at.ceiling)
    reasons = _mark(_mark(draft.reasons, raised, Reason.FLOOR), capped, Reason.CEILING)
    return Draft(np.minimum(np.maximum(units, at.floor), at.ceiling), reasons)


def leave_unmanaged(draft: Draft, at: Situation) -> Draft:
    """A dimension the policy does not name is not ours to touch."""
    return _hold(draft, at, ~at.is_managed, Reason.UNMANAGED)


def await_description(draft: Draft, at: Situation) -> Draft:
    """Nothing is changed whose present value was never read."""
    return _hold(draft, at, np.isnan(at.provisioned), Reason.CAPACITY_UNKNOWN)


def await_update(draft: Draft, at: Situation) -> Draft:
    """One update in flight per table; the next decision is made when it is through."""
    return _hold(draft, at, ~at.is_changeable, Reason.UPDATE_IN_FLIGHT)


def distrust_silence(draft: Draft, at: Situation) -> Draft:
    """Missing data may block scale-in; it never causes it."""
    return _hold_decrease(draft, at, ~at.is_fresh, Reason.STALE_TELEMETRY)


def distrust_coverage(draft: Draft, at: Situation) -> Draft:
    """Who does not know how much demand goes unseen does not lower anything by what is seen.

    ``None`` doubts nothing: CloudWatch is not read.
    """
    doubts = at.coverage_doubts
    if doubts is None or not np.count_nonzero(doubts):
        return draft
    held = (doubts != 0) & (draft.units < at.provisioned)
    units = np.where(held, at.provisioned, draft.units)
    return Draft(units, draft.reasons | np.where(held, doubts, 0))


def outlast_surge(draft: Draft, at: Situation) -> Draft:
    """A surge may come back, and while it ebbs away a decrease is worth more later."""
    return _hold_decrease(draft, at, at.is_panicking, Reason.AFTERMATH)


def outlast_throttling(draft: Draft, at: Situation) -> Draft:
    """Whoever is being throttled has nothing to give away."""
    lately = at.now - at.last_refused < _THROTTLE_MEMORY_S
    return _hold_decrease(draft, at, lately, Reason.THROTTLING)


def await_event(draft: Draft, at: Situation) -> Draft:
    """Capacity given away before an event would be bought again, and missed in one."""
    return _hold_decrease(draft, at, at.schedule.is_near, Reason.STEADY)  # its reasons are told


def keep_frozen(draft: Draft, at: Situation) -> Draft:
    """The operator wants nothing moved; an increase only where that was said of increases."""
    held = _hold_decrease(draft, at, at.schedule.is_frozen_in, Reason.FROZEN)
    raised = held.units > at.provisioned
    return _hold(held, at, at.schedule.is_frozen_out & raised, Reason.FROZEN)


def await_trough(draft: Draft, at: Situation) -> Draft:
    """While the recommendation is still coming down, a decrease is worth more later.

    To wait until what is usual has been learned anew, a stabilization window at least, costs what
    would be saved meanwhile; not to wait costs the rest of the way down for the hour until there
    is another decrease.
    """
    with np.errstate(invalid="ignore", over="ignore"):  # inf - inf, where nothing is known
        wait_s = np.maximum(at.stabilization_s, _RELEARNING_S)
        forgone = (at.provisioned - draft.units) * wait_s
        is_early = (draft.units - np.maximum(at.resting, at.floor)) * _UNTIL_NEXT_S > forgone
    return _hold_decrease(draft, at, is_early, Reason.STABILIZING)


def weigh_saving(draft: Draft, at: Situation) -> Draft:
    """Decreases are scarce: each must give back some, unless the ceiling demands it.

    At the hourly pace AWS would allow the next one anyway. One of the day's free ones is only
    spent before the hour is over for a third of what there is.
    """
    free = at.now - at.last_decrease_at < HOURLY_S  # never decreased is NaN, and at the pace
    least = np.where(free, _LEAST_SAVING_WITHIN_THE_HOUR, _LEAST_SAVING)
    small = draft.units > at.provisioned * (1 - least)
    allowed = at.provisioned <= at.ceiling
    return _hold_decrease(draft, at, small & allowed, Reason.SMALL_SAVING)


def obey_quota(draft: Draft, at: Situation) -> Draft:
    """AWS refuses decreases beyond its allowance, and with them whatever shares the call."""
    counted = decreases_counted(at.decreases_today, at.described_at, at.now)
    refused = next_decrease_at(counted, at.last_decrease_at, at.now) > at.now
    return _hold_decrease(draft, at, refused, Reason.DECREASE_QUOTA)


def keep_reserve(draft: Draft, at: Situation) -> Draft:
    """The policy keeps some of the day's free decreases for surprises."""
    counted = decreases_counted(at.decreases_today, at.described_at, at.now)
    spent = ~keeps_reserve(counted, at.last_decrease_at, at.reserve_decreases, at.now)
    return _hold_decrease(draft, at, spent, Reason.DECREASE_RESERVE)


GUARDS: tuple[Guard, ...] = (
    clamp,
    leave_unmanaged,
    await_description,
    await_update,
    distrust_silence,
    distrust_coverage,
    outlast_surge,
    outlast_throttling,
    await_event,
    keep_frozen,
    await_trough,
    weigh_saving,
    obey_quota,
    keep_reserve,
)


def guard(draft: Draft, at: Situation) -> Draft:
    """Runs the guards in order, until no slot is left that would be changed."""
    for rule in GUARDS:
        before, draft = draft, rule(draft, at)
        if draft is not before and not np.count_nonzero(draft.units != at.provisioned):
            break
    return draft


def _hold(draft: Draft, at: Situation, where: Bools, because: Reason) -> Draft:
    return _keep(draft, at, where & (draft.units != at.provisioned), because)


def _hold_decrease(draft: Draft, at: Situation, where: Bools, because: Reason) -> Draft:
    return _keep(draft, at, where & (draft.units < at.provisioned), because)


def _keep(draft: Draft, at: Situation, held: Bools, because: Reason) -> Draft:
    if not np.count_nonzero(held):
        return draft
    units = np.where(held, at.provisioned, draft.units)
    return Draft(units, _mark(draft.reasons, held, because))


def _mark(reasons: Reasons, where: Bools, because: Reason) -> Reasons:
    """``reasons`` with one more where it holds. (A plain int: NumPy is slow with flags.)"""
    return reasons | where * because.value if np.count_nonzero(where) else reasons
