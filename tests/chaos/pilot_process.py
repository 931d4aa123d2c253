"""One pilot as a process: its loop, its jobs, its clock, and its end at any point."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any

from capacity_pilot.adapters.agenda import RunningAgenda
from capacity_pilot.adapters.aws.auto_scaling import AutoScalingClient, NoAutoScaling
from capacity_pilot.adapters.aws.cloudwatch import CloudWatchReader
from capacity_pilot.adapters.aws.dynamodb import SENT_WITHIN_S, DynamoDbGateway
from capacity_pilot.adapters.aws.heartbeat import CloudWatchPulse
from capacity_pilot.adapters.aws.recorded_scaling import RecordedAutoScaling
from capacity_pilot.adapters.aws.registrations import Registrations
from capacity_pilot.adapters.journal.dynamodb import DynamoDbJournal
from capacity_pilot.adapters.lease import KEEP_S, DynamoDbLease
from capacity_pilot.adapters.otlp.estimate import Estimator
from capacity_pilot.adapters.otlp.harvest import Harvest
from capacity_pilot.adapters.otlp.intake import Intake
from capacity_pilot.adapters.policy_sources.texts import FixedText, PolicyText, PolicyTexts
from capacity_pilot.adapters.scaling_holds import KeptHolds
from capacity_pilot.core.model import AccountLimits
from capacity_pilot.core.pilot import Pilot
from capacity_pilot.core.ports import AutoScaling, Journal
from capacity_pilot.daemon.announcement_keeping import AnnouncementKeeping
from capacity_pilot.daemon.bookkeeping import Bookkeeper
from capacity_pilot.daemon.brake_desk import BrakeDesk
from capacity_pilot.daemon.control_loop import ControlLoop, Surroundings
from capacity_pilot.daemon.coverage_watch import CoverageWatch
from capacity_pilot.daemon.driving import route_tables
from capacity_pilot.daemon.heartbeat import BEAT_S, Heartbeat
from capacity_pilot.daemon.policy_keeping import Followers, PolicyKeeper
from capacity_pilot.daemon.policy_versions import PolicyReader
from capacity_pilot.daemon.quota_watch import ASK_S, QuotaWatch
from capacity_pilot.daemon.scaling_watch import WATCH_S, ScalingWatch
from capacity_pilot.daemon.schedule import Job, run_jobs
from capacity_pilot.daemon.snapshots import Snapshots
from capacity_pilot.daemon.succession import Estate, Succession
from capacity_pilot.daemon.tag_watch import WATCH_S as TAGS_S
from capacity_pilot.daemon.tag_watch import TagWatch
from capacity_pilot.daemon.tenure import Tenure
from tests.chaos import state_table
from tests.chaos.aws import Account, Call
from tests.chaos.clients import CloudWatchClient, ScalingClient, StoreClient, TablesClient
from tests.chaos.diary import Diary
from tests.chaos.schedule import Schedule
from tests.chaos.telemetry import News
from tests.chaos.virtual_time import VirtualLoop, begin_context

TICK_S, DESCRIBE_S, DISCOVER_S, CLOUDWATCH_S, SNAPSHOT_S = 1.0, 30.0, 60.0, 20.0, 60.0
_APPLY_TIME_S = 30.0
_IN_FLIGHT_GRACE_S = 8.0
_KEEP_RECORDS_S = 86_400.0
_KINDS = {
    "DescribeTable": "describe",
    "UpdateTable": "update",
    "DescribeScalableTargets": "scaling_read",
    "RegisterScalableTarget": "register",
    "GetMetricData": "metrics",
    "PutMetricData": "beat",
    "UpdateItem": "lease",
}


class MachineClock:
    """Unix seconds as a machine has them, ``off_by_s`` from what they are, and how long it has been
    up, which no one sets, but which runs too fast by ``drift``.
    """

    def __init__(self, account: Account, loop: VirtualLoop, *, drift: float) -> None:
        self.off_by_s = 0.0
        self._account = account
        self._loop = loop
        self._drift = drift

    def now(self) -> float:
        return self._account.now + self.off_by_s

    def uptime(self) -> float:
        return self._loop.time() * (1 + self._drift)


Watch = Callable[["PilotProcess", str, Call | None], None]
"""Told of every point a process passes: of calls, of records, and of a ``tick`` that is over."""


class PilotProcess:
    """Runs from ``start`` until ``kill``, after which nothing it does has any effect, or ``stop``.

    ``place`` is the machine it runs on: processes of one follow each other, with its clock and its
    ``file``; where pilots share a state table there is none. ``failures`` are errors that would
    have ended the daemon.
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
        file: Journal | None,
        watch: Watch,
    ) -> None:
        self.number, self.place = number, place
        self.name = f"pilot-{number}"
        self.is_alive, self.is_paused, self.is_ticking = True, False, False
        self.failures: list[BaseException] = []
        self.ticked_at = loop.time()
        self.intake = Intake()
        self._schedule = schedule
        self._account = account
        self._clock = clock
        self._loop = loop
        self._watch = watch
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self.lease, journal = self._open_store(file)
        self.diary = Diary(
            journal,
            is_full=lambda: any(loop.time() in disk for disk in schedule.bad_disks),
            is_alive=lambda: self.is_alive,
            notice=lambda point: self._note(point, None),
        )
        self._book = Bookkeeper(self.diary, clock=clock)
        self.tenure = Tenure(self.lease)
        tables: Any = TablesClient(account, loop, **self._wires())
        aws = DynamoDbGateway(tables, clock=clock, book=self._book)
        agenda = RunningAgenda(schedule.policies())
        pilot = Pilot(
            schedule.policies(),
            limits=AccountLimits(
                account_read=schedule.account_units, account_write=schedule.account_units
            ),
            apply_time_s=_APPLY_TIME_S,
            now=clock.now(),
            agenda=agenda,
            cloudwatch_usd_per_month=float("inf") if schedule.has_cloudwatch else 0.0,
        )
        registrations = self._open_registrations()
        gateway = route_tables(
            aws,
            registrations,
            mode_of=pilot.mode_for,
            is_shadow=False,
            apply_time_s=_APPLY_TIME_S,
            clock=clock,
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
                is_active=lambda: self.tenure.is_active,
            ),
            describe_s=DESCRIBE_S,
        )
        self._scaling = ScalingWatch(
            pilot,
            registrations,
            clock=clock,
            counts=self.control.counts,
            reread=self.control.reread,
            may_change=lambda: self.tenure.is_active,
        )
        self._snapshots = Snapshots(pilot, self.diary, clock=clock)
        keeping = AnnouncementKeeping(agenda, pilot=pilot, book=self._book, clock=clock)
        brakes = BrakeDesk(
            pilot,
            clock=clock,
            latest=lambda: self.control.last_step,
            book=self._book,
            is_active=lambda: self.tenure.is_active,
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
        cloudwatch = CloudWatchClient(account, loop, **self._wires())
        self._coverage = CoverageWatch(
            pilot,
            source=CloudWatchReader(cloudwatch, clock=clock),
            clock=clock,
            counts=self.control.counts,
        )
        self._heartbeat = Heartbeat(
            CloudWatchPulse(cloudwatch, name="pilots", clock=clock),
            clock=clock,
            counts=self.control.counts,
            may_send=lambda: self.tenure.may_send(SENT_WITHIN_S),
            decided_at=lambda: self.control.last_tick_at,
            read_at=lambda: pilot.described_at,
        )
        self._quotas = QuotaWatch(pilot, gateway=gateway, clock=clock)
        self._tags: TagWatch | None = None
        if schedule.by_tags:
            self._tags = TagWatch(
                aws,
                policies=lambda: pilot.policies,
                listed=lambda: self.control.listed,
                on_change=self._keep_policies(agenda).retag,
                clock=clock,
            )

    def start(self) -> None:
        """As the daemon does: reads the tables once, then begins to tick."""
        context = begin_context(self.number)
        context.run(self._spawn, self._run())

    def kill(self) -> None:
        """As kill -9: nothing is put in order. The task that is running ends at its next wait."""
        self.is_alive = False
        self.diary.close()
        self.go_on()
        for task in self._tasks:
            task.cancel()

    def stop(self) -> None:
        """As SIGTERM: what is under way may end, and what was changed is given back."""
        self._stopping.set()

    def pause(self) -> None:
        """As SIGSTOP, until ``go_on``."""
        self.is_paused = True
        self._loop.pause(self.number)

    def go_on(self) -> None:
        self.is_paused = False
        self._loop.resume(self.number)

    @property
    def has_ended(self) -> bool:
        return not self._tasks

    def hear(self, news: News) -> None:
        """Takes in what spans told; to one that stands still nobody gets through."""
        if self.is_alive and not self.is_paused:
            self.intake.offer(Harvest(samples=news.samples(self._schedule)), self._clock.now())

    async def _run(self) -> None:
        """As ``daemon/composition`` has it, but for listeners and signals."""
        await self.control.discover()
        await self._scaling.look()
        writer = self._spawn(self._book.write_on())
        await self._succession.prepare()
        keep = partial(self.tenure.keep, self._take_up)
        await keep()
        self.ticked_at, self.is_ticking = self._loop.time(), True
        with run_jobs(self._list_jobs(keep), self.control.counts) as failure:
            await self._wait_for_end(failure)
        self.is_ticking = False
        if calls := self._tasks - {writer, asyncio.current_task()}:
            await asyncio.wait(calls, timeout=_IN_FLIGHT_GRACE_S)
        await keep()
        await self._scaling.hand_back()
        await self._save()
        await self._book.flush(within_s=3.0)
        await self.tenure.leave()
        self.is_alive = False
        self.diary.close()
        for task in self._tasks - {asyncio.current_task()}:
            task.cancel()

    async def _wait_for_end(self, failure: asyncio.Future[None]) -> None:
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((stopping, failure), return_when=asyncio.FIRST_COMPLETED)
            if failure.done():
                failure.result()
        finally:
            stopping.cancel()

    def _list_jobs(self, keep: Job) -> Iterator[tuple[str, Job, float]]:
        for name, job, every_s in self._list_usual(keep):
            yield name, job, self._schedule.every_s.get(name, every_s)

    def _list_usual(self, keep: Job) -> Iterator[tuple[str, Job, float]]:
        yield "tick", self._tick, TICK_S
        yield "describe_due", self.control.describe_due, 1.0
        yield "discover", self.control.discover, DISCOVER_S
        yield "keep_lease", keep, KEEP_S
        yield "try_again", self._succession.try_again, 1.0
        yield "save", self._save, SNAPSHOT_S
        yield "watch_auto_scaling", self._scaling.look, WATCH_S
        yield "ask_quotas", self._quotas.ask, ASK_S
        if self._tags is not None:
            yield "watch_tags", self._tags.look, TAGS_S
        if self._schedule.has_cloudwatch:
            yield "read_cloudwatch", self._coverage.read_cloudwatch, CLOUDWATCH_S
            yield "beat", self._heartbeat.beat, BEAT_S

    def _keep_policies(self, agenda: RunningAgenda) -> PolicyKeeper:
        """Of what is written once, and put in force anew whenever tags are others."""
        written = json.dumps(self._schedule.written_policies())
        reader = PolicyReader(lambda _: None)
        texts = PolicyTexts((PolicyText("policies", written),))
        return PolicyKeeper(
            reader.read(texts, source="policies", now=self._clock.now()),
            source=FixedText(written, address="policies"),
            reader=reader,
            followers=Followers(
                loop=self.control,
                agenda=agenda,
                after_change=lambda: self._spawn(self._catch_up()),
                is_active=lambda: self.tenure.is_active,
            ),
            book=self._book,
            clock=self._clock,
        )

    async def _catch_up(self) -> None:
        self._scaling.recheck(await self.control.catch_up())
        await self._scaling.look()

    async def _take_up(self) -> None:
        await self._succession.take_up()
        await self._scaling.take_up()

    async def _save(self) -> None:
        if self.tenure.is_active:
            await self._snapshots.save()

    async def _tick(self) -> None:
        await self.control.tick()
        self.ticked_at = self._loop.time()
        self._note("tick", None)

    def _open_store(self, file: Journal | None) -> tuple[DynamoDbLease | None, Journal]:
        if file is not None:
            return None, file
        store: Any = StoreClient(self._account, self._loop, **self._wires())
        lease = DynamoDbLease(store, state_table.NAME, pilot=self.name, clock=self._clock.uptime)
        return lease, DynamoDbJournal(
            store, state_table.NAME, lease=lease, keep_s=_KEEP_RECORDS_S, clock=self._clock
        )

    def _open_registrations(self) -> Registrations:
        scaling: AutoScaling = NoAutoScaling()
        if self._schedule.is_floor:
            client = ScalingClient(self._account, self._loop, **self._wires())
            scaling = AutoScalingClient(client, clock=self._clock)
        return Registrations(
            RecordedAutoScaling(scaling, self._book),
            holds=KeptHolds(self.diary),
            clock=self._clock,
        )

    def _may_send(self, seconds: float) -> bool:
        return self.tenure.may_send(seconds)

    def _wires(self) -> dict[str, Any]:
        return {
            "process": self.number,
            "notice": self._note_call,
            "may_send": self._may_send,
        }

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
        self._note(f"{_KINDS.get(call.operation, 'other')}_{how}", call)

    def _note(self, point: str, call: Call | None) -> None:
        self._watch(self, point, call)
        if not self.is_alive:
            raise asyncio.CancelledError
