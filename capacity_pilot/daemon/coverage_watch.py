"""Reads CloudWatch's late minutes for the pilot, and tells when spans stop telling the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import structlog

from capacity_pilot.core.errors import GatewayError
from capacity_pilot.core.idle import MOST_UNWATCHED_S
from capacity_pilot.core.model import ScalableTarget
from capacity_pilot.core.pilot import Pilot
from capacity_pilot.core.ports import Clock, ConsumptionSource
from capacity_pilot.daemon.narration import name_target, render_coverage
from capacity_pilot.daemon.route_report import find_drifts, report_routes
from capacity_pilot.web.metrics import Metric

_MINUTES_BACK = int(MOST_UNWATCHED_S) // 60 + 15
"""Points cost nothing, metrics do: minutes missed or revised meanwhile come along. Where CloudWatch
could not be asked for a while, silence goes on only if all of that while is read."""

_PAUSE_S, _LONGEST_PAUSE_S = 60.0, 900.0

log = structlog.get_logger("capacity_pilot")


class CoverageWatch:
    """Call ``read_cloudwatch`` every few seconds: it asks only what is worth it by then.

    ``last_read_at`` is when CloudWatch last answered, ``fault`` why it last did not.
    """

    def __init__(
        self, pilot: Pilot, *, source: ConsumptionSource, clock: Clock, counts: Counter[str]
    ) -> None:
        self.last_read_at: float | None = None
        self.fault: str | None = None
        self._pilot = pilot
        self._source = source
        self._clock = clock
        self._counts = counts
        self._pause_s = 0.0
        self._paused_until = 0.0
        self._looked_at = clock.now()
        self._unseen: set[ScalableTarget] = set()

    async def read_cloudwatch(self) -> None:
        """Reads the minutes that are due, pauses longer and longer while that fails."""
        self._announce()
        now = self._clock.now()
        if now < self._paused_until:
            return
        queries = self._pilot.choose_readings(now)
        if not queries:
            return
        minute = int(now) // 60
        try:
            minutes = await self._source.read_minutes(
                queries, since=minute - _MINUTES_BACK, until=minute
            )
        except GatewayError as error:
            self._pause_s = min(max(2 * self._pause_s, _PAUSE_S), _LONGEST_PAUSE_S)
            self._paused_until = self._clock.now() + self._pause_s
            self.fault = str(error)
            self._counts["cloudwatch_failures"] += 1
            log.warning(
                "cloudwatch_not_read",
                error=self.fault,
                targets=len(queries),
                again_in_s=self._pause_s,
            )
            return
        self._pause_s, self.fault = 0.0, None
        self.last_read_at = self._clock.now()
        self._counts["cloudwatch_targets_read"] += len(queries)
        self._pilot.note_consumed(minutes)

    def report(self) -> dict[str, object]:
        """What ``/status`` says of it: shares of units, ``None`` where nothing is known."""
        fleet, coverage = self._pilot.fleet, self._pilot.coverage
        return {
            "cloudwatch": {"last_read_at": self.last_read_at, "fault": self.fault},
            "coverage": [render_coverage(fleet, coverage, slot) for slot in range(len(fleet))],
            **report_routes(self._pilot),
        }

    def measure(self) -> Iterator[Metric]:
        """What ``/metrics`` says of the targets whose coverage is known."""
        fleet, coverage = self._pilot.fleet, self._pilot.coverage
        slots = (~np.isnan(coverage.coverage)).nonzero()[0].tolist()
        for name, told, values in (
            ("coverage_ratio", "Share of consumed units that spans tell of.", coverage.coverage),
            ("coverage_error", "Standard error of the coverage ratio.", coverage.error),
            ("demand_correction", "What units told of are multiplied by.", coverage.factor),
        ):
            yield Metric(
                name=f"capacity_pilot_{name}",
                kind="gauge",
                told=told,
                samples=[(name_target(fleet.target(slot)), values[slot]) for slot in slots],
            )
        yield Metric(
            name="capacity_pilot_cloudwatch_metrics_asked_total",
            kind="counter",
            told="Metrics asked of GetMetricData, which AWS charges for.",
            samples=[({}, float(self._source.metrics_asked))],
        )

    def _announce(self) -> None:
        """Names the targets whose coverage has changed since last looked."""
        fleet, coverage = self._pilot.fleet, self._pilot.coverage
        since, self._looked_at = self._looked_at, self._clock.now()
        for slot in (coverage.changed_at > since).nonzero()[0].tolist():
            log.warning(
                "coverage_changed",
                target=str(fleet.target(slot)),
                before=round(float(coverage.ratio_before[slot]), 3),
                after=round(float(coverage.ratio[slot]), 3),
                corrected_by=round(float(coverage.factor[slot]), 3),
            )
        for drift in find_drifts(self._pilot, since=since):
            log.warning("route_cost_changed", **drift)
        unseen = {fleet.target(slot) for slot in coverage.is_unseen.nonzero()[0].tolist()}
        for target in sorted(unseen - self._unseen):
            log.warning("consumption_unseen", target=str(target))
        self._unseen = unseen
