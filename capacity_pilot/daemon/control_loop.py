"""The loop around the pilot: reads tables, ticks, carries plans out, tells what it did.

Knows AWS and telemetry only through ports and takes its time from a ``Clock``, so that tests run
it in virtual time.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from capacity_pilot.core.backoff import Backoffs
from capacity_pilot.core.errors import GatewayError, RetryableError
from capacity_pilot.core.model import (
    Outcome,
    OutcomeKind,
    Plan,
    Sample,
    SampleKey,
    SignalKey,
    TableDescription,
)
from capacity_pilot.core.pilot import Pilot, Step
from capacity_pilot.core.policy import TablePolicy
from capacity_pilot.core.ports import CapacityGateway, Clock
from capacity_pilot.core.spread import Spread
from capacity_pilot.daemon.bookkeeping import Bookkeeper
from capacity_pilot.daemon.chronicle import Chronicle
from capacity_pilot.daemon.on_demand_watch import OnDemandWatch
from capacity_pilot.daemon.turns import Turns

_READS_AT_ONCE = 8
_UPDATES_AT_ONCE = 8
"""Below AWS's limit of ten UpdateTable calls at once in an account. Counted apart from reads, so
that no update waits, and expires, behind tables that are slow to read."""

_READS_WITHIN_S = 1.0
"""What is due is chosen anew so often: of ten thousand tables, those that change are not to wait
until all others are read."""

_CHANGING_S = 1.0
_UNREAD_S = 5.0
_SILENT_S = 15.0

log = structlog.get_logger("capacity_pilot")


class Intake(Protocol):
    """Where telemetry is collected between ticks."""

    @property
    def last_received_at(self) -> float | None: ...

    def drain(self) -> Mapping[SampleKey, Sample]: ...

    def drain_signals(self) -> Mapping[SignalKey, float]: ...


class ItemSizes(Protocol):
    """Who wants to know how large a resource's items are."""

    def note_item_bytes(self, table: str, index: str, mean_bytes: float) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a loop acts on, hears from and is told by.

    ``spawn`` runs an actuation beside the loop; whoever gave it waits for what it started. While
    it is not ``is_active``, what is decided is not carried out.
    """

    gateway: CapacityGateway
    intake: Intake
    item_sizes: ItemSizes
    clock: Clock
    book: Bookkeeper
    spawn: Callable[[Coroutine[Any, Any, None]], object]
    is_active: Callable[[], bool]


class ControlLoop:
    """One pilot's senses and hands. Call ``discover``, ``describe_due`` and ``tick`` regularly."""

    def __init__(self, pilot: Pilot, around: Surroundings, *, describe_s: float) -> None:
        self.pilot = pilot
        self.counts = around.book.counts
        self.on_demand = OnDemandWatch(around.clock)
        self.last_tick_at: float | None = None
        self.last_step: Step | None = None
        self._gateway = around.gateway
        self._intake = around.intake
        self._item_sizes = around.item_sizes
        self._clock = around.clock
        self._describe_s = describe_s
        self._spawn = around.spawn
        self._reads = asyncio.Semaphore(_READS_AT_ONCE)
        self._turns = Turns(_UPDATES_AT_ONCE, around.clock)
        self._described_at: dict[str, float] = {}
        self._listed: frozenset[str] = frozenset()
        self._unread: set[str] = set()
        self._moved: set[str] = set()
        self._list_again_at: float | None = None
        self._is_discovering = False
        self._backoffs = Backoffs()
        self._book = around.book
        self._chronicle = Chronicle(around.book)
        self._is_active = around.is_active
        self._is_telemetry_lost = False

    @property
    def last_received_at(self) -> float | None:
        """When telemetry last came, Unix seconds."""
        return self._intake.last_received_at

    async def discover(self) -> None:
        """Looks which tables there are; takes in the new ones a policy covers."""
        try:
            names = set(await self._gateway.list_tables())
        except GatewayError as error:
            log.warning("tables_not_listed", error=str(error))
            self._list_again_at = self._clock.now() + _UNREAD_S
            return
        self._list_again_at = None
        self._listed = frozenset(names)
        for gone in self._described_at.keys() - names:
            self._forget(gone)
        covered = {name for name in names if self.pilot.covers(name)}
        try:
            self._is_discovering = True
            new = sorted(covered - self._described_at.keys())
            # Another look may have begun meanwhile, and reads them as well.
            await self._describe(table for table in new if table not in self._described_at)
        finally:
            self._is_discovering = False

    async def describe_due(self) -> None:
        """Reads the tables whose last reading has aged; one that is changing ages fast, and is read
        first, then what was not read for longest. Who is steady waits until all are known.
        """
        now = self._clock.now()
        if self._list_again_at is not None and now >= self._list_again_at:
            await self.discover()
        due = sorted(
            (not self.pilot.is_in_motion(table), at, table)
            for table, at in self._described_at.items()
            # A reading from a time that is yet to come was made before the clock was put back.
            if not 0 <= now - at < self._reading_lasts_s(table)
            and (self.pilot.is_in_motion(table) or not self._is_discovering)
        )
        await self._describe((table for *_, table in due), within_s=_READS_WITHIN_S)

    @property
    def listed(self) -> frozenset[str]:
        """All tables there were when last looked, the pilot's or not."""
        return self._listed

    def adopt(self, ready: Spread) -> None:
        """Puts other policies in force, as a whole and before the next tick. ``catch_up`` has the
        rest to do.
        """
        self._moved |= set(self.pilot.adopt(ready, self._clock.now()))
        for table in [table for table in self._described_at if not self.pilot.covers(table)]:
            self._let_go(table)

    async def catch_up(self) -> set[str]:
        """Reads the tables that are new under other policies, or driven in another way: which."""
        moved, self._moved = self._moved, set()
        known = set(self._described_at)
        await self.reread(moved)
        await self.discover()
        return moved | (self._described_at.keys() - known)

    def _reading_lasts_s(self, table: str) -> float:
        if self.pilot.is_in_motion(table):
            return min(_CHANGING_S, self._describe_s)
        return min(_UNREAD_S, self._describe_s) if table in self._unread else self._describe_s

    async def reread(self, tables: Iterable[str]) -> None:
        """Reads tables before they are due: something else about them is known by now."""
        await self._describe(sorted(self._described_at.keys() & set(tables)))

    async def _describe(self, tables: Iterable[str], *, within_s: float = math.inf) -> None:
        """Reads them in their order, those for which there is time ``within_s``."""
        waiting, began_at = iter(tables), self._clock.now()

        async def read_on() -> None:
            for table in waiting:
                await self._describe_one(table)
                if self._clock.now() - began_at >= within_s:
                    return

        await asyncio.gather(*(read_on() for _ in range(_READS_AT_ONCE)))

    async def _describe_one(self, table: str) -> None:
        async with self._reads:
            self._described_at[table] = self._clock.now()
            mode = self.pilot.mode_for(table)
            try:
                description = await self._gateway.describe(table)
            except GatewayError as error:
                log.warning("table_not_described", table=table, error=str(error))
                self._unread.add(table)
                return
        self._unread.discard(table)
        if self.pilot.mode_for(table) is not mode:
            return  # what shows it is another gateway by now, which is asked as well
        if description is None:
            self._forget(table)
        else:
            self._observe(description)

    def _observe(self, description: TableDescription) -> None:
        applied = self.pilot.observe(description)
        if self.pilot.has_escaped(description.table):
            self.on_demand.forget(description.table)
        else:
            self.on_demand.see(description)
        if applied is not None:
            self._chronicle.applied(applied)
        self._book.see(description.table, description)
        for resource in description.resources:
            if resource.mean_item_bytes is not None:
                name = resource.resource
                self._item_sizes.note_item_bytes(name.table, name.index, resource.mean_item_bytes)

    def _forget(self, table: str) -> None:
        log.info("table_gone", table=table)
        self._book.see(table, None)
        self._let_go(table)

    def _let_go(self, table: str) -> None:
        self._described_at.pop(table, None)
        self._backoffs.forget(table)
        self._chronicle.forget(table)
        self.pilot.forget(table)
        self.on_demand.forget(table)

    async def tick(self) -> None:
        """One evaluation: everything that arrived, one decision per target, the calls it needs."""
        now = self._clock.now()
        self._watch_telemetry(now)
        signals = self._intake.drain_signals()
        waiting = self._backoffs.waiting(now)
        samples = self._intake.drain()
        self.on_demand.take_in(samples)
        step = self.pilot.step(samples, now, signals=signals, waiting=waiting)
        self.last_step, self.last_tick_at = step, now
        self.counts["ticks"] += 1
        self.counts["unmanaged_samples"] += step.unmanaged
        for plan in step.plans if self._is_active() else ():
            if (plan.table, plan.direction) not in waiting:
                self._chronicle.decided(plan, step)
                self.pilot.begin(plan)
                self._spawn(self._carry_out(plan, self.pilot.policies.policy_for(plan.table)))

    def _watch_telemetry(self, now: float) -> None:
        received_at = self._intake.last_received_at
        is_lost = received_at is not None and now - received_at > _SILENT_S
        if is_lost and not self._is_telemetry_lost:
            log.warning("telemetry_lost", silent_s=round(now - (received_at or now), 1))
        elif self._is_telemetry_lost and not is_lost:
            log.info("telemetry_resumed")
        self._is_telemetry_lost = is_lost

    async def _carry_out(self, plan: Plan, policy: TablePolicy | None) -> None:
        """What was decided under another policy than the table's by now is not sent."""
        outcome: Outcome | None = None
        try:
            async with self._turns.turn(plan):
                if self.pilot.policies.policy_for(plan.table) == policy:
                    outcome = await self._gateway.actuate(plan)
                else:
                    self.counts["plans_overtaken_by_policies"] += 1
            if outcome is not None and outcome.kind is not OutcomeKind.EXPIRED:
                self._turns.settle(plan)
        except RetryableError as error:
            log.warning("update_not_sent", table=plan.table, error=str(error))
        finally:
            self.pilot.finish(plan.table, outcome)
            self._backoffs.note(plan.table, plan.direction, outcome, now=self._clock.now())
        if outcome is not None:
            self._chronicle.ended(outcome)
