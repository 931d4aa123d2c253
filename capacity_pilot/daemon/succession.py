"""What a pilot takes over from the one before it, be that its own process or another's.

Before anything is decided: what was learned, what people have told, and what became of the calls
that were made. Where the journal cannot be read, capacity is still raised; it is lowered only once
all of it is known.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog

from capacity_pilot.core.billing import SWITCHES_COUNT_S
from capacity_pilot.core.errors import GatewayError, JournalError, RetryableError
from capacity_pilot.core.escape.escaped import recall_escape, recall_switches
from capacity_pilot.core.model import TableDescription
from capacity_pilot.core.ports import CapacityGateway, Clock, Journal
from capacity_pilot.core.reconcile import Findings, reconcile, records_since, tables_concerned
from capacity_pilot.core.record import Record, RecordKind
from capacity_pilot.daemon.announcement_keeping import AnnouncementKeeping
from capacity_pilot.daemon.bookkeeping import Bookkeeper
from capacity_pilot.daemon.brake_desk import BrakeDesk
from capacity_pilot.daemon.control_loop import ControlLoop
from capacity_pilot.daemon.narration import render_changes
from capacity_pilot.daemon.snapshots import Snapshots

_HEARD_S = 60.0
_READS_AT_ONCE = 8
_CLOCKS_S = 600.0
"""A switch was recorded no longer before AWS's time of it, whatever the clocks say."""

log = structlog.get_logger("capacity_pilot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Estate:
    """Everything that has a past to take up."""

    loop: ControlLoop
    book: Bookkeeper
    snapshots: Snapshots
    announcements: AnnouncementKeeping
    brakes: BrakeDesk


class Succession:
    """Call ``prepare`` before the first tick, ``take_up`` whenever this pilot becomes the one that
    changes capacity, and ``try_again`` every second.
    """

    def __init__(self, estate: Estate, *, gateway: CapacityGateway, clock: Clock) -> None:
        self._estate = estate
        self._gateway = gateway
        self._clock = clock

    async def prepare(self) -> None:
        """Takes up what was learned and told, also where another pilot is active."""
        await self._estate.snapshots.restore()
        try:
            await self._read_orders()
        except RetryableError as error:
            log.warning("journal_not_read", error=str(error))

    async def take_up(self) -> None:
        """A pilot that stood by and heard no spans knows less than the snapshot does."""
        estate, now = self._estate, self._clock.now()
        heard_at = estate.loop.last_received_at
        has_heard = heard_at is not None and now - heard_at < _HEARD_S
        if estate.loop.last_tick_at is not None and not has_heard:
            await estate.snapshots.restore()
        estate.book.is_reconciled = estate.book.journal is None
        await self.try_again()

    async def try_again(self) -> None:
        """Reads what the journal tells of earlier calls, unless that is known."""
        book = self._estate.book
        if book.is_reconciled or book.journal is None:
            return
        try:
            await self._read_orders()
            await self._reconcile(book.journal)
        except RetryableError as error:
            log.warning("journal_not_read", error=str(error), decreases="held")
        else:
            book.is_reconciled = True

    async def _read_orders(self) -> None:
        await self._estate.announcements.restore()
        await self._estate.brakes.restore()

    async def _reconcile(self, journal: Journal) -> None:
        now = self._clock.now()
        unanswered = await journal.unanswered()
        may_escape = any(p.on_demand_escape for p in self._estate.loop.pilot.policies.policies)
        since = min(records_since(now), now - SWITCHES_COUNT_S if may_escape else now)
        records = await journal.read(since=since)
        concerned = tables_concerned(records, unanswered, now)
        read = await self._read_tables(concerned)
        known = {t: d for t, d in self._estate.loop.pilot.descriptions.items() if t not in read}
        if unread := sorted(concerned - read.keys()):
            raise JournalError(f"what became of calls is not known: {unread} could not be read")
        findings = reconcile(records, unanswered, known | read, now)
        self._carry_on(findings)
        if may_escape:
            await self._recall_switches(journal, [*unanswered, *records])
        log.info(
            "reconciled",
            records=len(records),
            calls_without_answer=len(unanswered),
            still_changing=[resumed.table for resumed in findings.resumed],
        )

    async def _read_tables(self, tables: Iterable[str]) -> dict[str, TableDescription | None]:
        """Those that can be read, as they are now; ``None`` for one that is gone."""
        turns = asyncio.Semaphore(_READS_AT_ONCE)
        read: dict[str, TableDescription | None] = {}

        async def read_one(table: str) -> None:
            async with turns:
                try:
                    read[table] = await self._gateway.describe(table)
                except GatewayError as error:
                    log.warning("table_not_described", table=table, error=str(error))

        await asyncio.gather(*(read_one(table) for table in tables))
        return read

    async def _recall_switches(self, journal: Journal, records: Sequence[Record]) -> None:
        """Which tables are on-demand by the doing of earlier pilots, and how often that was done.

        One that has been so for longer than ``records`` reach is looked up from when AWS says.
        """
        loop = self._estate.loop
        switches = recall_switches({r.id: r for r in records}.values())
        on_demand = {table for table in loop.on_demand.tables if loop.pilot.may_escape(table)}
        for table in sorted(switches.keys() | on_demand):
            description = await self._gateway.describe(table)
            if description is None:
                continue
            at = description.on_demand_at
            since = min(at or math.inf, *switches.get(table, ()), self._clock.now()) - _CLOCKS_S
            of_table = await journal.read(since=since, table=table)
            escape = recall_escape(of_table, on_demand_at=at)
            loop.pilot.recall_switches(table, switches.get(table, ()), escape)
            if escape is not None:
                log.info("escape_recalled", table=table, switched_at=escape.at)
            await loop.reread([table])

    def _carry_on(self, findings: Findings) -> None:
        book, pilot = self._estate.book, self._estate.loop.pilot
        for call, verdict in findings.verdicts:
            book.settle(call, verdict)
        for call in findings.open:
            book.reopen(call, call.at)
        for resumed in findings.resumed:
            pilot.resume(resumed.table, resumed.changes, resumed.at, resumed.to)
            changes = render_changes(resumed.changes)
            log.info(
                "change_resumed", table=resumed.table, changes=changes, requested_at=resumed.at
            )
        for foreign in findings.foreign:
            told = {"resource": str(foreign.resource), "ours": foreign.ours, "found": foreign.found}
            log.warning("changed_by_others", **told)
            book.note(RecordKind.FOREIGN, foreign.resource.table, body=told)
        for missed in findings.miscounted:
            log.warning(
                "decreases_miscounted",
                resource=str(missed.resource),
                recorded=missed.recorded,
                counted_by_aws=missed.counted,
            )
