"""What of a policy set holds, and yet can hardly be meant."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches
from typing import NamedTuple

from capacity_pilot.core.events.declared import Event, Load
from capacity_pilot.core.matching import Match
from capacity_pilot.core.model import AccountLimits, Dimension
from capacity_pilot.core.policy import Bounds, PolicySet, ResourceBounds, TablePolicy
from capacity_pilot.core.quantities import say_duration
from capacity_pilot.core.sizing import REACTION_S
from capacity_pilot.core.table_patterns import find_covering, stands_for_none

Path = tuple[int | str, ...]


class Remark(NamedTuple):
    """What to look at again, and the path of keys and positions to it in the set."""

    path: Path
    message: str


def find_unheard(policies: PolicySet, heard: Collection[str]) -> Iterator[Remark]:
    """Hints at signals that are not among those a pilot has ``heard``."""
    for number, policy in enumerate(policies.policies):
        for position, hint in enumerate(policy.upstream):
            if hint.signal not in heard:
                close = get_close_matches(hint.signal, heard, n=1)
                guess = f"; did you mean {close[0]!r}?" if close else ""
                message = f"{hint.signal!r} is none of the {len(heard)} signals heard so far{guess}"
                yield Remark(("policies", number, "upstream", position, "signal"), message)


def review(policies: PolicySet, *, limits: AccountLimits, apply_time_s: float) -> Iterator[Remark]:
    """Goes through all of them; ``limits`` are the account's, ``apply_time_s`` is how long a
    change is taken to be under way.
    """
    yield from _find_unreached(policies)
    yield from _waste_reservation(policies)
    for number, policy in enumerate(policies.policies):
        for path, dimension, bounds in _list_bounds(policy):
            yield from _exceed_quota(("policies", number, *path), dimension, bounds, limits)
        yield from _doubt_idle_level(("policies", number), policy)
        for position, event in enumerate(policy.events):
            at = ("policies", number, "events", position)
            yield from _doubt_lead(at, event, apply_time_s)
            yield from _doubt_loads(at, event, policies, policy, apply_time_s)


def _find_unreached(policies: PolicySet) -> Iterator[Remark]:
    """The first policy that fits a table is the table's; so one may be left with none, or with
    fewer than it names.
    """
    for number, policy in enumerate(policies.policies):
        tables: Path = ("policies", number, "match", "tables")
        earlier = [
            (pattern, other.name)
            for other in policies.policies[:number]
            if _ask_no_more(other.match, policy.match)
            for pattern in other.match.tables
        ]
        taken: dict[int, list[str]] = {}
        for position, pattern in enumerate(policy.match.tables):
            if stands_for_none(pattern):
                message = f"no table can be named {pattern!r}: names have letters, digits and _.-"
                yield Remark((*tables, position), message)
            elif (found := find_covering(pattern, [each for each, _ in earlier])) is not None:
                taken[position] = [earlier[n][1] for n in found]
        if taken and len(taken) == len(policy.match.tables):
            names = _list_names(name for each in taken.values() for name in each)
            yield Remark(tables, f"never reached: every table it names is taken by {names} before")
            continue
        for position, names_of in taken.items():
            message = (
                f"{policy.match.tables[position]!r} is taken by {_list_names(names_of)} before"
            )
            yield Remark((*tables, position), message)


def _list_names(names: Iterable[str]) -> str:
    return " and ".join(repr(name) for name in dict.fromkeys(names))


def _waste_reservation(policies: PolicySet) -> Iterator[Remark]:
    """Only where every table is named in full, and so how many there are is known."""
    named = [(p, name) for p in policies.policies for name in p.match.tables]
    if any(character in name for _, name in named for character in "*?["):
        return
    for dimension in Dimension:
        kept = getattr(policies.reserved, dimension.label)
        own = (getattr(policy, dimension.label) for policy, _ in named)
        most = sum(bounds.max for bounds in own if bounds is not None)
        if most < kept:
            message = f"reserves {kept}, and all tables, indexes apart, have {most} at most"
            yield Remark(("reserved", dimension.label), message)


def _ask_no_more(earlier: Match, later: Match) -> bool:
    """True if tables that have the later one's tags have the earlier one's."""
    return all(later.tags.get(key) == value for key, value in earlier.tags.items())


def _list_bounds(
    policy: TablePolicy,
) -> Iterator[tuple[tuple[str, ...], Dimension, Bounds]]:
    """Every bound that is written, with its path in the policy."""
    named: dict[tuple[str, ...], TablePolicy | ResourceBounds] = {(): policy}
    named |= {("indexes", pattern): bounds for pattern, bounds in policy.indexes.items()}
    for path, resource in named.items():
        for dimension in Dimension:
            bounds: Bounds | None = getattr(resource, dimension.label)
            if bounds is not None:
                yield (*path, dimension.label), dimension, bounds


def _exceed_quota(
    path: Path, dimension: Dimension, bounds: Bounds, limits: AccountLimits
) -> Iterator[Remark]:
    most = limits.table_read if dimension is Dimension.READ else limits.table_write
    if bounds.max > most:
        message = (
            f"max {bounds.max} is above the account's quota: a table or index has at most {most} "
            f"{dimension.label} units"
        )
        yield Remark((*path, "max"), message)


def _doubt_idle_level(path: Path, policy: TablePolicy) -> Iterator[Remark]:
    """What idle targets are lowered to may be less than a min, and hardly is more than a max."""
    if policy.idle is None or not isinstance(level := policy.idle.lower_to, int):
        return
    for where, dimension, bounds in _list_bounds(policy):
        if level > bounds.max:
            index = f" of index {where[1]!r}" if where[0] == "indexes" else ""
            message = f"{level} is above the max of {bounds.max} {dimension.label} units{index}"
            yield Remark((*path, "idle", "lower_to"), message)


def _doubt_lead(path: Path, event: Event, apply_time_s: float) -> Iterator[Remark]:
    if event.lead is not None and event.lead < apply_time_s:
        message = (
            f"lead {say_duration(event.lead)} is shorter than the {apply_time_s:g} s a change "
            f"takes: capacity is ordered {_lead_s(event, apply_time_s):g} s before all the same; "
            "leave it out, or say more"
        )
        yield Remark((*path, "lead"), message)


def _doubt_loads(
    path: Path,
    event: Event,
    policies: PolicySet,
    policy: TablePolicy,
    apply_time_s: float,
) -> Iterator[Remark]:
    """Loads that capacity may not or cannot be raised to before they are there."""
    steps = (policies.limits.largest_step, policy.limits.largest_step)
    step = min((step for step in steps if step is not None), default=math.inf)
    lead_s = _lead_s(event, apply_time_s)
    for dimension in Dimension:
        bounds: Bounds | None = getattr(policy, dimension.label)
        load: Load | None = getattr(event, dimension.label)
        if bounds is None or load is None:
            continue
        at = (*path, dimension.label)
        if load.at_least is not None and load.at_least > bounds.max:
            message = f"at_least {load.at_least} is above the max of {bounds.max} that it may have"
            yield Remark((*at, "at_least"), message)
        times = max((load.at_least or 0) / bounds.min, load.multiplier or 0.0)
        changes = math.ceil(math.log(times) / math.log(step)) if times > 1 else 0
        if changes * apply_time_s > lead_s:
            message = (
                f"cannot be there in time: {times:g} times as much in steps of {step:g}x are "
                f"{changes} changes of {apply_time_s:g} s, and the first is made {lead_s:g} s "
                f"before; say lead: {say_duration(math.ceil(changes * apply_time_s))}"
            )
            yield Remark(at, message)


def _lead_s(event: Event, apply_time_s: float) -> float:
    """When it is prepared for, in seconds before it begins."""
    return max(event.lead or 0.0, 2 * apply_time_s + REACTION_S)
