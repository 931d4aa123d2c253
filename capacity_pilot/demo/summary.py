"""What the demo came to: the figures of the JSON file and of the last screen."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from capacity_pilot.core.model import ScalableTarget
from capacity_pilot.demo.history import count_throttled_seconds, list_intervals, mean_demand
from capacity_pilot.demo.recording import PilotEvent, Recording
from capacity_pilot.demo.tables import FEED, TWIN, list_targets
from capacity_pilot.demo.timeline import Timeline

_SETTLING_S = 6.0
"""Seconds of the hold left out of the sizing error: telemetry needs that long by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSummary:
    """One scalable target of the feed table; demand and capacity in units per second.

    ``measured_demand`` is what the daemon made of the spans while the rate held, ``true_demand``
    what was attempted in the same seconds, ``sizing_error`` how far the first is off.
    """

    capacity_before: int
    capacity_after: int
    peak_demand: float
    true_demand: float | None
    measured_demand: float | None
    sizing_error: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryLoss:
    """What became of capacity once no spans arrived any more."""

    at_s: float
    lost_spans: int
    capacity_at_loss: dict[str, int]
    capacity_at_end: dict[str, int]
    was_lowered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """``surge_to_update_s`` counts from when the first batch of spans from after the push left
    the feed service until the daemon had UpdateTable's answer; ``push_to_update_s`` from the
    push itself. Requests are those of one table; the other got the same.
    """

    surge_to_update_s: float | None
    push_to_update_s: float | None
    requests: int
    requests_without_pilot: int
    throttled_with_pilot: int
    throttled_without_pilot: int
    throttled_seconds_with_pilot: float
    throttled_seconds_without_pilot: float
    failed_requests: int
    last_failure: str | None
    max_lateness_s: float
    spans: int
    apply_times_s: list[float]
    targets: dict[str, TargetSummary]
    decisions: list[dict[str, Any]]
    telemetry_loss: TelemetryLoss | None

    def render(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def summarize(recording: Recording, timeline: Timeline, *, lost_at: float | None = None) -> Summary:
    """Draws the figures from a recording that is complete."""
    with_pilot, without = recording.feeds[FEED], recording.feeds[TWIN]
    updated_at = recording.first_update_at()
    return Summary(
        surge_to_update_s=_elapsed(with_pilot.surge_sent_at, updated_at),
        push_to_update_s=_elapsed(recording.push_at, updated_at),
        requests=with_pilot.requests,
        requests_without_pilot=without.requests,
        throttled_with_pilot=with_pilot.throttled,
        throttled_without_pilot=without.throttled,
        throttled_seconds_with_pilot=_throttled_seconds(recording, FEED),
        throttled_seconds_without_pilot=_throttled_seconds(recording, TWIN),
        failed_requests=with_pilot.failed + without.failed,
        last_failure=with_pilot.last_failure or without.last_failure,
        max_lateness_s=round(max(with_pilot.max_lateness_s, without.max_lateness_s), 3),
        spans=with_pilot.spans,
        apply_times_s=[
            event.facts["apply_time_s"]
            for event in recording.events
            if event.name == "capacity_applied"
        ],
        targets={
            str(target): _summarize_target(recording, timeline, target)
            for target in list_targets(FEED)
        },
        decisions=[
            _render_decision(event, recording)
            for event in recording.events
            if event.name == "decision"
        ],
        telemetry_loss=None if lost_at is None else _tell_loss(recording, lost_at),
    )


def _elapsed(start_at: float | None, end_at: float | None) -> float | None:
    return None if start_at is None or end_at is None else round(end_at - start_at, 3)


def _throttled_seconds(recording: Recording, table: str) -> float:
    return round(count_throttled_seconds(recording.snapshots, list_targets(table)), 1)


def _summarize_target(
    recording: Recording, timeline: Timeline, target: ScalableTarget
) -> TargetSummary:
    intervals = list_intervals(recording.snapshots, target)
    from_at = recording.start_at + timeline.hold_from_s + min(_SETTLING_S, timeline.hold_s / 2)
    until_at = recording.start_at + timeline.hold_until_s
    truth = mean_demand(recording.snapshots, target, from_at=from_at, until_at=until_at)
    seen = [
        gauge.demand
        for reading in recording.readings
        if from_at <= reading.at <= until_at
        and (gauge := reading.targets.get(target)) is not None
        and gauge.demand is not None
    ]
    measured = sum(seen) / len(seen) if seen else None
    error = None if not truth or measured is None else measured / truth - 1.0
    return TargetSummary(
        capacity_before=intervals[0].provisioned,
        capacity_after=intervals[-1].provisioned,
        peak_demand=round(max(interval.demand for interval in intervals), 1),
        true_demand=None if truth is None else round(truth, 1),
        measured_demand=None if measured is None else round(measured, 1),
        sizing_error=None if error is None else round(error, 3),
    )


def _render_decision(event: PilotEvent, recording: Recording) -> dict[str, Any]:
    return {
        "at_s": round(event.at - recording.start_at, 3),
        "after_push_s": round(event.at - recording.push_at, 3),
        "direction": event.facts["direction"],
        "changes": event.facts["changes"],
        "reasons": event.facts["reasons"],
    }


def _tell_loss(recording: Recording, lost_at: float) -> TelemetryLoss:
    after = [s for s in recording.snapshots if s.at >= lost_at]
    series: Mapping[str, list[int]] = {
        str(target): [s.targets[target].provisioned for s in after] for target in list_targets(FEED)
    }
    return TelemetryLoss(
        at_s=round(lost_at - recording.start_at, 1),
        lost_spans=recording.feeds[FEED].lost_spans,
        capacity_at_loss={name: units[0] for name, units in series.items() if units},
        capacity_at_end={name: units[-1] for name, units in series.items() if units},
        was_lowered=any(
            later < earlier
            for units in series.values()
            for earlier, later in itertools.pairwise(units)
        ),
    )
