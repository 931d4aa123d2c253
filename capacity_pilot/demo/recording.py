"""Everything the demo sees: the world's truth, the daemon's view and events, the feeds' tallies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from capacity_pilot.core.model import Dimension, Resource, ScalableTarget
from capacity_pilot.demo.processes import Line
from capacity_pilot.demo.tables import FEED


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """One scalable target in the world. ``attempted`` and ``throttled`` are units ever,
    ``refusals`` requests ever; ``requested`` is capacity that is not in force yet.
    ``cloudwatch`` is units per second in the minute CloudWatch shows, which began at
    ``cloudwatch_from``.
    """

    provisioned: int
    requested: int | None
    attempted: float
    throttled: float
    refusals: float
    cloudwatch: float | None
    cloudwatch_from: float | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The world at one moment."""

    at: float
    targets: Mapping[ScalableTarget, Truth]


@dataclass(frozen=True, slots=True)
class Gauge:
    """What the daemon makes of one target: units per second, and seconds until it throttles."""

    demand: float | None
    seconds_to_throttle: float | None


@dataclass(frozen=True, slots=True)
class Reading:
    """The daemon's ``/status`` at one moment."""

    at: float
    targets: Mapping[ScalableTarget, Gauge]


@dataclass(frozen=True, slots=True)
class PilotEvent:
    """One line of the daemon's event log."""

    at: float
    name: str
    facts: Line


@dataclass(slots=True)
class FeedReport:
    """How one feed service is doing. ``surge_sent_at`` is when the first batch left that held a
    span from after the push, ``None`` before that.
    """

    requests: int = 0
    throttled: int = 0
    failed: int = 0
    max_lateness_s: float = 0.0
    last_failure: str | None = None
    surge_sent_at: float | None = None
    spans: int = 0
    lost_spans: int = 0
    is_finished: bool = False


@dataclass(slots=True)
class Recording:
    """Grows while the demo runs; times are Unix seconds, ``push_at`` is when the rise begins."""

    start_at: float
    push_at: float
    snapshots: list[Snapshot] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    events: list[PilotEvent] = field(default_factory=list)
    feeds: dict[str, FeedReport] = field(default_factory=dict)

    def hear_pilot(self, line: Line) -> None:
        """Takes a line of the daemon's event log; lines without time or name are no events."""
        if (event := read_event(line)) is not None:
            self.events.append(event)

    def hear_feed(self, table: str, line: Line) -> None:
        """Takes a line of a feed service."""
        report = self.feeds.setdefault(table, FeedReport())
        match line.get("event"):
            case "tally" | "finished" as event:
                report.requests = line["requests"]
                report.throttled = line["throttled"]
                report.failed = line["failed"]
                report.max_lateness_s = line["max_lateness_s"]
                report.last_failure = line["last_failure"]
                report.is_finished = event == "finished"
            case "export" if line["was_taken"]:
                report.spans += line["spans"]
                if report.surge_sent_at is None and line["newest_end_at"] >= self.push_at:
                    report.surge_sent_at = line["sent_at"]
            case "export":
                report.lost_spans += line["spans"]
            case _:
                pass

    def first_update_at(self) -> float | None:
        """When the first UpdateTable after the push had been taken, as the daemon tells it."""
        return next(
            (
                event.at
                for event in self.events
                if event.name == "actuation"
                and event.facts.get("table") == FEED
                and event.facts.get("direction") == "out"
                and event.facts.get("outcome") == "requested"
                and event.at >= self.push_at
            ),
            None,
        )


def read_event(line: Line) -> PilotEvent | None:
    """An event of the daemon's log, whose ``at`` is in ISO 8601."""
    name, at = line.get("event"), line.get("at")
    if not isinstance(name, str) or not isinstance(at, str):
        return None
    return PilotEvent(datetime.fromisoformat(at).timestamp(), name, line)


def read_state(state: Mapping[str, Any]) -> Snapshot:
    """A snapshot of ``GET /_physics/state``."""
    return Snapshot(
        at=state["now"], targets={_name(entry): _read_truth(entry) for entry in state["targets"]}
    )


def _read_truth(entry: Mapping[str, Any]) -> Truth:
    requested, minute = entry["requested"], entry["cloudwatch"]
    return Truth(
        provisioned=entry["provisioned"],
        requested=None if requested is None else requested["units"],
        attempted=entry["consumed"]["units"] + entry["throttled"]["units"],
        throttled=entry["throttled"]["units"],
        refusals=entry["throttled"]["requests"],
        cloudwatch=None if minute is None else minute["consumed_sum"] / 60,
        cloudwatch_from=None if minute is None else minute["minute_starts_at"],
    )


def read_status(status: Mapping[str, Any]) -> Reading:
    """The targets in the daemon's ``GET /status``."""
    return Reading(
        at=status["now"],
        targets={
            _name(entry): Gauge(entry["demand"], entry["seconds_to_throttle"])
            for entry in status["targets"]
        },
    )


def _name(entry: Mapping[str, Any]) -> ScalableTarget:
    resource = Resource(entry["table"], entry["index"] or "")
    return ScalableTarget(resource, Dimension[entry["dimension"].upper()])
