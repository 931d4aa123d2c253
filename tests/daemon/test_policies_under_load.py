"""Policies exchanged while thousands of targets are ticking, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from structlog.testing import capture_logs

from capacity_pilot.adapters.agenda import RunningAgenda
from capacity_pilot.adapters.otlp.estimate import Estimator
from capacity_pilot.adapters.otlp.harvest import Harvest
from capacity_pilot.adapters.otlp.intake import Intake
from capacity_pilot.adapters.policy_sources.folder import LocalPolicies
from capacity_pilot.core.model import (
    AccountLimits,
    BillingMode,
    Dimension,
    Outcome,
    OutcomeKind,
    Plan,
    Resource,
    ResourceDescription,
    ResourceStatus,
    Sample,
    TableDescription,
)
from capacity_pilot.core.pilot import Pilot
from capacity_pilot.core.plan import MOST
from capacity_pilot.daemon.bookkeeping import Bookkeeper
from capacity_pilot.daemon.control_loop import ControlLoop, Surroundings
from capacity_pilot.daemon.policy_keeping import Followers, PolicyKeeper
from capacity_pilot.daemon.policy_versions import PolicyReader, read_first
from capacity_pilot.daemon.schedule import Job, run_jobs
from tests.chaos.virtual_time import VirtualLoop, run_virtually

TEAMS, TABLES_EACH = 20, 63
START = 1_760_000_000.0
OLD, NEW = 300, 700


class VirtualClock:
    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now(self) -> float:
        return START + self._loop.time()


@dataclass
class Fleet:
    """Tables with an index each, all at ``units``, which nothing changes."""

    clock: VirtualClock
    units: int = OLD
    actuated: list[Plan] = field(default_factory=list)

    async def list_tables(self) -> tuple[str, ...]:
        return tuple(f"team{t:02}-{n:02}" for t in range(TEAMS) for n in range(TABLES_EACH))

    async def describe(self, table: str) -> TableDescription:
        return TableDescription(
            table=table,
            billing_mode=BillingMode.PROVISIONED,
            resources=tuple(
                ResourceDescription(
                    resource=Resource(table, index),
                    status=ResourceStatus.ACTIVE,
                    read=self.units,
                    write=self.units,
                )
                for index in ("", "by-day")
            ),
            described_at=self.clock.now(),
        )

    async def limits(self) -> AccountLimits:
        return AccountLimits(account_read=10_000_000, account_write=10_000_000)

    async def actuate(self, plan: Plan) -> Outcome:
        self.actuated.append(plan)
        return Outcome(plan=plan, kind=OutcomeKind.DECREASE_QUOTA, ended_at=self.clock.now())


def write_policies(folder: Path, most: int) -> None:
    """A policy per team, in four files, with an event each."""
    for part in range(4):
        lines = ["version: 1", "policies:"]
        for team in range(part, TEAMS, 4):
            lines += [
                f"  - name: team {team}",
                f'    match: {{tables: ["team{team:02}-*"]}}',
                f"    read: {{min: 10, max: {most}}}",
                f"    write: {{min: 10, max: {most}}}",
                "    events:",
                "      - name: notice",
                '        cron: "0 8 * * MON-FRI"',
                "        timezone: Asia/Seoul",
                "        lasts: 20m",
                "        write: {at_least: 50}",
            ]
        (folder / f"{part}.yaml").write_text("\n".join(lines) + "\n")


@dataclass
class Seen:
    """What each tick decided by."""

    ceilings: list[set[float]] = field(default_factory=list)
    at: list[float] = field(default_factory=list)


def test_a_change_is_in_force_within_two_ticks_for_all_targets_at_once(tmp_path: Path) -> None:
    write_policies(tmp_path, OLD)
    seen = Seen()

    async def work(event_loop: VirtualLoop) -> tuple[ControlLoop, Fleet, float]:
        clock = VirtualClock(event_loop)
        fleet, intake, book = Fleet(clock), Intake(), Bookkeeper(None, clock=clock)
        source, reader = LocalPolicies(tmp_path), PolicyReader(lambda _: None)
        version = await read_first(source, reader, journal=None, now=clock.now())
        agenda = RunningAgenda(version.policies)
        pilot = Pilot(
            version.policies,
            limits=await fleet.limits(),
            apply_time_s=30.0,
            now=clock.now(),
            agenda=agenda,
        )
        spawned: set[asyncio.Task[object]] = set()

        def spawn(task: Coroutine[Any, Any, object]) -> None:
            spawned.add(event_loop.create_task(task))

        loop = ControlLoop(
            pilot,
            Surroundings(
                gateway=fleet,
                intake=intake,
                item_sizes=Estimator(),
                clock=clock,
                book=book,
                spawn=spawn,
                is_active=lambda: True,
            ),
            describe_s=30.0,
        )
        await loop.discover()
        keeper = PolicyKeeper(
            version,
            source=source,
            reader=reader,
            followers=Followers(
                loop=loop,
                agenda=agenda,
                after_change=lambda: spawn(loop.catch_up()),
                is_active=lambda: True,
            ),
            book=book,
            clock=clock,
        )

        async def tick() -> None:
            second = int(clock.now()) - 1
            demand = {
                (r.table, r.index, int(d), second): Sample(units=450.0, requests=450.0)
                for r in pilot.resources
                for d in Dimension
            }
            intake.offer(Harvest(samples=demand), clock.now())
            await loop.tick()
            seen.ceilings.append(set(pilot.bounds.ceiling.tolist()))
            seen.at.append(clock.now())

        jobs: list[tuple[str, Job, float]] = [
            ("tick", tick, 1.0),
            ("describe_due", loop.describe_due, 1.0),
            ("discover", loop.discover, 60.0),
        ]
        with run_jobs(jobs, loop.counts):
            await asyncio.sleep(8.4)
            write_policies(tmp_path, NEW)
            edited_at = clock.now()
            await keeper.reload("a test")
            await asyncio.sleep(4.0)
        return loop, fleet, edited_at

    with capture_logs():
        loop, fleet, edited_at = run_virtually(work)
    assert len(loop.pilot.fleet) == TEAMS * TABLES_EACH * 4 == 5040
    # Never a part of either set, and no tick left out.
    assert seen.ceilings == [{float(OLD)}] * 9 + [{float(NEW)}] * (len(seen.ceilings) - 9)
    assert np.diff(seen.at).tolist() == [1.0] * (len(seen.at) - 1)
    assert loop.counts["tick_missed"] == 0
    # All tables want more than they were allowed, and each is asked for what the new ones allow,
    # as many of them a tick as can be under way.
    first = {p.table: p.decided_at for p in reversed(fleet.actuated) if p.decided_at > edited_at}
    assert set(first) == set(asyncio.run(fleet.list_tables()))
    decided_at, planned = np.unique(list(first.values()), return_counts=True)
    assert decided_at[0] - edited_at <= 2.0
    assert planned.tolist() == [MOST, MOST, len(first) - 2 * MOST]
    assert np.diff(decided_at).tolist() == [1.0, 1.0]
    assert all(450 < c.write <= NEW for p in fleet.actuated for c in p.changes)
