"""Switches tables to on-demand and back: when, and what keeps them from it.

A table leaves when what it needs has been out of reach of provisioned capacity for a while, and
comes back once that has been within reach for long. Both are rare and scarce, so both wait, and the
day's last switch is not undone before another is allowed: what comes again could not be met.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from capacity_pilot.core.escape.escaped import Escape
from capacity_pilot.core.escape.ledger import SwitchLedger
from capacity_pilot.core.escape.rules import EscapeRules
from capacity_pilot.core.escape.view import View, find_bars, find_brakes, fits_account
from capacity_pilot.core.escape.weighing import (
    find_beyond,
    find_late,
    fits_again,
    price_on_demand,
    price_provisioned,
    size_return,
)
from capacity_pilot.core.fleet import Fleet, Ints
from capacity_pilot.core.model import (
    BillingMode,
    CapacityChange,
    Direction,
    Outcome,
    OutcomeKind,
    Plan,
    Resource,
    Switch,
    TableDescription,
)
from capacity_pilot.core.plan import FRESH_S
from capacity_pilot.core.policy import TablePolicy
from capacity_pilot.core.policy_arrays import PolicyArrays
from capacity_pilot.core.prices import Prices
from capacity_pilot.core.reasons import Reason, name_reasons
from capacity_pilot.core.tick import Decisions

FORGOTTEN_S = 900.0
"""A switch without an answer may take effect so long after it was sent."""


AGAIN_S = 60.0
"""It mostly shows within seconds."""


@dataclass(frozen=True, slots=True)
class _Ruled:
    """A table that may be switched: ``slots`` are all of its own, ``managed`` those with bounds."""

    table: str
    rules: EscapeRules
    prices: Prices
    slots: Ints
    managed: Ints


class _Verdict(NamedTuple):
    """Why a table is switched or not yet, which of its slots ask for it, and how."""

    reasons: Reason
    slots: Ints
    plan: Plan | None = None


_NO_SLOTS: Final = np.zeros(0, dtype=np.int64)
_AS_IT_SHOULD_BE: Final = _Verdict(Reason.STEADY, _NO_SLOTS)


class Switching:
    """Remembers which tables the pilot has switched, and since when others would have to be."""

    def __init__(self) -> None:
        self.ledger = SwitchLedger()
        self._escapes: dict[str, Escape] = {}
        self._since: dict[str, float] = {}
        self._ruled: tuple[_Ruled, ...] = ()
        self.usd_per_hour: dict[str, float] = {}

    @property
    def is_idle(self) -> bool:
        """True where no table may be switched at all."""
        return not self._ruled

    def owns(self, table: str) -> bool:
        """True of a table that is the pilot's while it is on-demand."""
        return table in self._escapes

    def escape(self, table: str) -> Escape | None:
        return self._escapes.get(table)

    def since(self, table: str) -> float | None:
        """Since when its need is out of reach or, of one that left, within reach; ``None``: it is
        as it should be.
        """
        return self._since.get(table)

    def refit(
        self, fleet: Fleet, policy: PolicyArrays, policy_for: Callable[[str], TablePolicy | None]
    ) -> None:
        """The tables are these from now on."""
        slots: dict[str, list[int]] = {}
        for number, resource in enumerate(fleet.resources):
            slots.setdefault(resource.table, []).extend((2 * number, 2 * number + 1))
        ruled = []
        for table, numbers in slots.items():
            of_table = policy_for(table)
            if of_table is not None and of_table.on_demand_escape is not None:
                all_slots = np.array(numbers, dtype=np.int64)
                managed = all_slots[policy.is_managed[all_slots]]
                rules, prices = of_table.on_demand_escape, of_table.prices
                ruled.append(_Ruled(table, rules, prices, all_slots, managed))
        self._ruled = tuple(ruled)

    def see(self, description: TableDescription) -> None:
        """A table as it is now: one that is provisioned again is no escape any more."""
        table = description.table
        escape = self._escapes.get(table)
        if escape is None:
            return
        if description.billing_mode is BillingMode.PAY_PER_REQUEST:
            self._escapes[table] = replace(escape, is_seen=True)
        elif description.is_settled and (
            escape.is_seen or description.described_at - escape.at > FORGOTTEN_S
        ):
            del self._escapes[table]

    def finish(self, outcome: Outcome) -> None:
        """What came of a switch."""
        table = outcome.plan.table
        if outcome.plan.to is not BillingMode.PAY_PER_REQUEST:
            return
        if outcome.kind in (OutcomeKind.REQUESTED, OutcomeKind.UNKNOWN):
            resources = () if outcome.before is None else outcome.before.resources
            had = {r.resource: (r.read, r.write) for r in resources}
            self.ledger.note_sent(table, outcome.ended_at)
            self._escapes[table] = Escape(at=outcome.ended_at, had=had)
        elif outcome.kind is OutcomeKind.LIMIT:
            self.ledger.note_refused(table, outcome.ended_at)

    def recall(self, table: str, times: Iterable[float], escape: Escape | None) -> None:
        """What an earlier pilot has switched."""
        self.ledger.recall(table, times)
        if escape is not None:
            self._escapes[table] = escape

    def forget(self, table: str) -> None:
        """The table is gone. What was switched of one of its name still counts: to be careful."""
        self._escapes.pop(table, None)
        self._since.pop(table, None)

    def decide(self, view: View) -> tuple[Decisions, tuple[Plan, ...]]:
        """The decisions and plans with the switches that are due, and why others are not yet."""
        decisions, plans = view.seen.decisions, list(view.plans)
        reasons = decisions.reasons.copy()
        self.usd_per_hour = {}
        for ruled in self._ruled:
            description = view.descriptions[ruled.table]
            is_on_demand = description.billing_mode is BillingMode.PAY_PER_REQUEST
            if is_on_demand:
                self.usd_per_hour[ruled.table] = price_on_demand(view.seen, ruled.slots)
                reasons[ruled.slots] &= ~Reason.CAPACITY_UNKNOWN.value
                reasons[ruled.managed] |= Reason.ON_DEMAND.value
            look = self._look_back if is_on_demand else self._look_out
            verdict = look(ruled, description, view)
            reasons[verdict.slots] |= verdict.reasons.value
            if verdict.plan is not None:
                plans = [plan for plan in plans if plan.table != ruled.table] + [verdict.plan]
        plans.sort(key=lambda plan: (plan.direction is Direction.IN, plan.urgent_s))
        return decisions._replace(reasons=reasons), tuple(plans)

    def _look_out(self, ruled: _Ruled, description: TableDescription, view: View) -> _Verdict:
        """Of a table that is provisioned: whether it has to leave."""
        late = find_late(view.seen, ruled.managed, description.on_demand_at)
        beyond = late | find_beyond(view.seen, ruled.managed, view.limits)
        if not beyond.any():
            self._since.pop(ruled.table, None)
            return _AS_IT_SHOULD_BE
        waited_s, needy = self._wait(ruled.table, view.now), ruled.managed[beyond]
        reason, is_late = Reason.OUT_OF_REACH, bool(late.any())
        has_lasted = is_late or waited_s >= ruled.rules.after
        if not has_lasted or self._awaits_effect(ruled.table, view.now):
            return _Verdict(reason | Reason.SWITCH_WAITS, needy)
        way = (ruled.table, Direction.OUT)
        is_raised = any((plan.table, plan.direction) == way for plan in view.plans)
        if way in view.waiting or (is_raised and not is_late):
            return _Verdict(reason, needy)  # what can be had at once comes first
        usd = price_on_demand(view.seen, ruled.slots)
        units = [(r.read, r.write) for r in description.resources]
        now_usd = price_provisioned(units, ruled.prices)
        if held := self._find_hold(ruled, description, view, Direction.OUT, usd - now_usd):
            return _Verdict(reason | held, needy)
        switch = Switch(to=BillingMode.PAY_PER_REQUEST, on_demand_usd=usd, provisioned_usd=now_usd)
        return _Verdict(reason, needy, _plan(view, ruled, switch, moving=needy))

    def _look_back(self, ruled: _Ruled, description: TableDescription, view: View) -> _Verdict:
        """Of a table that left: whether it may come back."""
        escape = self._escapes.get(ruled.table)
        had: Mapping[Resource, tuple[int, int]] = {} if escape is None else escape.had
        if not fits_again(view.seen, ruled.managed):
            self._since.pop(ruled.table, None)
            return _AS_IT_SHOULD_BE
        waited_s, reason = self._wait(ruled.table, view.now), Reason.WITHIN_REACH
        heard = ruled.managed[view.seen.heard(ruled.managed)]
        if waited_s < ruled.rules.return_after:
            return _Verdict(reason | Reason.SWITCH_WAITS, heard)
        if (ruled.table, Direction.IN) in view.waiting:
            return _Verdict(reason, heard)
        changes = size_return(view.seen, description, had)
        usd = self.usd_per_hour[ruled.table]
        back_usd = price_provisioned([(c.read, c.write) for c in changes], ruled.prices)
        if held := self._find_hold(ruled, description, view, Direction.IN, back_usd - usd):
            return _Verdict(reason | held, heard)
        if not fits_account(changes, view.account_left):
            return _Verdict(reason | Reason.ACCOUNT_QUOTA, heard)
        switch = Switch(to=BillingMode.PROVISIONED, on_demand_usd=usd, provisioned_usd=back_usd)
        plan = _plan(view, ruled, switch, moving=ruled.slots, changes=changes)
        return _Verdict(reason, heard, plan)

    def _awaits_effect(self, table: str, now: float) -> bool:
        """True after a switch whose answer was lost: a day has too few to send it again at once."""
        escape = self._escapes.get(table)
        return escape is not None and 0 <= now - escape.at < AGAIN_S

    def _wait(self, table: str, now: float) -> float:
        """For how long it has been so; a clock put back begins anew."""
        since = min(self._since.get(table, now), now)
        self._since[table] = since
        return now - since

    def _find_hold(
        self,
        ruled: _Ruled,
        description: TableDescription,
        view: View,
        direction: Direction,
        more_usd: float,
    ) -> Reason:
        """What keeps the table from a switch that is due, ``STEADY`` for nothing."""
        if not view.capacity.is_changeable[ruled.slots].all():
            return Reason.UPDATE_IN_FLIGHT
        if barred := find_bars(view.capacity, ruled.slots, direction):
            return barred
        if braked := find_brakes(view, ruled.slots, direction):
            return braked
        allowed_at = self.ledger.allowed_at(
            ruled.table,
            most=ruled.rules.switches_per_day,
            on_demand_at=description.on_demand_at,
            now=view.now,
        )
        if allowed_at > view.now:
            return Reason.SWITCHES_SPENT
        return view.admit(ruled.table, direction, more_usd)


def _plan(
    view: View,
    ruled: _Ruled,
    switch: Switch,
    *,
    moving: Ints,
    changes: tuple[CapacityChange, ...] = (),
) -> Plan:
    is_out = switch.to is BillingMode.PAY_PER_REQUEST
    dry_s = view.seen.decisions.seconds_to_throttle[moving]
    reason = Reason.OUT_OF_REACH if is_out else Reason.WITHIN_REACH
    return Plan(
        table=ruled.table,
        direction=Direction.OUT if is_out else Direction.IN,
        changes=changes,
        decided_at=view.now,
        expires_at=view.now + FRESH_S,
        reasons=name_reasons(reason.value),
        moving=tuple(view.seen.fleet.target(slot) for slot in moving.tolist()),
        urgent_s=float(np.fmin.reduce(dry_s, initial=math.inf)) if is_out else math.inf,
        switch=switch,
    )
