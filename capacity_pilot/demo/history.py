"""Rates out of counters: units attempted per second, seconds in which some were refused."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from capacity_pilot.core.model import ScalableTarget
from capacity_pilot.demo.recording import Snapshot


@dataclass(frozen=True, slots=True)
class Interval:
    """Between two snapshots: units per second attempted, requests refused, capacity at the end."""

    start_at: float
    end_at: float
    demand: float
    refusals: float
    provisioned: int


def list_intervals(snapshots: Sequence[Snapshot], target: ScalableTarget) -> list[Interval]:
    """The intervals between neighbouring snapshots that know the target."""
    known = [(s.at, s.targets[target]) for s in snapshots if target in s.targets]
    return [
        Interval(
            start_at=start_at,
            end_at=end_at,
            demand=(end.attempted - start.attempted) / (end_at - start_at),
            refusals=end.refusals - start.refusals,
            provisioned=end.provisioned,
        )
        for (start_at, start), (end_at, end) in itertools.pairwise(known)
        if end_at > start_at
    ]


def mean_demand(
    snapshots: Sequence[Snapshot], target: ScalableTarget, *, from_at: float, until_at: float
) -> float | None:
    """Units per second attempted in the snapshots of a span of time; ``None`` without two."""
    inside = [s for s in snapshots if from_at <= s.at <= until_at and target in s.targets]
    if len(inside) < 2:
        return None
    first, last = inside[0], inside[-1]
    return (last.targets[target].attempted - first.targets[target].attempted) / (last.at - first.at)


def count_throttled_seconds(
    snapshots: Sequence[Snapshot], targets: Iterable[ScalableTarget]
) -> float:
    """Seconds in which any of the targets refused something, to the snapshots' resolution."""
    spans = {
        (interval.start_at, interval.end_at)
        for target in targets
        for interval in list_intervals(snapshots, target)
        if interval.refusals > 0
    }
    return sum(end - start for start, end in spans)
