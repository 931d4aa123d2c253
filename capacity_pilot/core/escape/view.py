"""What a tick shows of tables that may be switched, and what in it keeps one from a switch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from capacity_pilot.core.braking import Braking
from capacity_pilot.core.escape.weighing import Seen
from capacity_pilot.core.events.schedule import Schedule
from capacity_pilot.core.fleet import Ints
from capacity_pilot.core.model import (
    AccountLimits,
    CapacityChange,
    Dimension,
    Direction,
    Plan,
    TableDescription,
)
from capacity_pilot.core.reasons import Reason
from capacity_pilot.core.standing import DOUBTS
from capacity_pilot.core.tick import Capacity


class View(NamedTuple):
    """All that is looked at. ``account_left`` are the units by dimension that the account's quota
    leaves; ``admit`` says what limit does not admit a table's switch in a direction that costs so
    many dollars an hour more, ``STEADY`` for none.
    """

    now: float
    seen: Seen
    plans: tuple[Plan, ...]
    descriptions: Mapping[str, TableDescription]
    capacity: Capacity
    schedule: Schedule
    braking: Braking | None
    waiting: Collection[tuple[str, Direction]]
    limits: AccountLimits
    account_left: tuple[float, float]
    admit: Callable[[str, Direction, float], Reason]


def find_bars(capacity: Capacity, slots: Ints, direction: Direction) -> Reason:
    """What may not be done with the table at all; a doubt holds decreases alone."""
    if capacity.standing is None:
        return Reason.STEADY
    barred = int(np.bitwise_or.reduce(capacity.standing.barred[slots]))
    return Reason(barred if direction is Direction.IN else barred & ~DOUBTS)


def find_brakes(view: View, slots: Ints, direction: Direction) -> Reason:
    """What people have ordered, or declared, that holds a switch; an event holds the way back."""
    is_out = direction is Direction.OUT
    schedule, braking = view.schedule, view.braking
    if (schedule.is_frozen_out if is_out else schedule.is_frozen_in)[slots].any():
        return Reason.FROZEN
    if braking is not None:
        if (braking.is_held_out if is_out else braking.is_held_in)[slots].any():
            return Reason.OPERATOR_FREEZE
        if not np.isnan(braking.override[slots]).all():
            return Reason.OVERRIDDEN
    if not is_out and schedule.is_near[slots].any():
        return Reason(int(np.bitwise_or.reduce(schedule.reasons[slots])))
    return Reason.STEADY


def fits_account(changes: Iterable[CapacityChange], left: tuple[float, float]) -> bool:
    """Whether the account's quota has room for all of it, by dimension."""
    changes = list(changes)
    asked = (sum(c.read for c in changes), sum(c.write for c in changes))
    return all(asked[d] <= left[d] for d in Dimension)
