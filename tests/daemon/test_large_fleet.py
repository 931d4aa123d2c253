"""Ten thousand tables through the daemon's own loop, in virtual time: some of them surge."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

from capacity_pilot.adapters.aws.actuation import Actuation, Write
from capacity_pilot.adapters.aws.refusals import Refusal
from capacity_pilot.adapters.otlp.estimate import Estimator
from capacity_pilot.adapters.otlp.harvest import Harvest
from capacity_pilot.adapters.otlp.intake import Intake
from capacity_pilot.core.model import (
    AccountLimits,
    Dimension,
    Outcome,
    Plan,
    Resource,
    ResourceStatus,
    Sample,
    TableDescription,
)
from capacity_pilot.core.pilot import Pilot
from capacity_pilot.daemon.bookkeeping import Bookkeeper
from capacity_pilot.daemon.control_loop import ControlLoop, Surroundings
from capacity_pilot.simulator.physics.clock import ManualClock
from tests.core.feed_table import describe_table
from tests.daemon.stage import NOON, policies

TABLES, SURGING = 10_000, 100
UNITS, CALM, SURGE, APPLY_S = 100, 40.0, 900.0, 4.0
LIMITS = AccountLimits(account_read=10_000_000, account_write=10_000_000)


@dataclass
class PlainAws:
    """As many tables as they are, described at once, and changed ``APPLY_S`` after they are asked
    to be.
    """

    clock: ManualClock
    tables: dict[str, TableDescription]
    changing: dict[str, tuple[float, TableDescription]] = field(default_factory=dict)
    raised: list[str] = field(default_factory=list)
    most_at_once: int = 0
    at_once: int = 0

    def __post_init__(self) -> None:
        self.actuation = Actuation(describe=self.describe, carry=self.carry, clock=self.clock)

    async def list_tables(self) -> tuple[str, ...]:
        return tuple(self.tables)

    async def limits(self) -> AccountLimits:
        return LIMITS

    async def describe(self, table: str) -> TableDescription | None:
        changed_at, after = self.changing.get(table, (float("inf"), None))
        if after is not None and self.clock.now() >= changed_at:
            del self.changing[table]
            self.tables[table] = after
        return replace(self.tables[table], described_at=self.clock.now())

    async def actuate(self, plan: Plan) -> Outcome:
        return await self.actuation.actuate(plan)

    async def carry(self, write: Write) -> Refusal | None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        table, (change,) = write.plan.table, write.changes
        self.raised.append(table)
        (had,) = self.tables[table].resources
        after = replace(had, read=change.read, write=change.write)
        self.changing[table] = (
            self.clock.now() + APPLY_S,
            replace(self.tables[table], resources=(after,)),
        )
        busy = replace(had, status=ResourceStatus.UPDATING)
        self.tables[table] = replace(self.tables[table], resources=(busy,))
        return None


class Fleet:
    """The loop over them all."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOON)
        names = [f"feed-{n:05d}" for n in range(TABLES)]
        self.surging = set(names[:: TABLES // SURGING])
        self.aws = PlainAws(
            self.clock,
            {n: describe_table(Resource(n), at=NOON, read=UNITS, write=UNITS) for n in names},
        )
        self.intake = Intake()
        self.calls: set[asyncio.Task[None]] = set()
        pilot = Pilot(policies(), limits=LIMITS, apply_time_s=5.0, now=NOON)
        around = Surroundings(
            gateway=self.aws,
            intake=self.intake,
            item_sizes=Estimator(),
            clock=self.clock,
            book=Bookkeeper(None, clock=self.clock),
            spawn=self._spawn,
            is_active=lambda: True,
        )
        self.loop = ControlLoop(pilot, around, describe_s=30.0)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.calls.add(task)
        task.add_done_callback(self.calls.discard)

    async def pass_seconds(self, seconds: int, *, surge: float) -> None:
        for _ in range(seconds):
            self.clock.pass_seconds(1.0)
            second = int(self.clock.now()) - 1
            samples = {
                (name, "", int(Dimension.WRITE), second): Sample(
                    units=surge if name in self.surging else CALM, requests=10.0
                )
                for name in self.aws.tables
            }
            self.intake.offer(Harvest(samples=samples), self.clock.now())
            await self.loop.describe_due()
            await self.loop.tick()
            await asyncio.gather(*self.calls)


async def test_ten_thousand_tables_are_looked_after_and_those_that_surge_are_raised() -> None:
    fleet = Fleet()
    await fleet.loop.discover()
    await fleet.pass_seconds(30, surge=CALM)
    assert len(fleet.loop.pilot.fleet) == 2 * TABLES
    assert not set(fleet.aws.raised), "nothing surges yet"
    await fleet.pass_seconds(15, surge=SURGE)
    assert set(fleet.aws.raised) == fleet.surging
    for name in fleet.surging:
        (resource,) = fleet.loop.pilot.descriptions[name].resources
        assert resource.write >= SURGE, name
    others = fleet.aws.tables.keys() - fleet.surging
    assert all(fleet.aws.tables[name].resources[0].write == UNITS for name in others)
    assert 1 < fleet.aws.most_at_once <= 8
    assert fleet.loop.counts["ticks"] == 45
