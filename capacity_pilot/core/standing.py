"""What may be done with a table at all, and how far it goes without waiting.

A bar holds whatever the forecast says. Which ones there are depends on the table and on how its
policy wants it driven, never on whether the process may write.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.auto_scaling import Registration
from capacity_pilot.core.fleet import ArrayState, Bools, Fleet, Floats
from capacity_pilot.core.guards import LEAST_SAVING, Draft
from capacity_pilot.core.model import Dimension, Resource, ScalableTarget, TableDescription
from capacity_pilot.core.modes import Mode, Rivalry
from capacity_pilot.core.policy import TablePolicy
from capacity_pilot.core.reasons import Reason, Reasons

DOUBTS = (Reason.AUTO_SCALING_UNKNOWN | Reason.NOT_SUSPENDED).value
"""What holds decreases alone."""


@dataclass(frozen=True, slots=True)
class Standing(ArrayState):
    """What may be done with each slot, all (n,).

    ``barred`` are the reasons it is held for, 0 for none. ``drives_minimum`` is floor mode, where
    ``minimum`` and ``maximum`` are Application Auto Scaling's and ``least`` is the minimum that was
    found there, NaN elsewhere. ``warm`` is what the resource bears without AWS adding to it, NaN
    where AWS does not say. ``has_scaler`` is where Application Auto Scaling has a scalable target.
    Until ``raised_again_at`` and ``lowered_again_at``, Unix seconds, a cooldown holds.
    """

    barred: Reasons
    drives_minimum: Bools
    least: Floats
    minimum: Floats
    maximum: Floats
    warm: Floats
    has_scaler: Bools
    raised_again_at: Floats
    lowered_again_at: Floats

    @classmethod
    def free(cls, size: int) -> Standing:
        """Nothing is barred, nothing known."""
        return cls(
            barred=np.zeros(size, dtype=np.int64),
            drives_minimum=np.zeros(size, dtype=np.bool_),
            least=np.full(size, np.nan),
            minimum=np.full(size, np.nan),
            maximum=np.full(size, np.nan),
            warm=np.full(size, np.nan),
            has_scaler=np.zeros(size, dtype=np.bool_),
            raised_again_at=np.full(size, -np.inf),
            lowered_again_at=np.full(size, -np.inf),
        )


def read_standing(
    standing: Standing, description: TableDescription, policy: TablePolicy, fleet: Fleet
) -> None:
    """Writes a table's slots of ``standing``, as the table is now described."""
    of_table = bar_table(description, policy)
    for r in description.resources:
        for dimension, warm in zip(Dimension, (r.warm_read, r.warm_write), strict=True):
            slot = fleet.slot(r.resource, dimension)
            if slot is None:
                continue
            at = ScalableTarget(r.resource, dimension)
            driven = description.registration(at) if policy.mode is Mode.FLOOR else None
            standing.barred[slot] = of_table | bar_target(description, policy, at)
            standing.drives_minimum[slot] = policy.mode is Mode.FLOOR
            standing.least[slot] = np.nan if driven is None else driven.least
            standing.minimum[slot] = np.nan if driven is None else driven.minimum
            standing.maximum[slot] = np.nan if driven is None else driven.maximum
            standing.has_scaler[slot] = description.registration(at) is not None
            standing.warm[slot] = np.nan if warm is None else warm
            raised_at = _after(r.last_increase_at, policy.scale_out.cooldown)
            lowered_at = _after(r.last_decrease_at, policy.scale_in.cooldown)
            standing.raised_again_at[slot] = raised_at
            standing.lowered_again_at[slot] = lowered_at


def _after(last_at: float | None, cooldown_s: float) -> float:
    return -np.inf if last_at is None or not cooldown_s else last_at + cooldown_s


def bound_within(
    standing: Standing | None, *, floor: Floats, ceiling: Floats
) -> tuple[Floats, Floats]:
    """The policy's bounds, in floor mode within Application Auto Scaling's maximum and not below
    the minimum that was there: what the operator set as the least stays the least.
    """
    if standing is None or not np.count_nonzero(standing.drives_minimum):
        return floor, ceiling
    within = np.fmin(ceiling, standing.maximum)
    return np.minimum(np.fmax(floor, standing.least), within), within


def heed(standing: Standing | None, draft: Draft, provisioned: Floats, now: float) -> Draft:
    """The draft after what holds of the tables themselves; like a guard, it only moves a decision
    toward what is provisioned.
    """
    if standing is None or not np.count_nonzero(draft.units != provisioned):
        return draft
    draft = _respect_bars(standing, draft, provisioned)
    draft = _leave_to_auto_scaling(standing, draft, provisioned)
    draft = _cool_down(standing, draft, provisioned, now)
    # Up to its warm throughput a raise is in force at once; beyond, AWS adds to the resource first
    # (developer guide, warm throughput).
    slow = (draft.units > provisioned) & (draft.units > standing.warm)
    return Draft(draft.units, draft.reasons | slow * Reason.BEYOND_WARM.value)


