"""What the journal of an earlier pilot and its tables as they are now say together.

AWS's own count of decreases is the one that is decided by; where the records tell of another, or of
other units than the table has, somebody else changed it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from capacity_pilot.core.model import (
    BillingMode,
    CapacityChange,
    OutcomeKind,
    Resource,
    TableDescription,
)
from capacity_pilot.core.quota import DAY_S
from capacity_pilot.core.record import (
    Record,
    RecordKind,
    Verdict,
    count_decreases,
    judge_call,
    switched_to,
)

STILL_CHANGING_S = 900.0
"""A change takes at most so long; what is requested longer ago is in force or never will be."""

_REQUESTED = OutcomeKind.REQUESTED.value
_TAKEN = (_REQUESTED, Verdict.IN_FORCE.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A change of an earlier pilot that is still under way since ``at``; ``to`` is a switch's
    billing mode.
    """

    table: str
    changes: tuple[CapacityChange, ...]
    at: float
    to: BillingMode | None = None

    @classmethod
    def of(cls, call: Record, at: float) -> Resumed:
        """What a ``CALL`` asked for."""
        return cls(table=call.table, changes=changes_of(call), at=at, to=switched_to(call))


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """A resource that has other units, (read, write), than the last change of ours gave it."""

    resource: Resource
    ours: tuple[int, int]
    found: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Miscounted:
    """A resource of which AWS counts other decreases today than are recorded."""

    resource: Resource
    recorded: int
    counted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """``verdicts`` end calls that had no answer; ``open`` ones cannot be told of yet."""

    verdicts: tuple[tuple[Record, Verdict], ...] = ()
    open: tuple[Record, ...] = ()
    resumed: tuple[Resumed, ...] = ()
    foreign: tuple[Foreign, ...] = ()
    miscounted: tuple[Miscounted, ...] = ()


def records_since(now: float) -> float:
    """From when on ``reconcile`` wants records: today's, and of what may still be under way."""
    return min(now // DAY_S * DAY_S, now - STILL_CHANGING_S)


def tables_concerned(
    records: Iterable[Record], unanswered: Iterable[Record], now: float
) -> frozenset[str]:
    """Those that may be changing, to be read before ``reconcile``."""
    lately = (r for r in records if r.kind is RecordKind.ANSWER and r.at > now - STILL_CHANGING_S)
    return frozenset(r.table for r in (*unanswered, *lately))


def reconcile(
    records: Sequence[Record],
    unanswered: Sequence[Record],
    descriptions: Mapping[str, TableDescription | None],
    now: float,
) -> Findings:
    """``records`` are those since ``records_since``, oldest first. ``descriptions`` has ``None``
    for a table that is gone and nothing for one that could not be read: of that nothing is said.
    """
    verdicts: list[tuple[Record, Verdict]] = []
    still_open: list[Record] = []
    resumed: dict[str, Resumed] = {}
    for table, call, at in _under_way(records, now):
        description = descriptions.get(table)
        if description is not None and judge_call(call, description) is None:
            resumed[table] = Resumed.of(call, at)
    for call in unanswered:
        if call.table not in descriptions:
            still_open.append(call)
            continue
        verdict = judge_call(call, descriptions[call.table])
        if verdict is None:
            still_open.append(call)
            resumed[call.table] = Resumed.of(call, call.at)
        else:
            verdicts.append((call, verdict))
    provisioned = [
        d for d in descriptions.values() if d and d.billing_mode is BillingMode.PROVISIONED
    ]
    known = {r.resource: r for d in provisioned for r in d.resources}  # others have no units
    told = {r.id: r for r in [*records, *unanswered]} | {
        answer.id: answer for answer in (_answer(call, verdict) for call, verdict in verdicts)
    }
    unsaid = {call.table for call in still_open} | resumed.keys()
    midnight = now // DAY_S * DAY_S
    todays = [r for r in told.values() if r.kind is not RecordKind.ANSWER or r.at >= midnight]
    return Findings(
        verdicts=tuple(verdicts),
        open=tuple(still_open),
        resumed=tuple(resumed.values()),
        foreign=tuple(
            Foreign(resource=resource, ours=units, found=(seen.read, seen.write))
            for resource, units in _given(told).items()
            if resource.table not in unsaid and (seen := known.get(resource)) is not None
            if (seen.read, seen.write) != units
        ),
        miscounted=tuple(
            Miscounted(resource=resource, recorded=recorded, counted=seen.decreases_today)
            for resource, recorded in count_decreases(todays).items()
            if resource.table not in unsaid and (seen := known.get(resource)) is not None
            if seen.decreases_today != recorded
        ),
    )


def changes_of(call: Record) -> tuple[CapacityChange, ...]:
    """What a ``CALL`` asked for."""
    return tuple(
        CapacityChange(
            resource=Resource(call.table, change["index"]),
            read=change["to"][0],
            write=change["to"][1],
        )
        for change in call.body["changes"]
    )


def _under_way(records: Sequence[Record], now: float) -> list[tuple[str, Record, float]]:
    """Each table's last call that was taken and not seen in force: table, call, since when."""
    calls = {r.id: r for r in records if r.kind is RecordKind.CALL}
    last: dict[str, tuple[Record, float]] = {}
    for record in records:
        if record.kind is RecordKind.APPLIED:
            last.pop(record.table, None)
        elif record.kind is RecordKind.ANSWER and record.body.get("outcome") == _REQUESTED:
            call = calls.get(record.call or "")
            if call is not None and record.at > now - STILL_CHANGING_S:
                last[record.table] = (call, record.at)
    return [(table, call, at) for table, (call, at) in last.items()]


def _given(told: Mapping[str, Record]) -> dict[Resource, tuple[int, int]]:
    """The units that the last call taken of each resource asked for."""
    taken = [
        call
        for answer in told.values()
        if answer.kind is RecordKind.ANSWER and answer.body.get("outcome") in _TAKEN
        if (call := told.get(answer.call or "")) is not None
    ]
    return {
        change.resource: (change.read, change.write)
        for call in sorted(taken, key=lambda c: c.id)
        for change in changes_of(call)
    }


def _answer(call: Record, verdict: Verdict) -> Record:
    """As if it had been answered when it was made."""
    return Record(
        id=f"{call.id}-found",
        at=call.at,
        kind=RecordKind.ANSWER,
        table=call.table,
        call=call.id,
        body={"outcome": verdict.value},
    )
