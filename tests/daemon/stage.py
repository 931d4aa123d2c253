"""A control loop in virtual time, over a physics server that keeps the same clock.

Nothing sleeps: ``pass_seconds`` moves the clock a second at a time and lets the loop do what its
schedule asks of it. The gateway is the real one, over HTTP; a witness in front of it notes what
was asked, and fails where a test says AWS cannot be asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiobotocore.session import AioSession

from capacity_pilot.adapters.agenda import RunningAgenda
from capacity_pilot.adapters.aws import open_auto_scaling, open_gateway
from capacity_pilot.adapters.aws.auto_scaling import NoAutoScaling
from capacity_pilot.adapters.aws.recorded_scaling import RecordedAutoScaling
from capacity_pilot.adapters.aws.registrations import Registrations
from capacity_pilot.adapters.otlp.estimate import Estimator
from capacity_pilot.adapters.otlp.harvest import Harvest
from capacity_pilot.adapters.otlp.intake import Intake
from capacity_pilot.adapters.scaling_holds import KeptHolds
from capacity_pilot.core.errors import GatewayError
from capacity_pilot.core.model import (
    AccountLimits,
    Dimension,
    Outcome,
    OutcomeKind,
    Plan,
    Resource,
    Sample,
    ScalableTarget,
    TableDescription,
)
from capacity_pilot.core.pilot import Pilot
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.core.ports import AutoScaling, CapacityGateway, Journal
from capacity_pilot.daemon.announcement_desk import AnnouncementDesk
from capacity_pilot.daemon.announcement_keeping import AnnouncementKeeping
from capacity_pilot.daemon.bookkeeping import Bookkeeper
from capacity_pilot.daemon.brake_desk import BrakeDesk
from capacity_pilot.daemon.control_loop import ControlLoop, Surroundings
from capacity_pilot.daemon.driving import route_tables
from capacity_pilot.daemon.scaling_watch import WATCH_S, ScalingWatch
from capacity_pilot.simulator.physics.apply_times import ApplyTimes
from capacity_pilot.simulator.physics.auto_scaling import name_target
from capacity_pilot.simulator.physics.clock import ManualClock
from capacity_pilot.simulator.physics.server import PhysicsServer, serve_physics
from capacity_pilot.simulator.physics.settings import WorldSettings
from capacity_pilot.simulator.physics.tables import IndexSpec, KeySchema, TableSpec, Units
from capacity_pilot.simulator.physics.world import World

NOON = datetime(2026, 10, 9, 12, tzinfo=UTC).timestamp()
APPLY_TIME_S = 10.0
DESCRIBE_S = 30.0
FEED = Resource("feed")
BY_DAY = Resource("feed", "by-day")

Demand = Mapping[tuple[Resource, Dimension], float]


def policies(**changes: object) -> PolicySet:
    """One policy over every table whose name begins with ``feed``."""
    policy: dict[str, object] = {
        "name": "feeds",
        "match": {"tables": ["feed*"]},
        "read": {"min": 10, "max": 10_000},
        "write": {"min": 10, "max": 10_000},
        "scale_in": {"stabilization": 60, "reserve_decreases": 0},
    }
    return PolicySet.model_validate({"version": 1, "policies": [policy | changes]})


def table(name: str, *indexes: str, read: int = 100, write: int = 100) -> TableSpec:
    units = Units(read=read, write=write)
    return TableSpec(
        name=name,
        key=KeySchema("id"),
        units=units,
        attribute_types=tuple((name, "S") for name in ("id", *indexes)),
        indexes=tuple(
            IndexSpec(
                name=index, key=KeySchema(index), projection="ALL", projected=None, units=units
            )
            for index in indexes
        ),
    )


def registered(
    target: ScalableTarget, *, minimum: int = 20, maximum: int = 500, **members: object
) -> dict[str, object]:
    """What an operator registers with Application Auto Scaling."""
    return {
        **name_target(target),
        "MinCapacity": minimum,
        "MaxCapacity": maximum,
        **members,
    }


@dataclass
class Witness:
    """A gateway that notes what it is asked, and when; the real one answers."""

    inner: CapacityGateway
    clock: ManualClock
    is_listing: bool = True
    unreadable: set[str] = field(default_factory=set)
    hanging: set[str] = field(default_factory=set)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    unsendable: set[str] = field(default_factory=set)
    refusing: dict[str, OutcomeKind] = field(default_factory=dict)
    described_at: dict[str, list[float]] = field(default_factory=dict)
    described: list[str] = field(default_factory=list)
    actuated: list[Plan] = field(default_factory=list)

    async def list_tables(self) -> tuple[str, ...]:
        if not self.is_listing:
            raise GatewayError("ListTables: no answer")
        return await self.inner.list_tables()

    async def describe(self, table: str) -> TableDescription | None:
        self.described_at.setdefault(table, []).append(self.clock.now())
        self.described.append(table)
        if table in self.hanging:
            await self.released.wait()
        if table in self.unreadable:
            raise GatewayError(f"DescribeTable {table}: no answer")
        return await self.inner.describe(table)

    async def limits(self) -> AccountLimits:
        return await self.inner.limits()

    async def actuate(self, plan: Plan) -> Outcome:
        self.actuated.append(plan)
        if plan.table in self.unsendable:
            raise GatewayError(f"{plan.table} could not be re-read")
        if plan.direction.value in self.refusing:
            kind = self.refusing[plan.direction.value]
            return Outcome(plan=plan, kind=kind, ended_at=self.clock.now())
        return await self.inner.actuate(plan)

    def reads_of(self, table: str, *, since: float) -> list[float]:
        """Seconds after ``since`` at which the table was described."""
        return [at - since for at in self.described_at.get(table, []) if at > since]


@dataclass
class Stage:
    """The loop and all it touches. ``demand`` is told of each second, one second later."""

    loop: ControlLoop
    server: PhysicsServer
    witness: Witness
    clock: ManualClock
    intake: Intake
    item_sizes: Estimator
    spawned: set[asyncio.Task[None]]
    desk: AnnouncementDesk
    brakes: BrakeDesk
    book: Bookkeeper
    scaling: ScalingWatch
    keeping: AnnouncementKeeping
    agenda: RunningAgenda
    spawn: Callable[[Coroutine[Any, Any, None]], None]
    is_active: bool = True
    demand: Demand = field(default_factory=dict)
    is_telling: bool = True

    @property
    def world(self) -> World:
        return self.server.database.world

    @property
    def now(self) -> float:
        return self.clock.now()

    def provisioned(self, resource: Resource) -> tuple[int, int]:
        units = self.world.table(resource.table).resources[resource.index].units
        return units.read, units.write

    def tell(self) -> None:
        """Telemetry arrives of the second that has just ended."""
        ended = int(self.now) - 1
        samples = {
            (r.table, r.index, int(d), ended): Sample(units=units, requests=units)
            for (r, d), units in self.demand.items()
        }
        self.intake.offer(Harvest(samples=samples), self.now)

    async def pass_seconds(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.pass_seconds(1.0)
            self.world.advance(self.now)
            self.server.scaling.advance(self.now)
            if self.now % WATCH_S == 0:
                await self.scaling.look()
            if self.is_telling and self.demand:
                self.tell()
            await self.loop.describe_due()
            await self.loop.tick()
            await self.brakes.note_ends()
            await asyncio.gather(*self.spawned)

    async def until(self, happened: Callable[[], bool], *, within: int) -> int:
        """Lets time pass until it happened; how many seconds that took."""
        for passed in range(within):
            if happened():
                return passed
            await self.pass_seconds(1)
        assert happened(), f"did not happen within {within} s"
        return within


@asynccontextmanager
async def set_stage(
    session: AioSession,
    *tables: TableSpec,
    policy_set: PolicySet | None = None,
    is_shadow: bool = False,
    initial_burst_seconds: float = 0.0,
    cloudwatch_usd_per_month: float = 0.0,
    journal: Journal | None = None,
    registered: Iterable[Mapping[str, Any]] | None = None,
    limits: AccountLimits = AccountLimits(),  # noqa: B008 - frozen
) -> AsyncIterator[Stage]:
    """A loop that has discovered ``tables``; every change takes ``APPLY_TIME_S``.

    Application Auto Scaling is asked where ``registered`` says what it knows, if only nothing.
    """
    clock = ManualClock(NOON)
    book = Bookkeeper(journal, clock=clock)
    book.is_reconciled = True
    world = World(
        WorldSettings(
            apply_times=ApplyTimes(median_seconds=APPLY_TIME_S, sigma=0.0, warm_is_fast=False),
            initial_burst_seconds=initial_burst_seconds,
            limits=limits,
        )
    )
    for spec in tables:
        world.create_table(spec, clock.now())
    world.advance(clock.now())
    async with (
        AsyncExitStack() as stack,
        serve_physics(world, clock=clock) as server,
        open_gateway(
            region="us-east-1", clock=clock, endpoint_url=server.url, session=session, book=book
        ) as aws,
    ):
        client: AutoScaling = NoAutoScaling()
        if registered is not None:
            client = await stack.enter_async_context(
                open_auto_scaling(
                    region="us-east-1", clock=clock, endpoint_url=server.url, session=session
                )
            )
        for request in registered or ():
            server.scaling.register(request, clock.now())
        registrations = Registrations(
            RecordedAutoScaling(client, book), holds=KeptHolds(journal), clock=clock
        )
        agenda = RunningAgenda(policy_set or policies())
        pilot = Pilot(
            policy_set or policies(),
            limits=limits,
            apply_time_s=APPLY_TIME_S,
            now=clock.now(),
            agenda=agenda,
            cloudwatch_usd_per_month=cloudwatch_usd_per_month,
        )
        gateway = route_tables(
            aws,
            registrations,
            mode_of=pilot.mode_for,
            is_shadow=is_shadow,
            apply_time_s=APPLY_TIME_S,
            clock=clock,
        )
        witness = Witness(gateway, clock)
        intake, item_sizes = Intake(), Estimator()
        spawned: set[asyncio.Task[None]] = set()

        def spawn(work: Coroutine[Any, Any, None]) -> None:
            task = asyncio.get_running_loop().create_task(work)
            spawned.add(task)
            task.add_done_callback(spawned.discard)

        loop = ControlLoop(
            pilot,
            Surroundings(
                gateway=witness,
                intake=intake,
                item_sizes=item_sizes,
                clock=clock,
                book=book,
                spawn=spawn,
                is_active=lambda: stage.is_active,
            ),
            describe_s=DESCRIBE_S,
        )
        await loop.discover()
        keeping = AnnouncementKeeping(agenda, pilot=loop.pilot, book=book, clock=clock)
        stage = Stage(
            loop=loop,
            server=server,
            witness=witness,
            clock=clock,
            intake=intake,
            item_sizes=item_sizes,
            spawned=spawned,
            spawn=spawn,
            desk=AnnouncementDesk(agenda, pilot=loop.pilot, clock=clock, keeping=keeping),
            brakes=BrakeDesk(
                loop.pilot,
                clock=clock,
                latest=lambda: loop.last_step,
                book=book,
                is_active=lambda: stage.is_active,
                is_shadow=is_shadow,
            ),
            book=book,
            keeping=keeping,
            agenda=agenda,
            scaling=ScalingWatch(
                loop.pilot,
                registrations,
                clock=clock,
                counts=loop.counts,
                reread=loop.reread,
                may_change=lambda: stage.is_active and not is_shadow,
            ),
        )
        await stage.scaling.look()
        writing = asyncio.create_task(book.write_on())
        try:
            yield stage
        finally:
            writing.cancel()