def _respect_bars(standing: Standing, draft: Draft, provisioned: Floats) -> Draft:
    """What may not be driven is held; where nothing but a rival is in doubt, it is not lowered."""
    barred = standing.barred
    if not np.count_nonzero(barred):
        return draft
    only_doubted = ((barred & ~DOUBTS) == 0) & ~standing.drives_minimum
    is_free = (barred == 0) | (only_doubted & (draft.units > provisioned))
    held = ~is_free & (draft.units != provisioned)
    return _hold(draft, provisioned, held, np.where(held, barred, 0))


def _leave_to_auto_scaling(standing: Standing, draft: Draft, provisioned: Floats) -> Draft:
    """Where the minimum is what is driven, it is left alone once it says what is wanted.

    Application Auto Scaling raises capacity to it within seconds and lowers capacity in its own
    time, so being above the minimum is no reason to set it again; nor is a small saving.
    """
    if not np.count_nonzero(standing.drives_minimum):
        return draft
    units, minimum = draft.units, standing.minimum  # NaN, where it is not driven, compares false
    is_set = (units > provisioned) & (minimum >= units)
    is_set |= (units < provisioned) & (units > minimum * (1 - LEAST_SAVING))
    return _hold(draft, provisioned, is_set, is_set * Reason.MINIMUM_SET.value)


def _cool_down(standing: Standing, draft: Draft, provisioned: Floats, now: float) -> Draft:
    """No change sooner after the last one in its direction, whoever made that, than the policy has
    it; but for one that a person has ordered. A minimum is no change of capacity.
    """
    held = (draft.units > provisioned) & (now < standing.raised_again_at)
    held |= (draft.units < provisioned) & (now < standing.lowered_again_at)
    held &= ~standing.drives_minimum & ((draft.reasons & Reason.OVERRIDDEN.value) == 0)
    if not np.count_nonzero(held):
        return draft
    return _hold(draft, provisioned, held, held * Reason.COOLDOWN.value)


def _hold(draft: Draft, provisioned: Floats, held: Bools, because: Reasons) -> Draft:
    return Draft(np.where(held, provisioned, draft.units), draft.reasons | because)


def bar_table(description: TableDescription, policy: TablePolicy) -> Reason:
    """The reasons that hold all of a table, ``STEADY`` for none.

    ``AUTO_SCALING_UNKNOWN`` holds decreases only where the table itself is driven: whoever cannot
    ask must not keep a table from growing.
    """
    bars = Reason.STEADY
    if not description.is_in_service:
        bars |= Reason.NOT_IN_SERVICE
    if description.registrations is None:
        bars |= Reason.AUTO_SCALING_UNKNOWN
    if policy.mode is Mode.FLOOR:
        return bars
    # Capacity set in one Region is set in all; what auto scaling sets stays in its own.
    if description.is_global:
        bars |= Reason.GLOBAL_TABLE
    if policy.auto_scaling is Rivalry.REFUSE and any(find_rivals(description, policy)):
        bars |= Reason.CONTESTED
    return bars


def bar_target(description: TableDescription, policy: TablePolicy, at: ScalableTarget) -> Reason:
    """The reasons that hold one target of a table besides.

    ``NOT_SUSPENDED`` holds decreases only: while Application Auto Scaling may still scale in, it
    would spend the same decreases; that it scales out as well does no harm.
    """
    is_known = description.registrations is not None
    if policy.mode is Mode.FLOOR and is_known and description.registration(at) is None:
        return Reason.NO_MINIMUM
    if any(r.target == at for r in find_unsuspended(description, policy)):
        return Reason.NOT_SUSPENDED
    return Reason.STEADY


def find_unsuspended(description: TableDescription, policy: TablePolicy) -> Iterator[Registration]:
    """What is to have its scale-in suspended, and has not: rivals of a table that is driven."""
    is_driven = policy.mode in (Mode.ACTIVE, Mode.SHADOW) and not description.is_global
    if is_driven and policy.auto_scaling is Rivalry.SUSPEND:
        yield from (r for r in find_rivals(description, policy) if not r.suspension.scale_in)


def awaits_minimum(description: TableDescription, policy: TablePolicy) -> bool:
    """True in floor mode while Application Auto Scaling has yet to raise capacity to a minimum."""
    if policy.mode is not Mode.FLOOR:
        return False
    had = {r.resource: (r.read, r.write) for r in description.resources}
    return any(
        r.minimum > had[r.target.resource][r.target.dimension]
        for r in description.registrations or ()
        if is_bounded(policy, r.target.resource, r.target.dimension)
    )


def find_rivals(description: TableDescription, policy: TablePolicy) -> Iterator[Registration]:
    """What Application Auto Scaling scales of the targets the policy gives bounds."""
    for registration in description.registrations or ():
        at = registration.target
        if registration.is_in_force and is_bounded(policy, at.resource, at.dimension):
            yield registration


def is_bounded(policy: TablePolicy, resource: Resource, dimension: Dimension) -> bool:
    """True where the policy gives bounds, and with them the target to the pilot."""
    return getattr(policy.bounds(resource), dimension.label) is not None
