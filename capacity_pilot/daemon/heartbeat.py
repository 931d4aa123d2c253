"""The dead man's switch: a heartbeat for as long as capacity is really looked after.

An alarm on its absence starts ``capacity-pilot hand-back``. So it says more than that a process
runs: it has the lease, it decides, and AWS answers what it asks of tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol

import structlog

from capacity_pilot.core.errors import GatewayError
from capacity_pilot.core.ports import Clock

BEAT_S = 60.0
"""Once a minute costs $0.44 a month in calls ($0.01 per 1,000 PutMetricData requests), and the
metric $0.30 (CloudWatch pricing, us-east-1, 2026)."""

_DECIDES_S = 15.0
_READS_S = 180.0

log = structlog.get_logger("capacity_pilot")


class Pulse(Protocol):
    """Where a heartbeat goes; raises ``GatewayError`` where it cannot."""

    async def beat(self) -> None: ...


class Heartbeat:
    """Call ``beat`` every ``BEAT_S``. ``may_send`` is whether a change may be on its way now,
    ``decided_at`` when last a tick was made and ``read_at`` when a table was last read, in Unix
    seconds, ``None`` for never.
    """

    def __init__(
        self,
        pulse: Pulse,
        *,
        clock: Clock,
        counts: Counter[str],
        may_send: Callable[[], bool],
        decided_at: Callable[[], float | None],
        read_at: Callable[[], float | None],
    ) -> None:
        self.fault: str | None = None
        self._pulse = pulse
        self._clock = clock
        self._counts = counts
        self._may_send = may_send
        self._decided_at = decided_at
        self._read_at = read_at

    async def beat(self) -> None:
        """One heartbeat, if there is reason for it."""
        self.fault = self._find_fault()
        if self.fault is None:
            try:
                await self._pulse.beat()
            except GatewayError as error:
                self.fault = str(error)
                log.warning("heartbeat_not_sent", error=self.fault)
            else:
                self._counts["heartbeats"] += 1

    def report(self) -> dict[str, object]:
        """What ``/status`` says of it: why the last one was not sent."""
        return {"heartbeat": {"fault": self.fault}}

    def _find_fault(self) -> str | None:
        if not self._may_send():
            return "capacity is not this pilot's to change"
        now = self._clock.now()
        for what, at, within_s in (
            ("no tick", self._decided_at(), _DECIDES_S),
            ("no table was read", self._read_at(), _READS_S),
        ):
            if at is None or not now - at <= within_s:
                return f"{what} for {within_s:g} s"
        return None
