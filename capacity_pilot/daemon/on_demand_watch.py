"""Watches the on-demand tables that policies name: shows their demand, advises, changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import structlog
from pydantic import TypeAdapter, ValidationError

from capacity_pilot.core.errors import RetryableError
from capacity_pilot.core.model import (
    BillingMode,
    Dimension,
    Resource,
    Sample,
    SampleKey,
    ScalableTarget,
    TableDescription,
)
from capacity_pilot.core.on_demand import Hour, RequestLedger, Weighing, weigh
from capacity_pilot.core.ports import Clock, Journal
from capacity_pilot.daemon.narration import name_target, render_number
from capacity_pilot.web.metrics import Metric

DOCUMENT = "on-demand"
ADVISE_S = 60.0

_Saved = TypeAdapter(list[tuple[str, str, Dimension, int, float, float]])

log = structlog.get_logger("capacity_pilot")


class OnDemandWatch:
    """Is shown every description and all samples; call ``advise`` every ``ADVISE_S`` seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ledger = RequestLedger()
        self._tables: dict[str, dict[Resource, tuple[ScalableTarget, ...]]] = {}
        self._weighed: dict[str, Weighing | None] = {}

    @property
    def tables(self) -> Collection[str]:
        """Those that are watched."""
        return self._tables.keys()

    def see(self, description: TableDescription) -> None:
        """A table that a policy names, as it is now."""
        if description.billing_mode is not BillingMode.PAY_PER_REQUEST:
            self.forget(description.table)
            return
        resources = [r.resource for r in description.resources]
        former = self._tables.get(description.table)
        if former is None:
            log.info("on_demand_table", table=description.table, will="be watched, never changed")
        if former is None or former.keys() != set(resources):
            self._tables[description.table] = {
                resource: tuple(ScalableTarget(resource, d) for d in Dimension)
                for resource in resources
            }

    def forget(self, table: str) -> None:
        """The table is gone, or has capacity that the pilot sees to."""
        for targets in self._tables.pop(table, {}).values():
            self._ledger.forget(targets)
        self._weighed.pop(table, None)

    def take_in(self, samples: Mapping[SampleKey, Sample]) -> None:
        """Picks out what was told of on-demand tables."""
        if not self._tables:
            return
        for (table, index, dimension, second), sample in samples.items():
            resources = self._tables.get(table)
            if resources is not None:
                # An index that is not a global one is a local one, at its table's expense.
                targets = resources.get(Resource(table, index)) or resources[Resource(table)]
                self._ledger.add(targets[dimension], second, sample.units)

    async def advise(self) -> None:
        """Weighs both prices anew, and says so where another mode is the cheaper one by now."""
        self._ledger.settle(self._clock.now())
        for table in self._tables:
            before = self._weighed.get(table)
            weighed = weigh(self._ledger.hours(self._list_targets(table)))
            self._weighed[table] = weighed
            if weighed is not None and (before is None or before.advised != weighed.advised):
                log.info("on_demand_advice", table=table, **_render(weighed))

    def report(self) -> dict[str, object]:
        """What ``/status`` says: demand in units per second, ``None`` where nothing is known."""
        return {"on_demand": [self._report_table(table) for table in sorted(self._tables)]}

    def measure(self) -> Iterator[Metric]:
        """What ``/metrics`` says of their demand and prices."""
        now = self._clock.now()
        told = [
            (name_target(target), demand)
            for table in self._tables
            for target in self._list_targets(table)
            if (demand := self._ledger.demand(target, now)) is not None
        ]
        yield Metric(
            name="capacity_pilot_on_demand_units_per_second",
            kind="gauge",
            told="Units asked of on-demand tables and indexes in the last whole minute.",
            samples=told,
        )
        yield Metric(
            name="capacity_pilot_on_demand_usd_per_hour",
            kind="gauge",
            told="What an on-demand table costs, or would have cost with provisioned capacity.",
            samples=[
                ({"table": table, "mode": mode.value}, usd)
                for table, weighed in self._weighed.items()
                if weighed is not None
                for mode, usd in (
                    (BillingMode.PAY_PER_REQUEST, weighed.on_demand_usd),
                    (BillingMode.PROVISIONED, weighed.provisioned_usd),
                )
            ],
        )

    async def save(self, journal: Journal | None) -> None:
        """Keeps the hours known so far; a day of them must not be lost with the process."""
        if journal is None or not self._tables:
            return
        rows = [
            (t.resource.table, t.resource.index, t.dimension, number, hour.units, hour.peak)
            for t, hours in self._ledger.remember().items()
            for number, hour in hours.items()
        ]
        try:
            await journal.save(DOCUMENT, _Saved.dump_json(rows))
        except RetryableError as error:
            log.warning("on_demand_hours_not_saved", error=str(error))

    async def restore(self, journal: Journal | None) -> None:
        """Takes up the hours an earlier process knew; what cannot be read is left aside."""
        if journal is None:
            return
        try:
            content = await journal.load(DOCUMENT)
            rows = [] if content is None else _Saved.validate_json(content)
        except (RetryableError, ValidationError) as error:
            log.warning("on_demand_hours_left_aside", error=str(error))
            return
        hours: dict[ScalableTarget, dict[int, Hour]] = {}
        for table, index, dimension, number, units, peak in rows:
            target = ScalableTarget(Resource(table, index), dimension)
            hours.setdefault(target, {})[number] = Hour(units, peak)
        self._ledger.recall(hours)

    def _list_targets(self, table: str) -> list[ScalableTarget]:
        return [target for targets in self._tables[table].values() for target in targets]

    def _report_table(self, table: str) -> dict[str, object]:
        now, weighed = self._clock.now(), self._weighed.get(table)
        demand = {
            str(target): None if units is None else render_number(units)
            for target in self._list_targets(table)
            for units in (self._ledger.demand(target, now),)
        }
        advice = None if weighed is None else _render(weighed)
        return {"table": table, "demand": demand, "advice": advice}


def _render(weighed: Weighing) -> dict[str, object]:
    return {
        "over_hours": weighed.hours,
        "on_demand_usd_per_hour": round(weighed.on_demand_usd, 4),
        "provisioned_usd_per_hour": round(weighed.provisioned_usd, 4),
        "advised": weighed.advised.value,
    }
