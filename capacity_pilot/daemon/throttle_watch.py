"""Tells of refusals that no capacity ends: hot key ranges, the account's quota, on-demand maxima.

They never reach the pilot. Each is told once while it lasts, with whose requests it strikes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from capacity_pilot.core.ports import Clock
from capacity_pilot.core.throttling import Incident, ThrottleLimit
from capacity_pilot.daemon.moments import render_time
from capacity_pilot.web.metrics import Metric

LOOK_S = 5.0
LASTS_S = 300.0
"""What has not come again for as long is over: it is told anew when it does."""

_KEPT_S = 3600.0
_MOST_KEPT = 1000
_MOST_ROUTES = 20

_EVENTS = {
    ThrottleLimit.KEY_RANGE: "key_range_throttled",
    ThrottleLimit.ACCOUNT: "account_quota_throttled",
    ThrottleLimit.ON_DEMAND_MAXIMUM: "on_demand_maximum_throttled",
}
_REMEDIES = {
    ThrottleLimit.KEY_RANGE: "more capacity does not help: spread the keys or the requests",
    ThrottleLimit.ACCOUNT: "have AWS raise the account's quota",
    ThrottleLimit.ON_DEMAND_MAXIMUM: "raise the table's OnDemandThroughput, if it is to serve more",
}

log = structlog.get_logger("capacity_pilot")


class IncidentSource(Protocol):
    """Where telemetry is collected."""

    def drain_incidents(
        self,
    ) -> tuple[Mapping[Incident, float], Mapping[tuple[Incident, str], float]]: ...


@dataclass(slots=True)
class _Case:
    """Calls refused since ``began_at``, and those of each route as far as it was found."""

    began_at: float
    last_at: float
    calls: float = 0.0
    routes: Counter[str] = field(default_factory=Counter)
    is_told: bool = False


class ThrottleWatch:
    """Call ``look`` every ``LOOK_S`` seconds."""

    def __init__(self, source: IncidentSource, *, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._cases: dict[Incident, _Case] = {}
        self._ever: dict[Incident, float] = {}

    async def look(self) -> None:
        """Takes in what was refused since, and tells of what is new.

        A route comes with its request's end, so that a case without one waits for the next look.
        """
        now = self._clock.now()
        known = set(self._cases)
        incidents, routes = self._source.drain_incidents()
        for incident, calls in incidents.items():
            self._take_in(incident, calls, now)
        for (incident, route), calls in routes.items():
            case = self._cases.get(incident)
            if case is not None and (route in case.routes or len(case.routes) < _MOST_ROUTES):
                case.routes[route] += round(calls)
        for incident, case in self._cases.items():
            if not case.is_told and (case.routes or incident in known):
                case.is_told = True
                told = _render(incident, case, now)
                log.warning(_EVENTS[incident.limit], **told, remedy=_REMEDIES[incident.limit])
        for incident, case in list(self._cases.items()):
            if now - case.last_at > _KEPT_S:
                del self._cases[incident]
                self._ever.pop(incident, None)

    def report(self) -> dict[str, object]:
        """What ``/status`` says of the last hour's, the latest first."""
        now = self._clock.now()
        latest = sorted(self._cases.items(), key=lambda item: -item[1].last_at)
        return {"refused_by_other_limits": [_render(each, case, now) for each, case in latest]}

    def measure(self) -> Iterator[Metric]:
        """What ``/metrics`` says of them."""
        samples = [(_label(incident), calls) for incident, calls in self._ever.items()]
        yield Metric(
            name="capacity_pilot_calls_refused_by_other_limits_total",
            kind="counter",
            told="Calls throttled by limits that provisioned capacity does not raise, by reason.",
            samples=samples,
        )

    def _take_in(self, incident: Incident, calls: float, now: float) -> None:
        case = self._cases.get(incident)
        if case is None and len(self._cases) >= _MOST_KEPT:
            return
        if case is None or now - case.last_at > LASTS_S:
            case = self._cases[incident] = _Case(began_at=now, last_at=now)
        case.last_at = now
        case.calls += calls
        self._ever[incident] = self._ever.get(incident, 0.0) + calls


def _render(incident: Incident, case: _Case, now: float) -> dict[str, object]:
    return {
        "limit": incident.limit.value,
        "table": incident.table,
        "index": incident.index or None,
        "dimension": None if incident.dimension is None else incident.dimension.label,
        "operation": incident.operation,
        "service": incident.service,
        "routes": dict(case.routes.most_common()),
        "calls": round(case.calls, 1),
        "since": render_time(case.began_at),
        "last_s_ago": round(now - case.last_at, 1),
        "is_on": now - case.last_at <= LASTS_S,
    }


def _label(incident: Incident) -> dict[str, str]:
    return {
        "limit": incident.limit.value,
        "table": incident.table,
        "index": incident.index,
        "dimension": "" if incident.dimension is None else incident.dimension.label,
        "operation": incident.operation,
        "service": incident.service,
    }
