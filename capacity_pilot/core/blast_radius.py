"""Between decisions and plans: what of them may be done now without exceeding a limit.

Most urgent first. An increase too large is cut short, not dropped, and what is held is decided
again in the next tick.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from capacity_pilot.core.fleet import Fleet, Floats, Ints
from capacity_pilot.core.limits import NO_LIMITS, Limits
from capacity_pilot.core.model import Dimension, Direction
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.core.prices import PUBLIC_PRICES
from capacity_pilot.core.reasons import Reason, Reasons
from capacity_pilot.core.tick import Decisions, compare_units

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Scope:
    """Tables that share ``limits``."""

    limits: Limits
    tables: frozenset[str]


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """A policy set's limits over a fleet. ``largest_step`` (n,) is inf where there is none, ``usd``
    (n,) what a unit costs an hour.
    """

    fleet: Fleet
    largest_step: Floats
    usd: Floats
    scopes: tuple[Scope, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What was done already. ``changed`` are the tables changed within a minute, and whether up or
    only down. ``committed`` (n,) is provisioned or requested, whichever is more, NaN for unknown.
    What is ``waiting`` to be tried again is not sent now, and takes no room. ``on_demand_usd`` is
    what an hour of each on-demand table costs.
    """

    changed: Mapping[str, Direction]
    committed: Floats
    waiting: Collection[tuple[str, Direction]] = ()
    on_demand_usd: Mapping[str, float] = field(default_factory=dict)


def spread_limits(policies: PolicySet, fleet: Fleet) -> BlastRadius | None:
    """The limits by slot and by group of tables, ``None`` where there are none at all."""
    numbers = {r.table: policies.number_for(r.table) for r in fleet.resources}
    limited = [(policies.limits, frozenset(numbers))]
    tables_of: dict[int | None, list[str]] = {}
    for table, number in numbers.items():
        tables_of.setdefault(number, []).append(table)
    for number, policy in enumerate(policies.policies):
        limited.append((policy.limits, frozenset(tables_of.get(number, ()))))
    scopes = tuple(Scope(limits, own) for limits, own in limited if own and limits != NO_LIMITS)
    if not scopes:
        return None
    largest_step = np.full(len(fleet), math.inf)
    for scope in scopes:
        if (step := scope.limits.largest_step) is not None:
            is_mine = np.repeat([r.table in scope.tables for r in fleet.resources], 2)
            largest_step[is_mine] = np.minimum(largest_step[is_mine], step)
    return BlastRadius(fleet, largest_step, _spread_prices(policies, numbers, fleet), scopes)


def limit_blast(radius: BlastRadius, decisions: Decisions, past: Past) -> Decisions:
    """The decisions without what a limit does not allow now, each with its reason.

    What a person has ordered is let through, and counts.
    """
    if not np.count_nonzero(decisions.action):
        return decisions
    draft = _cut_steps(radius, decisions)
    rooms = [_Room.of(scope, radius, past) for scope in radius.scopes]
    for table, slots in by_urgency(radius.fleet, decisions):
        direction = Direction.OUT if decisions.action[slots].max() > 0 else Direction.IN
        if (table, direction) not in past.waiting:
            concerned = [room for room in rooms if table in room.scope.tables]
            _admit(draft, slots, table, direction, concerned, past.committed)
    action = compare_units(draft.units, decisions.provisioned)
    return decisions._replace(units=draft.units, reasons=draft.reasons, action=action)


def admit_switch(
    radius: BlastRadius, past: Past, table: str, direction: Direction, more_usd: float
) -> Reason:
    """What does not admit a switch of the billing mode that costs so many dollars an hour more."""
    concerned = [scope for scope in radius.scopes if table in scope.tables]
    rooms = [_Room.of(scope, radius, past) for scope in concerned]
    if not all(room.admits(table, direction) for room in rooms):
        return Reason.TABLES_PER_MINUTE
    if more_usd > 0 and any(more_usd > room.usd for room in rooms):
        return Reason.SPEND_PER_HOUR
    return Reason.STEADY


@dataclass(frozen=True, slots=True)
class _Draft:
    """``units`` and ``reasons`` (n,) are written to."""

    units: Floats
    reasons: Reasons
    provisioned: Floats
    usd: Floats


