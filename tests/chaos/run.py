"""One run: the schedule's world, whoever meddles with it, and the pilots that have to bear it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextvars import Context
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from capacity_pilot.adapters.journal.sqlite import SqliteJournal
from capacity_pilot.core.ports import Journal
from capacity_pilot.core.record import RecordKind
from tests.chaos.aws import Account, Call
from tests.chaos.cloudwatch import CloudWatch
from tests.chaos.faults import PRIMARY, SECOND, BadCalls, ClockJump, Killed, Paused, Second
from tests.chaos.laws import Laws, Violation
from tests.chaos.lease_laws import LeaseLaws
from tests.chaos.meddler import Meddler
from tests.chaos.mishaps import Mishap
from tests.chaos.pilot_process import MachineClock, PilotProcess
from tests.chaos.records import Records
from tests.chaos.scaling_laws import ScalingLaws
from tests.chaos.schedule import Schedule
from tests.chaos.telemetry import News, Telemetry
from tests.chaos.virtual_time import VirtualLoop, run_virtually
from tests.chaos.worlds import ServedWorld

_TICKS_WITHIN_S = 2.5
_STRUCK_WITHIN_S = 30.0
_LAST_S = 60
_RECOVERED = 0.002
_ANSWERED_WITHIN_S = 60.0
_ENDED_WITHIN_S = 60
_CLOCKS_S = 3600.0  # put back by more than any clock here is
_CHANGES = {"UpdateTable", "RegisterScalableTarget"}
_SENT = {"update_begun", "register_begun", "beat_begun"}


@dataclass(frozen=True, slots=True)
class Report:
    """What a run came to. Throttled units are the pilot's, at the floor, and of tables as found."""

    seed: int
    violations: tuple[Violation, ...]
    throttled: float
    throttled_at_floor: float
    throttled_as_found: float
    updates: int
    decreases: int
    idled: int
    processes: int


def run_schedule(schedule: Schedule) -> Report:
    """Runs it in virtual time."""
    memory = Path("/dev/shm")  # noqa: S108 - nothing in there but what the run needs
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        return run_virtually(lambda loop: Run(schedule, loop, Path(folder)).play())


