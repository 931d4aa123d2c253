"""What the pilot knows, saved now and then and taken up again after a restart."""

from __future__ import annotations

import asyncio

import structlog

from capacity_pilot.core.errors import InputError, RetryableError
from capacity_pilot.core.pilot import Pilot
from capacity_pilot.core.ports import Clock, Journal
from capacity_pilot.core.snapshot import decode, encode

DOCUMENT = "pilot"

log = structlog.get_logger("capacity_pilot")


class Snapshots:
    """One pilot's, in a journal; without one nothing is kept. ``saved_at`` is the last one's time,
    ``fault`` why the last was not saved.
    """

    def __init__(self, pilot: Pilot, journal: Journal | None, *, clock: Clock) -> None:
        self.saved_at: float | None = None
        self.fault: str | None = None
        self._pilot = pilot
        self._journal = journal
        self._clock = clock

    async def save(self) -> None:
        """Made in a thread: a tick does not wait for it."""
        if self._journal is None:
            return
        memory = self._pilot.remember(self._clock.now())
        content = await asyncio.to_thread(encode, memory)
        try:
            await self._journal.save(DOCUMENT, content)
        except RetryableError as error:
            self.fault = str(error)
            log.warning("snapshot_not_saved", error=self.fault)
        else:
            self.saved_at, self.fault = memory.taken_at, None

    async def restore(self) -> None:
        """Takes up the last one; one that cannot be read is named and left aside."""
        if self._journal is None:
            return
        try:
            content = await self._journal.load(DOCUMENT)
            if content is None:
                return
            memory = await asyncio.to_thread(decode, content, self._clock.now())
        except (RetryableError, InputError) as error:
            log.warning("snapshot_left_aside", error=str(error), instead="beginning anew")
            return
        now = self._clock.now()
        self._pilot.recall(memory, now)
        self.saved_at = memory.taken_at
        log.info(
            "snapshot_restored",
            age_s=round(now - memory.taken_at, 1),
            targets=len(memory.fleet),
            bytes=len(content),
        )

    def report(self) -> dict[str, object]:
        """What ``/status`` says of it."""
        return {"snapshot": {"saved_at": self.saved_at, "fault": self.fault}}
