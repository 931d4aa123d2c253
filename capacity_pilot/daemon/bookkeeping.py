"""What is decided and done, made durable beside the loop: nothing waits for it but what must.

Records are written in order by one task. While the journal cannot be written they are kept in
memory, so many at most, and written once it can. Meanwhile increases go out all the same, since
one that waits throttles and one that is sent twice changes nothing; decreases wait, since all they
can lose is money.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import structlog

from capacity_pilot.core.auto_scaling import Registration
from capacity_pilot.core.errors import JournalError, LeaseError
from capacity_pilot.core.model import (
    Direction,
    OutcomeKind,
    Plan,
    ScalableTarget,
    TableDescription,
)
from capacity_pilot.core.ports import Clock, Journal
from capacity_pilot.core.record import (
    Record,
    RecordKind,
    Verdict,
    describe_call,
    first_id,
    judge_call,
)

MOST_WAITING = 10_000
"""Of a few hundred bytes each. The oldest go first."""

_AT_ONCE = 100
_PATIENCE_S = 1.0
"""So long a call waits for its record, of the five seconds it is good for. Nothing else is decided
of the table meanwhile."""

_AGAIN_S = 1.0
_NOT_SENT = "not_sent"

Fault = JournalError | LeaseError

_TOO_SLOW = JournalError(f"the call was not recorded within {_PATIENCE_S:g} s")

log = structlog.get_logger("capacity_pilot")


@dataclass(frozen=True, slots=True)
class _Entry:
    """``written`` comes to what kept the record from being written, ``None`` once it is durable."""

    record: Record
    written: asyncio.Future[Fault | None]


@dataclass(frozen=True, slots=True)
class _OpenCall:
    """A call whose answer is not known. ``ended_at`` is when it was given up."""

    record: Record
    ended_at: float


class Bookkeeper:
    """The daemon's ``CallBook``, and its hand on the journal. ``None`` for one keeps no books.

    ``counts`` are the whole daemon's. ``fault`` is why the journal could not be written when last
    tried. Until ``is_reconciled``, what earlier calls came to is not known, and no decrease is
    opened.
    """

    def __init__(self, journal: Journal | None, *, clock: Clock) -> None:
        self.journal = journal
        self.counts: Counter[str] = Counter()
        self.fault: str | None = None
        self.is_reconciled = journal is None
        self._clock = clock
        self._process = uuid.uuid4().hex[:8]
        self._made = 0
        self._waiting: deque[_Entry] = deque()
        self._news = asyncio.Event()
        self._open: dict[str, list[_OpenCall]] = {}

    def note(
        self,
        kind: RecordKind,
        table: str = "",
        *,
        call: str | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> asyncio.Future[Fault | None]:
        """Has it written in its turn; what it gives need not be waited for."""
        return self._enqueue(self._make(kind, table, call=call, body=body or {}))

    async def open_call(self, plan: Plan, before: TableDescription) -> Record:
        """See ``CallBook``. What is recorded too late is recorded all the same.

        A switch to on-demand waits as a decrease does: only its record says what to come back to.
        """
        call = self._make(RecordKind.CALL, plan.table, body=describe_call(plan, before))
        has_to_be_recorded = plan.direction is Direction.IN or plan.switch is not None
        if has_to_be_recorded and not self.is_reconciled:
            raise JournalError("what became of earlier calls could not be read: no decrease yet")
        written = self._enqueue(call)
        await asyncio.wait((written,), timeout=_PATIENCE_S)
        fault = written.result() if written.done() else _TOO_SLOW
        if fault is None:
            return call
        if has_to_be_recorded or isinstance(fault, LeaseError):
            self.close_call(call, None, str(fault))
            raise fault
        self.counts["calls_sent_before_recorded"] += 1
        return call

    async def open_registration(
        self, target: ScalableTarget, asked: Mapping[str, object], found: Registration | None
    ) -> Record:
        """See ``RegistrationBook``."""
        had = None if found is None else {"minimum": found.minimum, **asdict(found.suspension)}
        body = {"target": str(target), "from": had, "to": dict(asked)}
        call = self._make(RecordKind.REGISTERING, target.resource.table, body=body)
        written = self._enqueue(call)
        await asyncio.wait((written,), timeout=_PATIENCE_S)
        if written.done() and isinstance(fault := written.result(), LeaseError):
            raise fault
        return call

    def close_registration(self, call: Record, outcome: str, message: str) -> None:
        """See ``RegistrationBook``."""
        body = {"target": call.body["target"], "outcome": outcome}
        said = {"message": message} if message else {}
        self.note(RecordKind.REGISTERED, call.table, call=call.id, body=body | said)

    def close_call(self, call: Record, kind: OutcomeKind | None, message: str) -> None:
        """See ``CallBook``. A call without an answer stays open until its table tells."""
        if kind is OutcomeKind.UNKNOWN:
            self.reopen(call, self._clock.now())
            return
        body = {"outcome": _NOT_SENT if kind is None else kind.value}
        self._answer(call, body | ({"message": message} if message else {}))

    def reopen(self, call: Record, ended_at: float) -> None:
        """An answer to it is not known, and no longer awaited since then."""
        self._open.setdefault(call.table, []).append(_OpenCall(call, ended_at))

    def see(self, table: str, description: TableDescription | None) -> None:
        """A table as it is now, ``None`` if it is gone: closes the open calls of which it tells."""
        for waiting in self._open.pop(table, ()):
            seen_at = waiting.ended_at if description is None else description.described_at
            verdict = None
            if seen_at >= waiting.ended_at:
                verdict = judge_call(waiting.record, description)
            if verdict is None:
                self.reopen(waiting.record, waiting.ended_at)
            else:
                self.settle(waiting.record, verdict)

    def settle(self, call: Record, verdict: Verdict) -> None:
        """What a call without an answer has come to."""
        log.info("call_settled", table=call.table, call=call.id, verdict=verdict.value)
        self._answer(call, {"outcome": verdict.value})

    async def write_on(self) -> None:
        """Writes until cancelled."""
        while True:
            await self._news.wait()
            if not await self._write_some():
                await asyncio.sleep(_AGAIN_S)

    async def flush(self, *, within_s: float) -> None:
        """Waits until all is written, or cannot be."""
        if self._waiting:
            await asyncio.wait((self._waiting[-1].written,), timeout=within_s)
        if self._waiting:
            log.warning("records_lost", records=len(self._waiting), error=self.fault)

    def is_own(self, record: Record) -> bool:
        """True of what this process has recorded."""
        return f"-{self._process}-" in record.id

    async def prune(self, keep_s: float) -> None:
        """Forgets what was recorded longer ago."""
        if self.journal is None:
            return
        try:
            await self.journal.prune(self._clock.now() - keep_s)
        except JournalError as error:
            log.warning("journal_not_pruned", error=str(error))

    def report(self) -> dict[str, object]:
        """What ``/status`` says of it."""
        return {
            "journal": {
                "state": "none" if self.journal is None else "degraded" if self.fault else "ok",
                "fault": self.fault,
                "waiting_records": len(self._waiting),
                "calls_without_answer": sum(map(len, self._open.values())),
            }
        }

    def _make(
        self, kind: RecordKind, table: str, *, body: Mapping[str, Any], call: str | None = None
    ) -> Record:
        now = self._clock.now()
        self._made += 1
        name = f"{first_id(now)}-{self._process}-{self._made:06d}"
        return Record(id=name, at=now, kind=kind, table=table, call=call, body=body)

    def _answer(self, call: Record, body: Mapping[str, Any]) -> None:
        self.note(RecordKind.ANSWER, call.table, call=call.id, body=body)

    def _enqueue(self, record: Record) -> asyncio.Future[Fault | None]:
        written: asyncio.Future[Fault | None] = asyncio.get_running_loop().create_future()
        if self.journal is None:
            written.set_result(None)
            return written
        if len(self._waiting) >= MOST_WAITING:
            _tell([self._waiting.popleft()], JournalError(f"{MOST_WAITING} records are waiting"))
            self.counts["records_lost"] += 1
        self._waiting.append(_Entry(record, written))
        self._news.set()
        return written

    async def _write_some(self) -> bool:
        """Writes the oldest that wait; false where they have to wait on."""
        assert self.journal is not None  # noqa: S101 (nothing waits without one)
        entries = [self._waiting[n] for n in range(min(len(self._waiting), _AT_ONCE))]
        try:
            await self.journal.append([entry.record for entry in entries])
        except JournalError as error:
            self._note_fault(str(error))
            _tell(entries, error)
            return False
        except LeaseError as error:
            # Another pilot's by now, and so are the tables: these calls are not to be recorded.
            calls = [entry for entry in entries if entry.record.kind is RecordKind.CALL]
            self._remove(calls)
            _tell(calls, error)
            return bool(calls)
        self._note_fault(None)
        self._remove(entries)
        _tell(entries, None)
        return True

    def _remove(self, entries: Iterable[_Entry]) -> None:
        gone = {entry.record.id for entry in entries}
        self._waiting = deque(e for e in self._waiting if e.record.id not in gone)
        if not self._waiting:
            self._news.clear()

    def _note_fault(self, fault: str | None) -> None:
        if fault is not None and self.fault is None:
            log.error("journal_not_written", error=fault, decreases="held", increases="sent")
        if fault is None and self.fault is not None:
            log.info("journal_written_again")
        self.fault = fault


def _tell(entries: Iterable[_Entry], fault: Fault | None) -> None:
    for entry in entries:
        if not entry.written.done():
            entry.written.set_result(fault)