class Run:
    """Everything of a run. ``play`` it once."""

    def __init__(self, schedule: Schedule, loop: VirtualLoop, folder: Path) -> None:
        self._schedule = schedule
        self._loop = loop
        self._draw = np.random.default_rng((schedule.seed, 1))
        self._pilots_world = ServedWorld(schedule)
        self._at_floor = ServedWorld(schedule, at_floor=True)
        self._as_found = ServedWorld(schedule)
        scaler = self._pilots_world.scaler
        cloudwatch = self._cloudwatch = CloudWatch(schedule, self._pilots_world.world)
        self._account = Account(
            self._pilots_world.world,
            loop,
            epoch=schedule.began_at,
            draw=self._draw,
            registry=None if scaler is None else scaler.registry,
            cloudwatch=cloudwatch,
        )
        self._account.mishaps.append(
            lambda call: (
                cloudwatch.mishap(loop.time()) if call.operation == "GetMetricData" else None
            )
        )
        for fault in schedule.faults:
            if isinstance(fault, BadCalls):
                self._account.mishaps.append(self._make_mishap(fault))
        self._records = Records(schedule, self._account, loop, folder)
        self._laws = Laws(schedule, self._account, self._pilots_world)
        self._lease_laws: LeaseLaws | None = None
        if schedule.has_lease:
            self._lease_laws = LeaseLaws(schedule, self._account, self._laws.break_law)
        self._scaling_laws: ScalingLaws | None = None
        if scaler is not None:
            self._scaling_laws = ScalingLaws(
                schedule,
                self._account,
                scaler,
                break_law=self._laws.break_law,
                read_document=lambda process, name: self._records.read_now(process.place, name),
            )
        self._clocks = {
            place: MachineClock(self._account, loop, drift=schedule.drifts[place])
            for place in (PRIMARY, SECOND)
        }
        self._telemetry = Telemetry(schedule, loop, self._deliver)
        self._meddler = Meddler(
            schedule, self._account, self._pilots_world, (self._at_floor, self._as_found)
        )
        self._processes: list[PilotProcess] = []
        self._at_work: dict[int, PilotProcess] = {}
        self._blows: list[Killed | Paused] = sorted(
            (f for f in schedule.faults if isinstance(f, Killed | Paused)),
            key=lambda fault: fault.at,
        )
        self._by_second: list[tuple[float, float]] = []  # units asked for and throttled

    async def play(self) -> Report:
        for place in self._schedule.places:
            self._start(place)
        for second in range(self._schedule.seconds):
            await asyncio.sleep(second - self._loop.time())
            self._begin_second(second)
        self._judge_end()
        await self._end()
        await self._judge_journals()
        updates = [c for c in self._account.calls if c.operation in _CHANGES and c.is_accepted]
        return Report(
            seed=self._schedule.seed,
            violations=tuple(self._laws.violations),
            throttled=float(self._pilots_world.throttled.sum()),
            throttled_at_floor=float(self._at_floor.throttled.sum()),
            throttled_as_found=float(self._as_found.throttled.sum()),
            updates=len(updates),
            decreases=sum(_is_decrease(call) for call in updates),
            idled=len(self._laws.idle.lowered),
            processes=len(self._processes),
        )

    def _begin_second(self, second: int) -> None:
        now = self._account.now
        for each in (self._pilots_world, self._at_floor, self._as_found):
            each.advance(now)
        self._cloudwatch.advance(now)
        self._set_clocks(second)
        self._meddler.meddle(second)
        self._call_second(second)
        for blow in [b for b in self._blows if second > b.at + _STRUCK_WITHIN_S]:
            self._strike(blow)
        self._check_pulse()
        self._laws.idle.look(self._at_work.values())
        served = self._pilots_world.serve(second)
        self._at_floor.serve(second)
        self._as_found.serve(second)
        counts = self._pilots_world.is_in_pilots_hands()
        asked, throttled = (each[counts] for each in (served.demand, served.throttled))
        self._by_second.append((float(asked.sum()), float(throttled.sum())))
        self._telemetry.observe(second, served)

    def _start(self, place: int) -> None:
        process = PilotProcess(
            len(self._processes),
            self._schedule,
            place=place,
            account=self._account,
            clock=self._clocks[place],
            loop=self._loop,
            file=self._records.open_file(place),
            watch=self._watch,
        )
        self._processes.append(process)
        self._at_work[place] = process
        process.start()

    def _watch(self, process: PilotProcess, point: str, call: Call | None) -> None:
        self._laws.passed(process, point, call)
        if call is not None and self._scaling_laws is not None:
            self._scaling_laws.passed(process, point, call)
        if call is not None and self._lease_laws is not None and point in _SENT:
            self._lease_laws.sent(process, call)
        for blow in self._blows:
            is_his = process is self._at_work.get(blow.place)
            if is_his and self._loop.time() >= blow.at and point == blow.point:
                self._strike(blow)
                return

    def _strike(self, blow: Killed | Paused) -> None:
        self._blows.remove(blow)
        process = self._at_work.get(blow.place)
        if process is None:
            return
        if isinstance(blow, Killed):
            del self._at_work[blow.place]
            process.kill()
            self._loop.call_later(blow.away_s, self._start, blow.place)
        elif not process.is_paused:
            process.pause()
            self._loop.call_later(blow.lasts_s, self._go_on, process, context=Context())

    def _go_on(self, process: PilotProcess) -> None:
        process.go_on()
        process.ticked_at = self._loop.time()

    def _call_second(self, second: int) -> None:
        if self._schedule.has_lease:
            return
        wanted = any(
            isinstance(fault, Second) and second in fault.during for fault in self._schedule.faults
        )
        if wanted and SECOND not in self._at_work:
            self._start(SECOND)
        elif not wanted and SECOND in self._at_work:
            self._at_work.pop(SECOND).kill()

    def _set_clocks(self, second: int) -> None:
        for place, clock in self._clocks.items():
            clock.off_by_s = sum(
                fault.by_s
                for fault in self._schedule.faults
                if isinstance(fault, ClockJump) and fault.place == place and second in fault.during
            )

    def _deliver(self, news: News) -> None:
        for place, process in self._at_work.items():
            if process.is_paused:
                continue
            process.hear(news)
            self._laws.heard(process, news, clock_off_by_s=self._clocks[place].off_by_s)

    def _make_mishap(self, fault: BadCalls) -> Callable[[Call], Mishap | None]:
        def meet(call: Call) -> Mishap | None:
            is_met = (
                self._loop.time() in fault.during
                and call.operation in fault.operations
                and fault.place in (None, self._place_of(call))
                and self._draw.random() < fault.share
            )
            return fault.go if is_met else None

        return meet

    def _place_of(self, call: Call) -> int:
        return self._processes[call.process].place

    def _check_pulse(self) -> None:
        now = self._loop.time()
        for process in self._at_work.values():
            late_s = now - process.ticked_at
            if late_s > _TICKS_WITHIN_S and process.is_ticking and not process.is_paused:
                self._laws.break_law("ticks go on", f"none for {late_s:.1f} s")
            while process.failures:
                error = process.failures.pop()
                self._laws.break_law("lives on", f"{type(error).__name__}: {error}")
        if self._lease_laws is not None:
            self._lease_laws.look(self._at_work.values(), now)

    def _judge_end(self) -> None:
        for law, what in (*self._judge_throttling(), *self._judge_recovery()):
            self._laws.break_law(law, what)

    async def _end(self) -> None:
        """In floor mode an orderly one, after which nothing is left of the pilots' minimums."""
        if self._scaling_laws is None:
            for process in self._at_work.values():
                process.kill()
            await asyncio.sleep(0.1)
            return
        for process in self._at_work.values():
            process.stop()
        for _ in range(_ENDED_WITHIN_S):
            await asyncio.sleep(1.0)
            if all(process.has_ended for process in self._at_work.values()):
                break
        else:
            self._laws.break_law("ends", f"not within {_ENDED_WITHIN_S} s of being told to")
        self._scaling_laws.judge_end()

    async def _judge_journals(self) -> None:
        """Nothing that was recorded is lost, every change that was made is recorded, and no call is
        left without an answer.
        """
        for place in {process.place for process in self._processes}:
            journal = self._records.open_for_reading(place)
            await self._judge_journal(journal, place)
            if isinstance(journal, SqliteJournal):
                await journal.close()

    async def _judge_journal(self, journal: Journal, place: int) -> None:
        earliest = self._schedule.began_at - _CLOCKS_S
        kept = {record.id for record in await journal.read(since=earliest)}
        processes = [process for process in self._processes if process.place == place]
        written = [record for process in processes for record in process.diary.written]
        if lost := [record for record in written if record.id not in kept]:
            self._laws.break_law("nothing lost", f"{len(lost)} records: {lost[0]}")
        for process in processes:
            if process is self._at_work.get(place):
                self._judge_calls(process)
        if place not in self._schedule.places:
            return  # the last of the machine's pilots was killed, and nobody took up its work
        just_now = self._account.now - _ANSWERED_WITHIN_S
        for call in await journal.unanswered():
            if call.at < just_now:
                self._laws.break_law("answered", f"{call.table}: {call.body}")

    def _judge_calls(self, process: PilotProcess) -> None:
        """What was sent while the journal could not be written is recorded later."""
        just_now = self._loop.time() - _ANSWERED_WITHIN_S
        sent = Counter(
            call.table
            for call in self._account.calls
            if call.process == process.number
            and call.operation == "UpdateTable"
            and call.begun_at < just_now
        )
        recorded = Counter(
            record.table for record in process.diary.written if record.kind is RecordKind.CALL
        )
        if unrecorded := sent - recorded:
            self._laws.break_law("all recorded", f"calls without a record: {dict(unrecorded)}")

    def _judge_throttling(self) -> Iterator[tuple[str, str]]:
        worse = self._pilots_world.throttled > self._at_floor.throttled + 1e-6
        for number, dimension in np.argwhere(worse).tolist():
            if (number, dimension) in self._laws.idle.lowered:
                continue  # whoever wakes throttles until it is raised, as its rule has it
            with_pilot = self._pilots_world.throttled[number, dimension]
            without = self._at_floor.throttled[number, dimension]
            resource = self._schedule.targets[number].resource
            yield "no worse", f"{resource}:{dimension} {with_pilot:.0f} against {without:.0f}"
        if self._schedule.is_floor:
            ours, alone = (w.throttled.sum() for w in (self._pilots_world, self._as_found))
            if ours > alone + 1e-6:
                yield "no worse", f"{ours:.0f} in all, {alone:.0f} with auto scaling alone"

    def _judge_recovery(self) -> Iterator[tuple[str, str]]:
        if any(map(_is_refused_switch, self._account.calls)):
            return  # AWS said that there were too many, and it is not asked again for an hour
        if any(state.switching_to for state in self._pilots_world.world.tables()):
            return  # what provisioned capacity does not reach waits for AWS, two to three minutes
        asked, throttled = map(sum, zip(*self._by_second[-_LAST_S:], strict=True))
        if throttled > _RECOVERED * asked:
            yield "recovers", f"throttled {throttled:.0f} of {asked:.0f} units at the end"


def _is_decrease(call: Call) -> bool:
    return any(
        asked < had
        for index, pair in call.asked.items()
        for asked, had in zip(pair, call.had.get(index, (0, 0)), strict=True)
    )


def _is_refused_switch(call: Call) -> bool:
    return "BillingMode" in call.parameters and "LimitExceeded" in str(call.error)
