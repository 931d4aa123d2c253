"""Brakes over a restart: what is in force as one document, what was done as records."""

from __future__ import annotations

import hashlib

import structlog
from pydantic import ValidationError

from capacity_pilot.core.brakes import Brake, Brakes, OverrideInForce
from capacity_pilot.core.errors import JournalError, RetryableError
from capacity_pilot.core.ports import Journal
from capacity_pilot.core.record import Record, RecordKind, first_id
from capacity_pilot.daemon.brake_rendering import render_brake

DOCUMENT = "brakes"

log = structlog.get_logger("capacity_pilot")


class BrakeKeeping:
    """Keeps brakes in a journal; without one only the log is told."""

    def __init__(self, journal: Journal | None) -> None:
        self._journal = journal

    async def read(self) -> Brakes:
        """What was in force when the last process ended.

        Raises ``JournalError`` where that cannot be read: to go on as if nothing had been frozen
        is worse than not to begin.
        """
        content = None if self._journal is None else await self._journal.load(DOCUMENT)
        if content is None:
            return Brakes()
        try:
            return Brakes.model_validate_json(content)
        except ValidationError as error:
            raise JournalError(f"the freezes and overrides kept cannot be read: {error}") from error

    async def note(
        self, kind: RecordKind, brake: Brake, brakes: Brakes, *, by: str, why: str, now: float
    ) -> list[str]:
        """Writes down what happened to ``brake`` and that ``brakes`` are left, as warnings what
        went wrong.
        """
        what = render_brake(brake, now)
        log.info(kind.value, **what | {"by": by, "why": why})
        if self._journal is None:
            return []
        record = Record(
            id=f"{first_id(now)}-{hashlib.sha256(repr((kind, what)).encode()).hexdigest()[:8]}",
            at=now,
            kind=kind,
            table=brake.table if isinstance(brake, OverrideInForce) else "",
            body={"what": what, "by": by, "why": why},
        )
        try:
            await self._journal.save(DOCUMENT, brakes.model_dump_json().encode())
            await self._journal.append([record])
        except RetryableError as error:
            log.warning("brakes_not_kept", error=str(error))
            return [f"done, but not written down, so that a restart undoes it: {error}"]
        return []
