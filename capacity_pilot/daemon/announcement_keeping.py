"""Announcements over a restart, and between pilots that share a journal.

What is taken or called off is a record, which any pilot may write; the holder of the lease also
keeps all that are coming in one document, since records are forgotten after some weeks.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable

import structlog
from pydantic import ValidationError

from capacity_pilot.adapters.agenda import Announced, RunningAgenda
from capacity_pilot.core.errors import InputError, OverloadedError, RetryableError
from capacity_pilot.core.events.declared import Announcement, Caller
from capacity_pilot.core.pilot import Pilot
from capacity_pilot.core.ports import Clock
from capacity_pilot.core.record import Record, RecordKind
from capacity_pilot.daemon.bookkeeping import Bookkeeper

DOCUMENT = "announcements"

_PATIENCE_S = 3.0
_OVERLAP_S = 60.0
"""Between pilots' clocks, and between what is noted and what is written."""

log = structlog.get_logger("capacity_pilot")


class AnnouncementKeeping:
    """Keeps one agenda in a journal; without one nothing is kept."""

    def __init__(
        self, agenda: RunningAgenda, *, pilot: Pilot, book: Bookkeeper, clock: Clock
    ) -> None:
        self._agenda = agenda
        self._pilot = pilot
        self._book = book
        self._clock = clock
        self._replayed: dict[str, float] = {}

    async def note(self, kind: RecordKind, announced: Announced, caller: Caller) -> list[str]:
        """Records what was taken or called off, and by whom; gives as warnings what went wrong."""
        if self._book.journal is None:
            return []
        what = {"id": announced.id, "announcement": _dump(announced.announcement)}
        body = what | {"by": caller.by, "why": caller.why}
        written = self._book.note(kind, body=body)
        await asyncio.wait((written,), timeout=_PATIENCE_S)
        fault = written.result() if written.done() else "the journal is slow"
        if fault is None:
            await self.save()
            return []
        return [f"taken, but not written down yet, so that a restart may undo it: {fault}"]

    async def save(self) -> None:
        """Keeps all that are coming, where this pilot may."""
        if self._book.journal is None:
            return
        now = self._clock.now()
        coming = [_dump(announced.announcement) for announced in self._agenda.announced(now)]
        content = json.dumps({"taken_at": now, "announcements": coming}).encode()
        try:
            await self._book.journal.save(DOCUMENT, content)
        except RetryableError as error:
            log.info("announcements_not_saved", error=str(error))

    async def restore(self) -> None:
        """Takes up what was kept, and what was recorded since. Raises ``JournalError``."""
        if self._book.journal is None:
            return
        content = await self._book.journal.load(DOCUMENT)
        if content is not None:
            try:
                kept = json.loads(content)
                taken_at, announcements = float(kept["taken_at"]), list(kept["announcements"])
            except (KeyError, TypeError, ValueError) as error:
                log.warning("announcements_left_aside", error=f"{type(error).__name__}: {error}")
            else:
                for announcement in announcements:
                    self._take(announcement)
                self._replay(await self._book.journal.read(since=taken_at - _OVERLAP_S))
        restored = self._agenda.announced(self._clock.now())
        if restored:
            log.info("announcements_restored", names=[a.announcement.name for a in restored])

    async def catch_up(self) -> None:
        """Takes up what was told to other pilots since the last time."""
        if self._book.journal is None:
            return
        now = self._clock.now()
        try:
            records = await self._book.journal.read(since=now - _OVERLAP_S)
        except RetryableError as error:
            log.warning("announcements_not_read", error=str(error))
            return
        self._replayed = {n: at for n, at in self._replayed.items() if at > now - 2 * _OVERLAP_S}
        if self._replay(records):
            await self.save()

    def _replay(self, records: Iterable[Record]) -> bool:
        """True if there was something new."""
        news = [
            record
            for record in records
            if record.kind in (RecordKind.ANNOUNCED, RecordKind.CANCELLED)
            if record.id not in self._replayed and not self._book.is_own(record)
        ]
        for record in news:
            self._replayed[record.id] = record.at
            if record.kind is RecordKind.ANNOUNCED:
                self._take(record.body["announcement"])
            else:
                self._agenda.cancel(record.body["id"], self._clock.now())
        return bool(news)

    def _take(self, told: object) -> None:
        now = self._clock.now()
        try:
            announcement = Announcement.model_validate_json(json.dumps(told))
            if announcement.at.timestamp() + announcement.lasts > now:
                managed = self._pilot.descriptions.keys()
                self._agenda.announce(announcement, managed=managed, now=now)
        except (InputError, OverloadedError, ValidationError) as error:
            log.warning("announcement_left_aside", announcement=told, error=str(error))


def _dump(announcement: Announcement) -> object:
    return announcement.model_dump(mode="json", exclude_defaults=True)
