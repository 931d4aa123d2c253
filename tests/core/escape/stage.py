"""A pilot and its table in a world that does what plans say, for stories told second by second."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from capacity_pilot.core.model import (
    AccountLimits,
    BillingMode,
    Dimension,
    Outcome,
    OutcomeKind,
    Plan,
    Resource,
    Sample,
    ScalableTarget,
    TableDescription,
)
from capacity_pilot.core.pilot import Pilot, Step
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.core.reasons import Reason
from tests.core.feed_table import describe_table

NOON = datetime(2026, 10, 9, 12, tzinfo=UTC).timestamp()
FEED, BY_DAY = Resource("feed"), Resource("feed", "by-day")
WRITES, READS = ScalableTarget(FEED, Dimension.WRITE), ScalableTarget(FEED, Dimension.READ)
INDEX_WRITES = ScalableTarget(BY_DAY, Dimension.WRITE)
ON_DEMAND, PROVISIONED = BillingMode.PAY_PER_REQUEST, BillingMode.PROVISIONED
CALM: Mapping[ScalableTarget, float] = {WRITES: 100.0, INDEX_WRITES: 100.0}
RUSH: Mapping[ScalableTarget, float] = {WRITES: 3000.0, INDEX_WRITES: 3000.0}


def make_policies(**changes: object) -> PolicySet:
    policy = {
        "name": "feeds",
        "match": {"tables": ["feed"]},
        "write": {"min": 50, "max": 1000},
        "on_demand_escape": {"after": "20s", "return_after": "10m"},
    }
    return PolicySet.model_validate({"version": 1, "policies": [policy | changes]})


@dataclass
class Stage:
    """``apply_s`` is what a change takes, ``switch_s`` a switch. ``plans`` are all that were sent;
    what ``refuse`` has an outcome for comes to that.
    """

    pilot: Pilot
    table: TableDescription
    now: float = NOON
    apply_s: float = 5.0
    switch_s: float = 60.0
    is_telling: bool = True
    refuse: Callable[[Plan], OutcomeKind | None] = lambda _: None
    plans: list[Plan] = field(default_factory=list)
    step: Step | None = None
    _changing: tuple[float, TableDescription] | None = None

    def pass_seconds(self, seconds: int, demand: Mapping[ScalableTarget, float]) -> None:
        for _ in range(seconds):
            self.now += 1.0
            if self._changing is not None and self.now >= self._changing[0]:
                self.table, self._changing = self._changing[1], None
            self.pilot.observe(replace(self.table, described_at=self.now))
            told = {
                (t.resource.table, t.resource.index, int(t.dimension), int(self.now) - 1): Sample(
                    units=units, requests=units
                )
                for t, units in demand.items()
                if self.is_telling
            }
            self.step = self.pilot.step(told, self.now)
            for plan in self.step.plans:
                self._carry_out(plan)

    @property
    def switches(self) -> list[Plan]:
        return [plan for plan in self.plans if plan.switch is not None]

    def reasons(self, target: ScalableTarget = WRITES) -> Reason:
        assert self.step is not None
        slot = self.step.fleet.slot(target.resource, target.dimension)
        assert slot is not None
        return Reason(int(self.step.decisions.reasons[slot]))

    def _carry_out(self, plan: Plan) -> None:
        self.pilot.begin(plan)
        self.plans.append(plan)
        kind = self.refuse(plan) or OutcomeKind.REQUESTED
        before = replace(self.table, described_at=self.now)
        if kind is OutcomeKind.REQUESTED:
            takes_s = self.apply_s if plan.switch is None else self.switch_s
            self._changing = (self.now + takes_s, self._after(plan))
            self.table = replace(
                self.table,
                resources=tuple(replace(r, status=_UPDATING) for r in self.table.resources),
            )
        outcome = Outcome(plan=plan, kind=kind, ended_at=self.now, sent=plan.changes, before=before)
        self.pilot.finish(plan.table, outcome)

    def _after(self, plan: Plan) -> TableDescription:
        units = {c.resource: (c.read, c.write) for c in plan.changes}
        if plan.to is ON_DEMAND:
            units = dict.fromkeys((r.resource for r in self.table.resources), (0, 0))
        resources = []
        for r in self.table.resources:
            read, write = units.get(r.resource, (r.read, r.write))
            resources.append(replace(r, read=read, write=write))
        on_demand_at = self.now if plan.to is ON_DEMAND else self.table.on_demand_at
        return replace(
            self.table,
            resources=tuple(resources),
            billing_mode=plan.to or self.table.billing_mode,
            on_demand_at=on_demand_at,
        )


_UPDATING = describe_table(FEED, at=NOON).resources[0].status.UPDATING


def set_stage(policies: PolicySet | None = None, *, limits: AccountLimits | None = None) -> Stage:
    """The table as it is after five minutes of calm."""
    pilot = Pilot(
        policies or make_policies(), limits=limits or AccountLimits(), apply_time_s=5.0, now=NOON
    )
    stage = Stage(pilot, describe_table(FEED, BY_DAY, at=NOON, read=30, write=200))
    stage.pass_seconds(300, CALM)
    return stage
