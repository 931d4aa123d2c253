"""What was lately done about a table, as JSON-ready data."""

from __future__ import annotations

import math
from collections.abc import Sequence

from capacity_pilot.core.deeds import Deed, Deeds
from capacity_pilot.core.model import CapacityChange, Dimension, Resource, ScalableTarget
from capacity_pilot.core.record import Record, RecordKind
from capacity_pilot.daemon.moments import render_time

_UNKNOWN = (None, None)


def render_last_deeds(deeds: Deeds, tables: list[str], now: float) -> dict[str, object]:
    """The last one of every table that had any."""
    last = ((table, deeds.last(table)) for table in tables)
    return {table: render_deed(deed, now) for table, deed in last if deed is not None}


def render_deed(deed: Deed, now: float) -> dict[str, object]:
    """When what was to be changed into what, why, and what came of it."""
    plan, outcome = deed.plan, deed.outcome
    before = deed.before if outcome is None or outcome.before is None else outcome.before
    had = {} if before is None else {r.resource: (r.read, r.write) for r in before.resources}
    return {
        "at": render_time(plan.decided_at),
        "s_ago": round(now - plan.decided_at, 1),
        "direction": plan.direction.value,
        "switched_to": None if plan.to is None else plan.to.value,
        "changes": [
            change
            for wanted in plan.changes
            for change in _list_changes(wanted, had.get(wanted.resource, _UNKNOWN))
        ],
        "reasons": plan.reasons,
        "outcome": _name_outcome(deed),
        "message": None if outcome is None else outcome.message or None,
        "in_force_after_s": (
            None if deed.in_force_after_s is None else round(deed.in_force_after_s, 1)
        ),
        "tries": deed.tries,
    }


def render_recorded(
    records: Sequence[Record], *, before: float, now: float
) -> list[dict[str, object]]:
    """As ``render_deed``, of what the journal holds of a table's changes decided ``before`` then,
    the latest first. ``records`` are one table's, oldest first.
    """
    answers = {r.call: r for r in records if r.kind is RecordKind.ANSWER}
    applied = [r for r in records if r.kind is RecordKind.APPLIED]
    calls = [r for r in records if r.kind is RecordKind.CALL]
    told: list[dict[str, object]] = []
    for n, call in enumerate(calls):
        if call.body["decided_at"] >= before:
            break
        until = calls[n + 1].at if n + 1 < len(calls) else math.inf
        in_force = [r.body["apply_time_s"] for r in applied if call.at <= r.at < until]
        answer = answers.get(call.id)
        told.append(
            {
                "at": render_time(call.body["decided_at"]),
                "s_ago": round(now - call.body["decided_at"], 1),
                "direction": call.body["direction"],
                "switched_to": call.body.get("billing_mode"),
                "changes": [
                    change
                    for wanted in call.body["changes"]
                    for change in _list_changes(
                        CapacityChange(
                            resource=Resource(call.table, wanted["index"]),
                            read=wanted["to"][0],
                            write=wanted["to"][1],
                        ),
                        tuple(wanted["from"] or _UNKNOWN),
                    )
                ],
                "reasons": tuple(call.body["reasons"]),
                "outcome": "unanswered" if answer is None else answer.body["outcome"],
                "message": None if answer is None else answer.body.get("message") or None,
                "in_force_after_s": round(in_force[0], 1) if in_force else None,
                "tries": 1,
            }
        )
    return told[::-1]


def _name_outcome(deed: Deed) -> str:
    if deed.outcome is not None:
        return deed.outcome.kind.value
    return "not_sent" if deed.is_over else "under_way"


def _list_changes(
    wanted: CapacityChange, had: tuple[int | None, int | None]
) -> list[dict[str, object]]:
    """One for each dimension that was to move."""
    pairs = zip(Dimension, had, (wanted.read, wanted.write), strict=True)
    return [
        {"target": str(ScalableTarget(wanted.resource, dimension)), "from": before, "to": after}
        for dimension, before, after in pairs
        if before != after
    ]
