"""One pilot as a process: its loop, its jobs, its clock, and its end at any point."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from capacity_pilot.adapters.agenda import RunningAgenda
from capacity_pilot.adapters.aws.dynamodb import DynamoDbGateway
from capacity_pilot.adapters.journal.sqlite import SqliteJournal
from capacity_pilot.adapters.otlp.estimate import Estimator
from capacity_pilot.adapters.otlp.harvest import Harvest
from capacity_pilot.adapters.otlp.intake import Intake
from capacity_pilot.core.model import AccountLimits
from capacity_pilot.core.pilot import Pilot
from capacity_pilot.daemon.announcement_keeping import AnnouncementKeeping
from capacity_pilot.daemon.bookkeeping import Bookkeeper
from capacity_pilot.daemon.brake_desk import BrakeDesk
from capacity_pilot.daemon.control_loop import ControlLoop, Surroundings
from capacity_pilot.daemon.coverage_watch import CoverageWatch
from capacity_pilot.daemon.schedule import Job, run_jobs
from capacity_pilot.daemon.snapshots import Snapshots
from capacity_pilot.daemon.succession import Estate, Succession
from capacity_pilot.daemon.tenure import Tenure
from tests.chaos.aws import Account, Call, Client
from tests.chaos.cloudwatch import Minutes
from tests.chaos.diary import Diary
from tests.chaos.schedule import Schedule
from tests.chaos.telemetry import News
from tests.chaos.virtual_time import VirtualLoop

TICK_S, DESCRIBE_S, DISCOVER_S, CLOUDWATCH_S, SNAPSHOT_S = 1.0, 30.0, 60.0, 20.0, 60.0
_APPLY_TIME_S = 30.0


class MachineClock:
    """Unix seconds as a machine has them, ``off_by_s`` from what they are."""

    def __init__(self, account: Account) -> None:
        self.off_by_s = 0.0
        self._account = account

    def now(self) -> float:
        return self._account.now + self.off_by_s


Watch = Callable[["PilotProcess", str, Call | None], None]
"""Told of every point a process passes: of calls, of records, and of a ``tick`` that is over."""


class PilotProcess:
    """Runs from ``start`` until ``kill``, after which nothing it does has any effect.

    ``place`` is the machine it runs on: processes of one follow each other, with its clock and its
    journal. ``failures`` are errors that would have ended the daemon.
    """

    def __init__(
        self,
        number: int,
        schedule: Schedule,
        *,
        place: int,
        account: Account,
        clock: MachineClock,
        loop: VirtualLoop,
        minutes: Minutes | None,
        journal: SqliteJournal,
        watch: Watch,
    ) -> None:
        self.number, self.place = number, place
        self.is_alive = True
        self.is_ticking = False
        self.failures: list[BaseException] = []
        self.ticked_at = loop.time()
        self.intake = Intake()
        self._schedule = schedule
        self._clock = clock
        self._loop = loop
        self._watch = watch
        self._tasks: set[asyncio.Task[None]] = set()
        self.diary = Diary(
            journal,
            is_full=lambda: any(loop.time() in disk for disk in schedule.bad_disks),
            is_alive=lambda: self.is_alive,
            notice=lambda point: self._note(point, None),
        )
        client: Any = Client(account, loop, process=number, notice=self._note_call)
        self._book = Bookkeeper(self.diary, clock=clock)
        self._tenure = Tenure(None)
        gateway = DynamoDbGateway(client, clock=clock, book=self._book)
        agenda = RunningAgenda(schedule.policies())
        pilot = Pilot(
            schedule.policies(),
            limits=AccountLimits(account_read=200_000, account_write=200_000),
            apply_time_s=_APPLY_TIME_S,
            now=clock.now(),
            agenda=agenda,
            cloudwatch_usd_per_month=0.0 if minutes is None else float("inf"),
        )
        self.control = ControlLoop(
            pilot,
            Surroundings(
                gateway=gateway,
                intake=self.intake,
                item_sizes=Estimator(),
                clock=clock,
                book=self._book,
                spawn=self._spawn,
                is_active=lambda: self._tenure.is_active,
            ),
            describe_s=DESCRIBE_S,
        )
        self._snapshots = Snapshots(pilot, self.diary, clock=clock)
        keeping = AnnouncementKeeping(agenda, pilot=pilot, book=self._book, clock=clock)
        brakes = BrakeDesk(
            pilot,
            clock=clock,
            latest=lambda: self.control.last_step,
            book=self._book,
            is_active=lambda: self._tenure.is_active,
        )
        self._succession = Succession(
            Estate(
                loop=self.control,
                book=self._book,
                snapshots=self._snapshots,
                announcements=keeping,
                brakes=brakes,
            ),
            gateway=gateway,
            clock=clock,
        )
        self._coverage: CoverageWatch | None = None
        if minutes is not None:
            self._coverage = CoverageWatch(
                pilot, source=minutes, clock=clock, counts=self.control.counts
            )

    def start(self) -> None:
        """As the daemon does: reads the tables once, then begins to tick."""
        self._spawn(self._run())

    def kill(self) -> None:
        """As kill -9: nothing is put in order. The task that is running ends at its next wait."""
        self.is_alive = False
        self.diary.close()
        for task in self._tasks:
            task.cancel()

    def hear(self, news: News) -> None:
        """Takes in what spans told."""
        if self.is_alive:
            self.intake.offer(Harvest(samples=news.samples(self._schedule)), self._clock.now())

    async def _run(self) -> None:
        """As ``daemon/composition`` has it, but for listeners and signals."""
        await self.control.discover()
        self._spawn(self._book.write_on())
        await self._succession.prepare()
        keep = partial(self._tenure.keep, self._succession.take_up)
        await keep()
        self.ticked_at, self.is_ticking = self._loop.time(), True
        jobs: list[tuple[str, Job, float]] = [
            ("tick", self._tick, TICK_S),
            ("describe_due", self.control.describe_due, 1.0),
            ("discover", self.control.discover, DISCOVER_S),
            ("keep_lease", keep, 2.0),
            ("try_again", self._succession.try_again, 1.0),
            ("save", self._snapshots.save, SNAPSHOT_S),
        ]
        if self._coverage is not None:
            jobs.append(("read_cloudwatch", self._coverage.read_cloudwatch, CLOUDWATCH_S))
        with run_jobs(jobs, self.control.counts) as failure:
            await failure

    async def _tick(self) -> None:
        await self.control.tick()
        self.ticked_at = self._loop.time()
        self._note("tick", None)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._note_end)
        if not self.is_alive:
            task.cancel()
        return task

    def _note_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and self.is_alive:
            self.failures.append(error)

    def _note_call(self, how: str, call: Call) -> None:
        kind = {"DescribeTable": "describe", "UpdateTable": "update"}.get(call.operation, "other")
        self._note(f"{kind}_{how}", call)

    def _note(self, point: str, call: Call | None) -> None:
        self._watch(self, point, call)
        if not self.is_alive:
            raise asyncio.CancelledError
