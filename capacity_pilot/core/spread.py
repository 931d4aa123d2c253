"""A policy set over a fleet, made in one piece so that it can be put in force in one piece."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from capacity_pilot.core.blast_radius import BlastRadius, spread_limits
from capacity_pilot.core.fleet import Fleet
from capacity_pilot.core.hint_arrays import StatedHints, spread_hints
from capacity_pilot.core.model import AccountLimits, Resource
from capacity_pilot.core.modes import Mode
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.core.policy_arrays import PolicyArrays, spread_policies


@dataclass(frozen=True, slots=True)
class Spread:
    """What ``policies`` say of each slot of ``fleet``, maxima cut to the account's ``limits``."""

    policies: PolicySet
    fleet: Fleet
    limits: AccountLimits
    by_slot: PolicyArrays
    radius: BlastRadius | None
    hints: StatedHints | None


def spread(policies: PolicySet, fleet: Fleet, limits: AccountLimits) -> Spread:
    """Takes time with the fleet's size: a daemon does it in a thread where it can."""
    return Spread(
        policies=policies,
        fleet=fleet,
        limits=limits,
        by_slot=spread_policies(policies, fleet, limits),
        radius=spread_limits(policies, fleet),
        hints=spread_hints(policies, fleet),
    )


def choose_fleet(policies: PolicySet, described: Iterable[Resource]) -> Fleet:
    """The fleet that these resources come to: those whose table's policy is not off."""
    return Fleet.of(r for r in described if policies.mode_for(r.table) is not Mode.OFF)


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """What other policies mean for tables: those that are ``gone`` from the pilot, those ``moved``
    to another way of being driven, with the mode they had, and all that are ``edited``.
    """

    gone: frozenset[str]
    moved: Mapping[str, Mode]
    edited: frozenset[str]


def find_change(before: PolicySet, after: PolicySet, tables: Iterable[str]) -> PolicyChange:
    """Policies are compared once for each pair, not for each of their tables."""
    pairs: dict[tuple[int | None, int | None], list[str]] = {}
    for table in tables:
        pairs.setdefault((before.number_for(table), after.number_for(table)), []).append(table)
    gone: list[str] = []
    moved: dict[str, Mode] = {}
    edited: list[str] = []
    for (old, new), alike in pairs.items():
        had = None if old is None else before.policies[old]
        has = None if new is None else after.policies[new]
        if has is None or has.mode is Mode.OFF:
            gone += alike
        elif had != has:
            edited += alike
            if had is None or (had.mode, had.auto_scaling) != (has.mode, has.auto_scaling):
                moved |= dict.fromkeys(alike, Mode.OFF if had is None else had.mode)
    return PolicyChange(frozenset(gone), moved, frozenset(edited))
