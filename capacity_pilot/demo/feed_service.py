"""``python -m capacity_pilot.demo.feed_service ORDERS``: the feed of one table, for one timeline.

Visits come when the timeline says (open loop): one that starts late is late, never left out.
Tells its tally and its exports as JSON lines on standard output.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from threading import Event, Lock
from typing import Any

import boto3
from botocore.config import Config
from opentelemetry.trace import SpanKind, Tracer
from pydantic import BaseModel, ConfigDict

from capacity_pilot.demo.feed_app import CapacityDetail, FeedApp
from capacity_pilot.demo.timeline import Timeline, Visit, draw_visits
from capacity_pilot.demo.tracing import Export, trace_botocore

_THREADS = 24
_TELL_EVERY_S = 0.5


class Orders(BaseModel):
    """What one feed service is to do; ``telemetry_lost_s`` counts from the start."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: str
    region: str
    endpoint_url: str
    otlp_url: str
    timeline: Timeline
    seed: int
    detail: CapacityDetail
    detail_after_push: CapacityDetail
    sample_ratio: float
    telemetry_lost_s: float | None


def main() -> int:
    """Gets ready, takes the start (Unix seconds) from standard input and serves the timeline.

    Ends early on SIGTERM or SIGINT, or when standard input ends instead of telling a start.
    """
    orders = Orders.model_validate_json(sys.argv[1])
    stopping = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    speaker = _Speaker()
    client = _connect(orders)
    speaker.tell("ready", {})
    if not (start := sys.stdin.readline()):
        return 0
    start_at = float(start)
    lost_s = orders.telemetry_lost_s
    provider = trace_botocore(
        service="school-feed",
        endpoint=orders.otlp_url,
        sample_ratio=orders.sample_ratio,
        tell=speaker.tell_export,
        lost_at=None if lost_s is None else start_at + lost_s,
    )
    push_at = start_at + orders.timeline.push_s
    app = FeedApp(
        client,
        orders.table,
        detail=lambda: orders.detail if time.time() < push_at else orders.detail_after_push,
    )
    visits = draw_visits(orders.timeline, orders.seed)
    tracer = provider.get_tracer("school-feed")
    _serve(app, visits, start_at=start_at, tracer=tracer, speaker=speaker, stopping=stopping)
    provider.shutdown()
    speaker.tell("finished", asdict(app.tally))
    return 0


class _Speaker:
    """Standard output, one whole line at a time from whichever thread."""

    def __init__(self) -> None:
        self._lock = Lock()

    def tell(self, event: str, facts: dict[str, Any]) -> None:
        line = json.dumps({"event": event, **facts})
        with self._lock:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    def tell_export(self, export: Export) -> None:
        self.tell("export", asdict(export))


def _connect(orders: Orders) -> Any:
    return boto3.client(
        "dynamodb",
        region_name=orders.region,
        endpoint_url=orders.endpoint_url,
        config=Config(
            retries={"total_max_attempts": 1}, max_pool_connections=_THREADS, tcp_keepalive=True
        ),
    )


def _serve(
    app: FeedApp,
    visits: Iterable[Visit],
    *,
    start_at: float,
    tracer: Tracer,
    speaker: _Speaker,
    stopping: Event,
) -> None:
    def open_app(visit: Visit) -> None:
        late_s = time.time() - start_at - visit.at_s
        with tracer.start_as_current_span("GET /feed", kind=SpanKind.SERVER):
            app.open(visit, late_s=late_s)

    told_at = 0.0
    with ThreadPoolExecutor(_THREADS) as threads:
        for visit in visits:
            if stopping.wait(max(start_at + visit.at_s - time.time(), 0.0)):
                threads.shutdown(cancel_futures=True)
                return
            threads.submit(open_app, visit)
            if time.time() - told_at >= _TELL_EVERY_S:
                told_at = time.time()
                speaker.tell("tally", asdict(app.tally))


if __name__ == "__main__":
    sys.exit(main())
