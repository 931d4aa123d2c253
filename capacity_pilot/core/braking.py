"""What the operator's brakes make of a tick's decisions.

They come after the guards: a freeze moves a decision toward what is provisioned, as a guard does.
An override is the one thing that does not. It is a person's decision in place of the pilot's, so
it goes through freezes and silence, and waits only for what AWS does not allow.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.brakes import Brakes, OverrideInForce
from capacity_pilot.core.fleet import Bools, Fleet, Floats
from capacity_pilot.core.guards import Draft, Situation
from capacity_pilot.core.model import Dimension, Direction
from capacity_pilot.core.quota import decreases_counted, next_decrease_at
from capacity_pilot.core.reasons import Reason


@dataclass(frozen=True, slots=True)
class Braking:
    """Brakes over a fleet's slots, all (n,). ``override`` is units/s, NaN where there is none;
    ``is_beyond`` where it may leave the policy's bounds.
    """

    is_held_out: Bools
    is_held_in: Bools
    override: Floats
    is_beyond: Bools


def spread_brakes(brakes: Brakes, fleet: Fleet) -> Braking | None:
    """The brakes by slot, ``None`` where there are none at all."""
    if not brakes.freezes and not brakes.overrides:
        return None
    size = len(fleet)
    braking = Braking(
        is_held_out=_held(brakes, fleet, Direction.OUT),
        is_held_in=_held(brakes, fleet, Direction.IN),
        override=np.full(size, np.nan),
        is_beyond=np.zeros(size, dtype=np.bool_),
    )
    for override, slot, units in _override_slots(brakes.overrides, fleet):
        braking.override[slot] = units
        braking.is_beyond[slot] = override.beyond_bounds
    return braking


def brake(braking: Braking, draft: Draft, at: Situation) -> Draft:
    """The draft as operators want it: frozen slots stay, overridden ones are set."""
    held = (draft.units > at.provisioned) & braking.is_held_out
    held |= (draft.units < at.provisioned) & braking.is_held_in
    units = np.where(held, at.provisioned, draft.units)
    reasons = draft.reasons | held * Reason.OPERATOR_FREEZE.value
    for slot in np.flatnonzero(~np.isnan(braking.override)).tolist():
        units[slot], because = _override(braking, at, slot)
        reasons[slot] = because | Reason.OVERRIDDEN
    return Draft(units, reasons)


def _override(braking: Braking, at: Situation, slot: int) -> tuple[float, Reason]:
    """What an overridden slot is to have, and what keeps it from having it yet."""
    wanted, provisioned = float(braking.override[slot]), float(at.provisioned[slot])
    because = Reason.STEADY
    if not braking.is_beyond[slot]:
        # It was within the bounds when it was ordered; the policy may be another by now.
        because |= Reason.FLOOR if wanted < at.floor[slot] else Reason.STEADY
        because |= Reason.CEILING if wanted > at.ceiling[slot] else Reason.STEADY
        wanted = min(max(wanted, float(at.floor[slot])), float(at.ceiling[slot]))
    if wanted == provisioned:
        return wanted, because
    held = _find_hold(at, slot, is_lower=wanted < provisioned)
    return (provisioned if held else wanted), because | held


def _find_hold(at: Situation, slot: int, *, is_lower: bool) -> Reason:
    """What holds even what a person orders, ``STEADY`` for nothing."""
    if not at.is_managed[slot]:
        return Reason.UNMANAGED
    if np.isnan(at.provisioned[slot]):
        return Reason.CAPACITY_UNKNOWN
    if not at.is_changeable[slot]:
        return Reason.UPDATE_IN_FLIGHT
    counted = decreases_counted(
        float(at.decreases_today[slot]), float(at.described_at[slot]), at.now
    )
    if is_lower and next_decrease_at(counted, float(at.last_decrease_at[slot]), at.now) > at.now:
        return Reason.DECREASE_QUOTA
    return Reason.STEADY


def _held(brakes: Brakes, fleet: Fleet, direction: Direction) -> Bools:
    freezes = [freeze for freeze in brakes.freezes if freeze.holds(direction)]
    per_resource = [any(f.concerns(r.table) for f in freezes) for r in fleet.resources]
    return np.repeat(np.array(per_resource, dtype=np.bool_), 2)


def _override_slots(
    overrides: Iterable[OverrideInForce], fleet: Fleet
) -> Iterable[tuple[OverrideInForce, int, int]]:
    for override in overrides:
        for dimension, units in zip(Dimension, (override.read, override.write), strict=True):
            slot = fleet.slot(override.resource, dimension)
            if slot is not None and units is not None:
                yield override, slot, units
