"""A process' journal: the real one, in a file that outlives it, on a disk that may be full, or in
the table that pilots share.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from capacity_pilot.adapters.journal.sqlite import SqliteJournal
from capacity_pilot.adapters.scaling_holds import DOCUMENT as HOLDS
from capacity_pilot.core.errors import JournalError
from capacity_pilot.core.ports import Journal
from capacity_pilot.core.record import Record, RecordKind

_FULL = JournalError("database or disk is full")


class Diary:
    """``Journal``: ``inner``, as long as ``is_full`` says no and ``is_alive`` says yes.

    ``written`` are the records it made durable, ``calls`` the calls among them by id; ``notice`` is
    told when a call, an answer or what is held of registrations has become so.
    """

    def __init__(
        self,
        inner: Journal,
        *,
        is_full: Callable[[], bool],
        is_alive: Callable[[], bool],
        notice: Callable[[str], None],
    ) -> None:
        self.calls: dict[str, Record] = {}
        self.written: list[Record] = []
        self._inner = inner
        self._is_full = is_full
        self._is_alive = is_alive
        self._notice = notice

    async def append(self, records: Sequence[Record]) -> None:
        self._write()
        await self._inner.append(records)
        self.written += records
        for record in records:
            if record.kind is RecordKind.CALL:
                self.calls[record.id] = record
                self._notice("call_recorded")
            elif record.kind is RecordKind.ANSWER:
                self._notice("answer_recorded")

    async def unanswered(self) -> tuple[Record, ...]:
        return await self._inner.unanswered()

    async def read(self, *, since: float, table: str | None = None) -> tuple[Record, ...]:
        return await self._inner.read(since=since, table=table)

    async def save(self, name: str, content: bytes) -> None:
        self._write()
        await self._inner.save(name, content)
        if name == HOLDS:
            self._notice("holds_kept")

    async def load(self, name: str) -> bytes | None:
        return await self._inner.load(name)

    async def prune(self, before: float) -> None:
        self._write()
        await self._inner.prune(before)

    def close(self) -> None:
        """As the end of a process does to a file."""
        if isinstance(self._inner, SqliteJournal):
            self._inner._close()

    def _write(self) -> None:
        if not self._is_alive():
            raise asyncio.CancelledError
        if self._is_full():
            raise _FULL
