"""Brakes over a restart: what is in force as one document, what was done as records."""

from __future__ import annotations

import structlog
from pydantic import ValidationError

from capacity_pilot.core.brakes import Brake, Brakes, FreezeInForce, OverrideInForce
from capacity_pilot.core.errors import RetryableError
from capacity_pilot.core.record import RecordKind
from capacity_pilot.daemon.bookkeeping import Bookkeeper
from capacity_pilot.daemon.brake_rendering import render_brake

DOCUMENT = "brakes"

_DAMAGED = FreezeInForce(
    id="f-damaged",
    direction="in",
    by="capacity-pilot",
    why="the freezes and overrides kept are damaged",
    since=0.0,
    until=None,
)

log = structlog.get_logger("capacity_pilot")


class BrakeKeeping:
    """Keeps brakes in the journal; where there is none, only the log is told."""

    def __init__(self, book: Bookkeeper) -> None:
        self._book = book

    async def read(self) -> Brakes:
        """What was in force when the last holder of the lease ended.

        Raises ``RetryableError`` where that cannot be read. What is damaged may have been a freeze:
        one of the pilot's own then holds decreases, until somebody ends it.
        """
        journal = self._book.journal
        content = None if journal is None else await journal.load(DOCUMENT)
        if content is None:
            return Brakes()
        try:
            return Brakes.model_validate_json(content)
        except ValidationError as error:
            log.error("brakes_damaged", error=str(error))  # noqa: TRY400 (its trace is no help)
            return Brakes(freezes=(_DAMAGED,))

    def note(self, kind: RecordKind, brake: Brake, *, by: str, why: str, now: float) -> None:
        """Says what happened to ``brake``."""
        what = render_brake(brake, now)
        log.info(kind.value, **what | {"by": by, "why": why})
        table = brake.table if isinstance(brake, OverrideInForce) else ""
        self._book.note(kind, table, body={"what": what, "by": by, "why": why})

    async def keep(self, brakes: Brakes) -> list[str]:
        """Has a restart find ``brakes``; as warnings what went wrong."""
        if self._book.journal is None:
            return []
        try:
            await self._book.journal.save(DOCUMENT, brakes.model_dump_json().encode())
        except RetryableError as error:
            log.warning("brakes_not_kept", error=str(error))
            return [f"done, but not kept, so that a restart undoes it: {error}"]
        return []