@dataclass(slots=True)
class _Room:
    """What is left of a scope's limits."""

    scope: Scope
    usd: float
    changed: dict[str, Direction] = field(default_factory=dict)

    @classmethod
    def of(cls, scope: Scope, radius: BlastRadius, past: Past) -> _Room:
        usd = math.inf
        if scope.limits.spend_per_hour is not None:
            mine = np.repeat([r.table in scope.tables for r in radius.fleet.resources], 2)
            spent = np.nansum(np.where(mine, past.committed * radius.usd, 0.0))
            on_demand = sum(u for t, u in past.on_demand_usd.items() if t in scope.tables)
            usd = scope.limits.spend_per_hour - float(spent) - on_demand
        changed = {t: d for t, d in past.changed.items() if t in scope.tables}
        return cls(scope, usd, changed)

    def admits(self, table: str, direction: Direction) -> bool:
        """Decreases take up half of the room at most, so that increases seldom wait for them."""
        most = self.scope.limits.tables_changed_per_minute
        if most is None or table in self.changed:
            return True
        lowered = sum(d is Direction.IN for d in self.changed.values())
        is_full = len(self.changed) >= most
        return not is_full and (direction is Direction.OUT or lowered < math.ceil(most / 2))


def _cut_steps(radius: BlastRadius, decisions: Decisions) -> _Draft:
    """No increase by more than its largest step."""
    most = np.ceil(decisions.provisioned * radius.largest_step)
    is_ordered = (decisions.reasons & Reason.OVERRIDDEN.value) != 0
    is_cut = (decisions.action > 0) & (decisions.units > most) & ~is_ordered
    return _Draft(
        units=np.where(is_cut, most, decisions.units),
        reasons=decisions.reasons | is_cut * Reason.LARGEST_STEP.value,
        provisioned=decisions.provisioned,
        usd=radius.usd,
    )


def by_urgency(fleet: Fleet, decisions: Decisions) -> Iterator[tuple[str, Ints]]:
    """The tables to be changed with the slots that move: what people ordered, then increases, the
    soonest to throttle first, then decreases.
    """
    moving: dict[str, list[int]] = {}
    for slot in np.flatnonzero(decisions.action).tolist():
        moving.setdefault(fleet.resources[slot // 2].table, []).append(slot)

    def urgency(table: str) -> tuple[bool, bool, float, str]:
        slots = moving[table]
        is_ordered = bool((decisions.reasons[slots] & Reason.OVERRIDDEN.value).any())
        raised = [slot for slot in slots if decisions.action[slot] > 0]
        soonest = np.fmin.reduce(decisions.seconds_to_throttle[raised], initial=math.inf)
        return not is_ordered, not raised, float(soonest), table

    for table in sorted(moving, key=urgency):
        yield table, np.array(moving[table], dtype=np.int64)


def _admit(
    draft: _Draft,
    slots: Ints,
    table: str,
    direction: Direction,
    rooms: list[_Room],
    committed: Floats,
) -> None:
    """Writes to ``draft`` what of a table's change there is room for, and takes up the room."""
    is_ordered = bool((draft.reasons[slots] & Reason.OVERRIDDEN.value).any())
    if not is_ordered and not all(room.admits(table, direction) for room in rooms):
        draft.units[slots] = draft.provisioned[slots]
        draft.reasons[slots] |= Reason.TABLES_PER_MINUTE.value
        return
    raised = slots[draft.units[slots] > draft.provisioned[slots]]
    usd = max(min((room.usd for room in rooms), default=math.inf), 0.0)
    if not is_ordered and (cost := _cost(draft, raised, committed)) > usd:
        gain = np.floor((draft.units[raised] - draft.provisioned[raised]) * usd / cost)
        draft.units[raised] = draft.provisioned[raised] + gain
        draft.reasons[raised] |= Reason.SPEND_PER_HOUR.value
    if not np.array_equal(draft.units[slots], draft.provisioned[slots]):
        for room in rooms:
            room.usd -= _cost(draft, raised, committed)
            room.changed[table] = direction


def _cost(draft: _Draft, raised: Ints, committed: Floats) -> float:
    """US dollars an hour of what is not committed yet."""
    more = np.maximum(draft.units[raised] - committed[raised], 0.0)
    return float((more * draft.usd[raised]).sum())


def _spread_prices(policies: PolicySet, numbers: Mapping[str, int | None], fleet: Fleet) -> Floats:
    """US dollars per unit and hour, (n,)."""
    usd = np.zeros(len(fleet))
    for place, resource in enumerate(fleet.resources):
        number = numbers[resource.table]
        prices = PUBLIC_PRICES if number is None else policies.policies[number].prices
        usd[2 * place : 2 * place + 2] = [prices.usd(dimension) for dimension in Dimension]
    return usd
