"""Who takes part in a replay: for every workload one table per strategy, in one world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from glob import escape

import numpy as np

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.events.declared import Event
from capacity_pilot.core.matching import Match, Tags
from capacity_pilot.core.model import AccountLimits, Dimension
from capacity_pilot.core.policy import Bounds, PolicySet, TablePolicy
from capacity_pilot.simulator.replay.settings import START_UTILIZATION, TABLE_LIMIT, UNLIMITED
from capacity_pilot.simulator.rivals.registry import Kind, Strategy
from capacity_pilot.simulator.workload import Workload

PILOT = "pilot"

Risks = Mapping[str, float | None]
"""Pilots by strategy's name, in ppm; ``None`` is the policy's own. ``PILOT`` is the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a workload is replayed under. ``policy`` is its name in the file.

    ``is_own`` is false where no policy names the table, and another one's was borrowed.
    """

    policy: str
    is_own: bool
    own: TablePolicy
    least: int
    most: int
    start: int


def find_rules(
    policies: PolicySet, workloads: Sequence[Workload], dimension: Dimension
) -> dict[str, Rule]:
    """The rule of each workload, by name; its name is its table's, or says which index it is. An
    index stands for itself: its changes neither wait for its table's nor keep that busy.

    A table no policy names is replayed by the first policy's risk, burst reliance and scale-in,
    but between 1 unit and AWS's default maximum: bounds and events of other tables would say
    nothing about this one. Raises ``InputError`` where a policy names the table but not the
    dimension, and for two workloads of one name. A workload has no tags
    unless ``policies`` know some.
    """
    rules: dict[str, Rule] = {}
    untagged: dict[str, Tags] = {workload.resource.table: {} for workload in workloads}
    policies = policies.knowing(untagged | dict(policies.tags))
    for workload in workloads:
        if workload.name in rules:
            raise InputError(f"two demand files are named {workload.name}: a table has one demand")
        found = policies.policy_for(workload.resource.table)
        policy = found or policies.policies[0]
        bounds: Bounds | None = Bounds(min=1, max=TABLE_LIMIT)
        if found is not None:
            bounds = getattr(policy.bounds(workload.resource), dimension.label)
        if bounds is None:
            raise InputError(
                f"policy {policy.name!r} fits {workload.name} but gives no {dimension.label} "
                "bounds: there is nothing to decide"
            )
        rules[workload.name] = Rule(
            policy=policy.name,
            is_own=found is not None,
            own=_narrow(
                policy,
                dimension=dimension,
                bounds=bounds,
                index=workload.resource.index,
                is_own=found is not None,
            ),
            least=bounds.min,
            most=bounds.max,
            start=_start_units(workload, bounds),
        )
    return rules


def risks_of(strategies: Sequence[Strategy]) -> Risks:
    """The pilot, and those at other risks among ``strategies``."""
    others = {s.name: s.number for s in strategies if s.kind is Kind.PILOT_AT}
    return {PILOT: None} | others


def policies_of(rules: Mapping[str, Rule], risks: Risks) -> PolicySet:
    """One policy per table of each pilot; between pilots of a workload they differ in risk only."""
    return PolicySet(
        version=1,
        policies=[
            _at_risk(rule.own, table_of(workload, name), risk)
            for name, risk in risks.items()
            for workload, rule in rules.items()
        ],
    )


def limits_of(rules: Mapping[str, Rule]) -> AccountLimits:
    """Account limits that let the policies have what they name: the operator has raised them. The
    account's total does not bind, since each table stands for an account of its own.
    """
    most = max(TABLE_LIMIT, *(rule.most for rule in rules.values()))
    return AccountLimits(
        account_read=UNLIMITED, account_write=UNLIMITED, table_read=most, table_write=most
    )


def table_of(workload: str, strategy: str) -> str:
    """A strategy's table in the world. The pilot's has the workload's name."""
    return workload if strategy == PILOT else f"{workload} / {strategy}"


def _at_risk(policy: TablePolicy, table: str, risk: float | None) -> TablePolicy:
    changes: dict[str, object] = {} if risk is None else {"risk": risk}
    return policy.model_copy(update={"match": Match(tables=[escape(table)]), **changes})


def _narrow(
    policy: TablePolicy, *, dimension: Dimension, bounds: Bounds, index: str, is_own: bool
) -> TablePolicy:
    changes: dict[str, object] = {
        "indexes": {},
        "read": None,
        "write": None,
        "on_demand_escape": None,  # a replay's costs are those of provisioned capacity
        dimension.label: bounds,
    }
    if not is_own:
        changes |= {"events": [], "freeze": [], "upstream": []}
    elif index:
        changes["events"] = [_narrow_event(event, index) for event in policy.events]
        changes["upstream"] = [hint.model_copy(update={"gain": None}) for hint in policy.upstream]
    return policy.model_copy(update=changes)


def _narrow_event(event: Event, index: str) -> Event:
    """What an index has to expect of it, as if it were a table."""
    loads = event.of(index)
    return event.model_copy(update={"read": loads.read, "write": loads.write, "indexes": {}})


def _start_units(workload: Workload, bounds: Bounds) -> int:
    """What an operator would have set by the first minute's demand."""
    wanted = np.ceil(workload.demand[:60].mean() / START_UTILIZATION)
    return int(np.clip(wanted, bounds.min, bounds.max))
