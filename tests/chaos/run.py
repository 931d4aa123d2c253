"""One run: the schedule's world, whoever meddles with it, and the pilots that have to bear it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from capacity_pilot.adapters.journal.sqlite import SqliteJournal
from tests.chaos.aws import Account, Call
from tests.chaos.cloudwatch import Minutes
from tests.chaos.laws import Laws, Violation
from tests.chaos.meddler import Meddler
from tests.chaos.mishaps import Mishap
from tests.chaos.pilot_process import MachineClock, PilotProcess
from tests.chaos.schedule import BadCalls, ClockJump, Killed, Schedule, Second
from tests.chaos.telemetry import News, Telemetry
from tests.chaos.virtual_time import VirtualLoop, run_virtually
from tests.chaos.worlds import ServedWorld

_TICKS_WITHIN_S = 2.5
_KILLED_WITHIN_S = 30.0
_LAST_S = 60
_RECOVERED = 0.01
_ANSWERED_WITHIN_S = 60.0
_PRIMARY, _SECOND = 0, 1


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
        self._folder = folder
        self._loop = loop
        self._draw = np.random.default_rng((schedule.seed, 1))
        self._pilots_world = ServedWorld(schedule)
        self._at_floor = ServedWorld(schedule, at_floor=True)
        self._as_found = ServedWorld(schedule)
        self._account = Account(
            self._pilots_world.world, loop, epoch=schedule.began_at, draw=self._draw
        )
        for fault in schedule.faults:
            if isinstance(fault, BadCalls):
                self._account.mishaps.append(self._make_mishap(fault))
        self._laws = Laws(schedule, self._account)
        self._clocks = {place: MachineClock(self._account) for place in (_PRIMARY, _SECOND)}
        self._minutes = Minutes(schedule, self._account) if schedule.has_cloudwatch else None
        self._telemetry = Telemetry(schedule, loop, self._deliver)
        self._meddler = Meddler(
            schedule, self._account, self._pilots_world, (self._at_floor, self._as_found)
        )
        self._processes: list[PilotProcess] = []
        self._at_work: dict[int, PilotProcess] = {}
        self._kills = sorted(
            (f for f in schedule.faults if isinstance(f, Killed)), key=lambda fault: fault.at
        )
        self._by_second: list[tuple[float, float]] = []  # units asked for and throttled

    async def play(self) -> Report:
        self._start(_PRIMARY)
        for second in range(self._schedule.seconds):
            await asyncio.sleep(second - self._loop.time())
            self._begin_second(second)
        self._judge_end()
        for process in self._at_work.values():
            process.kill()
        await asyncio.sleep(0.1)
        await self._judge_journal()
        updates = [c for c in self._account.calls if c.operation == "UpdateTable" and c.is_accepted]
        return Report(
            seed=self._schedule.seed,
            violations=tuple(self._laws.violations),
            throttled=float(self._pilots_world.throttled.sum()),
            throttled_at_floor=float(self._at_floor.throttled.sum()),
            throttled_as_found=float(self._as_found.throttled.sum()),
            updates=len(updates),
            decreases=sum(_is_decrease(call) for call in updates),
            processes=len(self._processes),
        )

    def _begin_second(self, second: int) -> None:
        now = self._account.now
        for each in (self._pilots_world, self._at_floor, self._as_found):
            each.world.advance(now)
        self._set_clock(second)
        self._meddler.meddle(second)
        self._call_second(second)
        if self._kills and second > self._kills[0].at + _KILLED_WITHIN_S:
            self._kill_primary()
        self._check_pulse()
        served = self._pilots_world.serve(second)
        self._at_floor.serve(second)
        self._as_found.serve(second)
        self._by_second.append((float(served.demand.sum()), float(served.throttled.sum())))
        self._telemetry.observe(second, served)

    def _start(self, place: int) -> None:
        process = PilotProcess(
            len(self._processes),
            self._schedule,
            place=place,
            account=self._account,
            clock=self._clocks[place],
            loop=self._loop,
            minutes=self._minutes,
            journal=self._open_journal(place),
            watch=self._watch,
        )
        self._processes.append(process)
        self._at_work[place] = process
        process.start()

    def _open_journal(self, place: int) -> SqliteJournal:
        return SqliteJournal(self._folder / f"journal-{place}")

    def _watch(self, process: PilotProcess, point: str, call: Call | None) -> None:
        self._laws.passed(process, point, call)
        if (
            self._kills
            and process is self._at_work.get(_PRIMARY)
            and self._loop.time() >= self._kills[0].at
            and point == self._kills[0].point
        ):
            self._kill_primary()

    def _kill_primary(self) -> None:
        kill = self._kills.pop(0)
        process = self._at_work.pop(_PRIMARY, None)
        if process is None:
            return
        process.kill()
        self._loop.call_later(kill.away_s, self._start, _PRIMARY)

    def _call_second(self, second: int) -> None:
        wanted = any(
            isinstance(fault, Second) and second in fault.during for fault in self._schedule.faults
        )
        if wanted and _SECOND not in self._at_work:
            self._start(_SECOND)
        elif not wanted and _SECOND in self._at_work:
            self._at_work.pop(_SECOND).kill()

    def _set_clock(self, second: int) -> None:
        self._clocks[_PRIMARY].off_by_s = sum(
            fault.by_s
            for fault in self._schedule.faults
            if isinstance(fault, ClockJump) and second in fault.during
        )

    def _deliver(self, news: News) -> None:
        for place, process in self._at_work.items():
            process.hear(news)
            self._laws.heard(process, news, clock_off_by_s=self._clocks[place].off_by_s)

    def _make_mishap(self, fault: BadCalls) -> Callable[[Call], Mishap | None]:
        def meet(call: Call) -> Mishap | None:
            is_met = (
                self._loop.time() in fault.during
                and call.operation in fault.operations
                and self._draw.random() < fault.share
            )
            return fault.go if is_met else None

        return meet

    def _check_pulse(self) -> None:
        now = self._loop.time()
        for process in self._at_work.values():
            if now - process.ticked_at > _TICKS_WITHIN_S and process.is_ticking:
                self._laws.break_law("ticks go on", f"none for {now - process.ticked_at:.1f} s")
            while process.failures:
                error = process.failures.pop()
                self._laws.break_law("lives on", f"{type(error).__name__}: {error}")

    def _judge_end(self) -> None:
        for law, what in (*self._judge_throttling(), *self._judge_recovery()):
            self._laws.break_law(law, what)

    async def _judge_journal(self) -> None:
        """Nothing that was recorded is lost, and no call is left without an answer."""
        journal = self._open_journal(_PRIMARY)
        records = await journal.read(since=0.0)
        kept = {record.id for record in records}
        calls = [call for p in self._processes if p.place == _PRIMARY for call in p.diary.calls]
        if lost := [call for call in calls if call not in kept]:
            self._laws.break_law("nothing lost", f"{len(lost)} calls: {lost[0]}")
        just_now = self._account.now - _ANSWERED_WITHIN_S
        for call in await journal.unanswered():
            if call.at < just_now:
                self._laws.break_law("answered", f"{call.table}: {call.body}")
        await journal.close()

    def _judge_throttling(self) -> Iterator[tuple[str, str]]:
        worse = self._pilots_world.throttled > self._at_floor.throttled + 1e-6
        for number, dimension in np.argwhere(worse).tolist():
            with_pilot = self._pilots_world.throttled[number, dimension]
            without = self._at_floor.throttled[number, dimension]
            resource = self._schedule.targets[number].resource
            yield "no worse", f"{resource}:{dimension} {with_pilot:.0f} against {without:.0f}"

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
