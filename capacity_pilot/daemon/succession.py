"""What a pilot takes over from the one before it, be that its own process or another's.

Before anything is decided: what was learned, what people have told, and what became of the calls
that were made. Where the journal cannot be read, capacity is still raised; it is lowered only once
all of it is known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from capacity_pilot.core.errors import GatewayError, JournalError, RetryableError
from capacity_pilot.core.model import TableDescription
from capacity_pilot.core.ports import CapacityGateway, Clock, Journal
from capacity_pilot.core.reconcile import Findings, reconcile, records_since, tables_concerned
from capacity_pilot.core.record import RecordKind
from capacity_pilot.daemon.announcement_keeping import AnnouncementKeeping
from capacity_pilot.daemon.bookkeeping import Bookkeeper
from capacity_pilot.daemon.brake_desk import BrakeDesk
from capacity_pilot.daemon.control_loop import ControlLoop
from capacity_pilot.daemon.narration import render_changes
from capacity_pilot.daemon.snapshots import Snapshots

_HEARD_S = 60.0
_READS_AT_ONCE = 8

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
        records = await journal.read(since=records_since(now))
        concerned = tables_concerned(records, unanswered, now)
        read = await self._read_tables(concerned)
        known = {t: d for t, d in self._estate.loop.pilot.descriptions.items() if t not in read}
        if unread := sorted(concerned - read.keys()):
            raise JournalError(f"what became of calls is not known: {unread} could not be read")
        findings = reconcile(records, unanswered, known | read, now)
        self._carry_on(findings)
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

    def _carry_on(self, findings: Findings) -> None:
        book, pilot = self._estate.book, self._estate.loop.pilot
        for call, verdict in findings.verdicts:
            book.settle(call, verdict)
        for call in findings.open:
            book.reopen(call, call.at)
        for resumed in findings.resumed:
            pilot.resume(resumed.table, resumed.changes, resumed.at)
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
