"""What the journal holds, and what became of a call whose answer it does not hold.

A call is recorded before it is made and its answer after it, so a call without an answer is one
during which the process ended. What it came to is read from the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from capacity_pilot.core.model import (
    BillingMode,
    Direction,
    Plan,
    Resource,
    ResourceDescription,
    TableDescription,
)


class RecordKind(StrEnum):
    """What a record tells of."""

    STARTED = "started"
    STOPPED = "stopped"
    LEASE_TAKEN = "lease_taken"
    DECIDED = "decided"  # what a table is to have that it was not to have before, and why
    CALL = "call"  # what is about to be sent, and what the table had
    ANSWER = "answer"  # how a call ended, or what it was found to have come to
    APPLIED = "applied"  # a requested change is in force, and how long that took
    REGISTERING = "registering"  # what Application Auto Scaling is about to be asked for
    REGISTERED = "registered"  # how that ended
    FOREIGN = "foreign"  # a resource was found with units that no call of ours gave it
    ANNOUNCED = "announced"
    CANCELLED = "cancelled"
    FROZEN = "frozen"
    OVERRIDDEN = "overridden"
    POLICIES_ADOPTED = "policies_adopted"  # a version is in force: its hash, and where it is from
    POLICIES_REFUSED = "policies_refused"  # a version that cannot be followed, and why
    RELEASED = "released"  # a freeze or an override is over, or was called off


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One entry. ``id`` sorts by time, ``at`` is Unix seconds, ``body`` is JSON-ready.

    ``table`` is ``""`` for what concerns no single one. ``call`` is the id of the ``CALL`` that an
    ``ANSWER`` ends, or of the ``REGISTERING`` that a ``REGISTERED`` does.
    """

    id: str
    at: float
    kind: RecordKind
    table: str = ""
    call: str | None = None
    body: Mapping[str, Any] = field(default_factory=dict)


class Verdict(StrEnum):
    """What a call without an answer came to."""

    IN_FORCE = "in_force"
    WITHOUT_EFFECT = "without_effect"
    UNKNOWN = "unknown"


def first_id(at: float) -> str:
    """Sorts before the id of every record made then or later."""
    return f"{int(at * 1e6):016d}"


def describe_call(plan: Plan, before: TableDescription | None) -> dict[str, Any]:
    """A plan as a ``CALL``'s body: what each resource is to have, and had when last read.

    A switch of the billing mode says to which, and what every resource had.
    """
    had = {} if before is None else {r.resource: r for r in before.resources}
    switch: dict[str, Any] = {}
    if plan.switch is not None:
        units = [{"index": r.index, "units": _units(had[r])} for r in had]
        switch = {"billing_mode": plan.switch.to.value, "had": units}
    return switch | {
        "direction": plan.direction.value,
        "decided_at": plan.decided_at,
        "reasons": list(plan.reasons),
        "changes": [
            {
                "index": change.resource.index,
                "to": [change.read, change.write],
                "from": _units(had.get(change.resource)),
            }
            for change in plan.changes
        ],
    }


def judge_call(call: Record, description: TableDescription | None) -> Verdict | None:
    """What a call without an answer came to, by a later reading of its table.

    ``None`` while the table is changing: it shows the old units then, whoever changes it. An
    increase sends the larger of wanted and provisioned in each dimension, a decrease the smaller,
    so it is in force where nothing is left of it to send. A switch is, where the mode is.
    """
    if description is None:
        return Verdict.UNKNOWN
    if not description.is_settled:
        return None
    if (mode := switched_to(call)) is not None:
        is_in_force = description.billing_mode is mode
        return Verdict.IN_FORCE if is_in_force else Verdict.WITHOUT_EFFECT
    shown = {r.resource: (r.read, r.write) for r in description.resources}
    changes = [
        (change, shown.get(Resource(call.table, change["index"])))
        for change in call.body["changes"]
    ]
    if all(units and _leaves_nothing(call, change["to"], units) for change, units in changes):
        return Verdict.IN_FORCE
    if all(units and list(units) == change["from"] for change, units in changes):
        return Verdict.WITHOUT_EFFECT
    return Verdict.UNKNOWN


def switched_to(call: Record) -> BillingMode | None:
    """The billing mode that a ``CALL`` asked for, ``None`` where it was about units alone."""
    mode = call.body.get("billing_mode")
    return None if mode is None else BillingMode(mode)


def count_decreases(records: Sequence[Record]) -> dict[Resource, int]:
    """How many decreases of each resource the records say were accepted.

    Of a switch to on-demand AWS counts one for each index (as measured), of one back none.
    """
    calls = {r.id: r for r in records if r.kind is RecordKind.CALL}
    counts: dict[Resource, int] = {}
    for answer in records:
        call = calls.get(answer.call or "")
        if call is None or answer.body.get("outcome") not in ("requested", Verdict.IN_FORCE):
            continue
        for index in _lowered_by(call):
            resource = Resource(call.table, index)
            counts[resource] = counts.get(resource, 0) + 1
    return counts


def _lowered_by(call: Record) -> list[str]:
    match switched_to(call):
        case BillingMode.PROVISIONED:
            return []
        case BillingMode.PAY_PER_REQUEST:
            return [had["index"] for had in call.body["had"] if had["index"]]
    is_decrease = call.body["direction"] == Direction.IN.value
    return [change["index"] for change in call.body["changes"]] if is_decrease else []


def _leaves_nothing(call: Record, wanted: Sequence[int], units: tuple[int, int]) -> bool:
    pairs = list(zip(wanted, units, strict=True))
    if call.body["direction"] == Direction.OUT.value:
        return all(to <= has for to, has in pairs)
    return all(to >= has for to, has in pairs)


def _units(description: ResourceDescription | None) -> list[int] | None:
    return None if description is None else [description.read, description.write]
