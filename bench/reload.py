"""How long a loop over 10,000 scalable targets is held up while its policies are exchanged.

Workload: 2,500 tables with one index each, under 100 policies in ten files, each with an event. The
loop does nothing but wake up every 5 ms and note how late it is, beside the ticks a daemon would
make. One file is edited and all are reloaded, ten times: as ``capacity-pilot run`` does, with
parsing, checking and spreading in a thread. Told are the time from the reload's begin to the set
being in force, the longest time in which the loop did not get round meanwhile, and the processor
time of the exchange itself, which nothing else can run beside.

Run: python bench/reload.py
"""

from __future__ import annotations

import asyncio
import os
import tempfile

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[threads] = "1"

from pathlib import Path  # noqa: E402 - threads are set before numpy loads
from time import perf_counter, thread_time  # noqa: E402

import numpy as np  # noqa: E402
import structlog  # noqa: E402

from capacity_pilot.adapters.agenda import RunningAgenda  # noqa: E402
from capacity_pilot.adapters.clock import SystemClock  # noqa: E402
from capacity_pilot.adapters.otlp.estimate import Estimator  # noqa: E402
from capacity_pilot.adapters.otlp.intake import Intake  # noqa: E402
from capacity_pilot.adapters.policy_sources.folder import LocalPolicies  # noqa: E402
from capacity_pilot.core.model import (  # noqa: E402
    AccountLimits,
    BillingMode,
    Outcome,
    Plan,
    Resource,
    ResourceDescription,
    ResourceStatus,
    TableDescription,
)
from capacity_pilot.core.pilot import Pilot  # noqa: E402
from capacity_pilot.core.spread import Spread  # noqa: E402
from capacity_pilot.daemon.bookkeeping import Bookkeeper  # noqa: E402
from capacity_pilot.daemon.control_loop import ControlLoop, Surroundings  # noqa: E402
from capacity_pilot.daemon.policy_keeping import Followers, PolicyKeeper  # noqa: E402
from capacity_pilot.daemon.policy_versions import PolicyReader, read_first  # noqa: E402

POLICIES, FILES, TABLES, TIMES = 100, 10, 2_500, 10


class StillFleet:
    """Tables that are as they are."""

    async def list_tables(self) -> tuple[str, ...]:
        return tuple(f"team{n % POLICIES:03}-{n}" for n in range(TABLES))

    async def describe(self, table: str) -> TableDescription:
        resources = tuple(
            ResourceDescription(
                resource=Resource(table, index), status=ResourceStatus.ACTIVE, read=50, write=50
            )
            for index in ("", "by-author")
        )
        return TableDescription(
            table=table,
            billing_mode=BillingMode.PROVISIONED,
            resources=resources,
            described_at=SystemClock().now(),
        )

    async def limits(self) -> AccountLimits:
        return AccountLimits()

    async def actuate(self, plan: Plan) -> Outcome:
        raise NotImplementedError(plan)


class TimedLoop(ControlLoop):
    """Notes how long the exchange takes."""

    exchanged: list[float]

    def adopt(self, ready: Spread) -> None:
        began = thread_time()
        super().adopt(ready)
        self.exchanged.append(thread_time() - began)


def write(folder: Path, part: int, most: int) -> None:
    lines = ["version: 1", "policies:"]
    for number in range(part, POLICIES, FILES):
        lines += [
            f"  - name: team {number}",
            f'    match: {{tables: ["team{number:03}-*"]}}',
            f"    read: {{min: 1, max: {most}}}",
            f"    write: {{min: 1, max: {most}}}",
            "    risk: 10ppm",
            "    events:",
            '      - {name: notice, cron: "0 8 * * MON-FRI", timezone: Asia/Seoul}',
        ]
    (folder / f"{part}.yaml").write_text("\n".join(lines) + "\n")


async def measure(folder: Path) -> None:
    clock, book = SystemClock(), Bookkeeper(None, clock=SystemClock())
    source, reader = LocalPolicies(folder), PolicyReader(lambda _: None)
    began = perf_counter()
    version = await read_first(source, reader, journal=None, now=clock.now())
    print(f"all files parsed: {1e3 * (perf_counter() - began):.0f} ms")
    agenda = RunningAgenda(version.policies)
    pilot = Pilot(
        version.policies,
        limits=AccountLimits(),
        apply_time_s=30.0,
        now=clock.now(),
        agenda=agenda,
    )
    around = Surroundings(
        gateway=StillFleet(),
        intake=Intake(),
        item_sizes=Estimator(),
        clock=clock,
        book=book,
        spawn=lambda task: task.close(),
        is_active=lambda: False,
    )
    loop = TimedLoop(pilot, around, describe_s=3600.0)
    loop.exchanged = []
    await loop.discover()
    await loop.tick()
    followers = Followers(
        loop=loop, agenda=agenda, after_change=lambda: None, is_active=lambda: False
    )
    keeper = PolicyKeeper(
        version, source=source, reader=reader, followers=followers, book=book, clock=clock
    )
    late: list[float] = []

    async def wake() -> None:
        while True:
            slept = perf_counter()
            await asyncio.sleep(0.005)
            late.append(perf_counter() - slept - 0.005)

    waking, took, worst = asyncio.create_task(wake()), [], []
    for time in range(TIMES):
        write(folder, time % FILES, 1_000 + time)
        await asyncio.sleep(0.2)
        late.clear()
        began = perf_counter()
        await keeper.reload("a bench")
        took.append(perf_counter() - began)
        await asyncio.sleep(0.05)
        worst.append(max(late))
    waking.cancel()
    for name, times in (("in force after", took), ("held up", worst), ("exchange", loop.exchanged)):
        print(f"{name}: median {1e3 * np.median(times):.0f} ms, max {1e3 * max(times):.0f} ms")
    print(f"{len(pilot.fleet):,} targets, {len(pilot.policies.policies)} policies")


def main() -> None:
    structlog.configure(processors=[], logger_factory=structlog.ReturnLoggerFactory())
    with tempfile.TemporaryDirectory() as folder:
        for part in range(FILES):
            write(Path(folder), part, 1_000)
        asyncio.run(measure(Path(folder)))


if __name__ == "__main__":
    main()
