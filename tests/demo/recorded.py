"""A recording made by hand: a surge of one target, told second by second."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from capacity_pilot.core.model import Resource, ScalableTarget
from capacity_pilot.demo.recording import Gauge, Reading, Recording, Snapshot, Truth
from capacity_pilot.demo.tables import FEED, TWIN, list_targets

START_AT = 1_800_000_000.0
PUSH_S = 10.0


def make_recording() -> Recording:
    return Recording(start_at=START_AT, push_at=START_AT + PUSH_S)


def snapshot(
    at_s: float,
    *,
    attempted: float,
    provisioned: int = 100,
    requested: int | None = None,
    refusals: float = 0.0,
    twin_refusals: float = 0.0,
) -> Snapshot:
    """All targets of a table alike; the twin stays at 100 units."""
    targets: dict[ScalableTarget, Truth] = {}
    for target in list_targets(FEED):
        targets[target] = _truth(attempted, provisioned, requested, refusals)
        twin = ScalableTarget(Resource(TWIN, target.resource.index), target.dimension)
        targets[twin] = _truth(attempted, 100, None, twin_refusals)
    return Snapshot(START_AT + at_s, targets)


def _truth(attempted: float, provisioned: int, requested: int | None, refusals: float) -> Truth:
    return Truth(
        provisioned=provisioned,
        requested=requested,
        attempted=attempted,
        throttled=refusals,
        refusals=refusals,
        cloudwatch=None,
        cloudwatch_from=None,
    )


def reading(at_s: float, *, demand: float | None, dry_in_s: float | None = None) -> Reading:
    gauges = {target: Gauge(demand, dry_in_s) for target in list_targets(FEED)}
    return Reading(START_AT + at_s, gauges)


def pilot_line(at_s: float, event: str, **facts: object) -> dict[str, object]:
    """A line as the daemon's event log has it."""
    at = datetime.fromtimestamp(START_AT + at_s, UTC).isoformat()
    return {"at": at, "event": event, "level": "info", **facts}


def decision(at_s: float, *, units: int, reasons: Sequence[str]) -> dict[str, object]:
    changes = [{"resource": FEED, "read": units, "write": units}]
    return pilot_line(
        at_s, "decision", table=FEED, direction="out", changes=changes, reasons=list(reasons)
    )


def actuation(at_s: float, *, outcome: str = "requested") -> dict[str, object]:
    return pilot_line(
        at_s,
        "actuation",
        table=FEED,
        direction="out",
        outcome=outcome,
        sent=[],
        after_decision_s=0.02,
        message=None,
    )


def tally(
    *, requests: int, throttled: int, failed: int = 0, event: str = "tally"
) -> dict[str, object]:
    return {
        "event": event,
        "visits": requests // 3,
        "requests": requests,
        "throttled": throttled,
        "failed": failed,
        "max_lateness_s": 0.02,
        "last_failure": "no route" if failed else None,
    }


def export(*, sent_s: float, newest_end_s: float, was_taken: bool = True) -> dict[str, object]:
    return {
        "event": "export",
        "sent_at": START_AT + sent_s,
        "newest_end_at": START_AT + newest_end_s,
        "spans": 10,
        "was_taken": was_taken,
    }
