"""Everybody the demo needs, brought up in order and taken down in the reverse."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiobotocore.session import get_session

from capacity_pilot.demo.environment import REGION
from capacity_pilot.demo.feed_app import CapacityDetail
from capacity_pilot.demo.feed_service import Orders
from capacity_pilot.demo.options import CapacityReport, DemoOptions
from capacity_pilot.demo.processes import Child, await_line, start_child
from capacity_pilot.demo.tables import FEED, POLICY, TWIN, open_tables

APPLY_TIME_S = 3.0
"""Median of the physics server's apply times here; AWS took 1 to 6 s for changes of this size."""

_READY_WITHIN_S = 30.0
_COMPILED_WITHIN_S = 300.0
_DETAILS: dict[CapacityReport, tuple[CapacityDetail, CapacityDetail]] = {
    "indexes": ("INDEXES", "INDEXES"),
    "total": ("TOTAL", "TOTAL"),
    "none": ("NONE", "NONE"),
    "none-after-warm-up": ("INDEXES", "NONE"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everyone is ready; the feeds wait to be told when to start."""

    state_url: str
    status_url: str
    physics: Child
    pilot: Child
    feeds: dict[str, Child]

    @property
    def children(self) -> tuple[Child, ...]:
        return (self.physics, self.pilot, *self.feeds.values())


@asynccontextmanager
async def open_stage(options: DemoOptions, tell: Callable[[str], None]) -> AsyncIterator[Stage]:
    """Starts physics, tables, daemon and feeds; raises ``ChildError`` if one fails to come up."""
    async with AsyncExitStack() as stack:
        tell("starting the physics server in place of DynamoDB")
        physics, url = await _start_physics(stack, options)
        tell(f"creating tables {FEED} and {TWIN}, alike but for the policy")
        await _create_tables(url)
        tell(
            "starting capacity-pilot run --mode active, and both feed services "
            "(the first start on a machine compiles for up to a minute)"
        )
        pilot, otlp_url, health_url = await _start_pilot(stack, url)
        feeds = {
            table: await _start_feed(stack, table, url, otlp_url, options) for table in (FEED, TWIN)
        }
        await asyncio.gather(
            *(
                await_line(
                    feed, lambda line: line.get("event") == "ready", timeout_s=_READY_WITHIN_S
                )
                for feed in feeds.values()
            )
        )
        yield Stage(
            state_url=f"{url}/_physics/state",
            status_url=f"{health_url}/status",
            physics=physics,
            pilot=pilot,
            feeds=feeds,
        )


async def _start_physics(stack: AsyncExitStack, options: DemoOptions) -> tuple[Child, str]:
    """Burst buckets start empty, as just after an earlier rush, and fill with what is unused."""
    arguments = ["-m", "capacity_pilot.simulator.physics", "--port", "0", "--region", REGION]
    arguments += ["--initial-burst-seconds", "0", "--apply-median", str(APPLY_TIME_S)]
    arguments += ["--seed", str(options.seed)]
    child = await stack.enter_async_context(start_child("the physics server", arguments))
    line = await await_line(child, lambda line: "url" in line, timeout_s=_READY_WITHIN_S)
    return child, line["url"]


async def _create_tables(url: str) -> None:
    async with get_session().create_client(
        "dynamodb", region_name=REGION, endpoint_url=url
    ) as client:
        await open_tables(client)


async def _start_pilot(stack: AsyncExitStack, url: str) -> tuple[Child, str, str]:
    """The daemon as an operator runs it; returns it with its OTLP and health addresses."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="capacity-pilot-demo-")))
    policy = folder / "policy.yaml"
    policy.write_text(POLICY)
    arguments = ["-c", "from capacity_pilot.cli import main; main()", "run", "--mode", "active"]
    arguments += ["--policy", str(policy), "--region", REGION, "--endpoint-url", url]
    arguments += [
        "--journal",
        str(folder / "capacity-pilot.db"),
        "--grpc-port",
        "0",
        "--http-port",
        "0",
        "--health-port",
        "0",
    ]
    arguments += ["--tick-s", "0.5", "--describe-s", "5", "--apply-time-s", str(APPLY_TIME_S)]
    child = await stack.enter_async_context(start_child("capacity-pilot run", arguments))
    line = await await_line(
        child, lambda line: line.get("event") == "ready", timeout_s=_COMPILED_WITHIN_S
    )
    return child, line["otlp_http"], line["health"]


async def _start_feed(
    stack: AsyncExitStack, table: str, url: str, otlp_url: str, options: DemoOptions
) -> Child:
    before, after = _DETAILS[options.report]
    orders = Orders(
        table=table,
        region=REGION,
        endpoint_url=url,
        otlp_url=otlp_url,
        timeline=options.timeline,
        seed=options.seed,
        detail=before,
        detail_after_push=after,
        sample_ratio=options.sample_ratio,
        telemetry_lost_s=options.collector_lost_s,
    )
    arguments = ["-m", "capacity_pilot.demo.feed_service", orders.model_dump_json()]
    return await stack.enter_async_context(start_child(f"the feed service of {table}", arguments))
