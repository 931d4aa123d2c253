"""A whole run: workloads sorted into passes, passes spread over processes, results put together."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from queue import Empty, Queue
from threading import Event

import numpy as np

from capacity_pilot.core.errors import InputError, RetryableError
from capacity_pilot.core.fleet import Floats, Ints
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.simulator.clairvoyant import find_clairvoyant
from capacity_pilot.simulator.replay.announcing import check_announcements
from capacity_pilot.simulator.replay.cast import Rule, find_rules
from capacity_pilot.simulator.replay.engine import Progress, Replay
from capacity_pilot.simulator.replay.ledger import MINUTE_S
from capacity_pilot.simulator.replay.scenario import Scenario
from capacity_pilot.simulator.replay.scoring import (
    compare_costs,
    score_fleet,
    score_on_demand,
    score_passage,
    score_plan,
)
from capacity_pilot.simulator.replay.settings import ReplaySettings
from capacity_pilot.simulator.result import LEAST_DAYS, Course, ReplayResult, TraceResult
from capacity_pilot.simulator.rivals.registry import Kind, Strategy
from capacity_pilot.simulator.workload import Workload

_FEWEST, _MOST = 8, 16
"""Workloads side by side in one pass. A run costs little more for 8 than for 1, but ends as soon as
any of them changes: half a day of 32 takes 83 s of a core one by one, 37 by fours, 29 by eights, 28
by sixteens and 33 all at once. Each takes memory, about 51 bytes per second of it in another
process and 17 in this one.
"""

_TELL_EVERY_S = 0.2

Courses = dict[tuple[str, str], Course]
"""By workload's and strategy's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Everything a piece of work needs; goes to another process as it is."""

    workloads: tuple[Workload, ...]
    rules: Mapping[str, Rule]
    strategies: tuple[Strategy, ...]
    settings: ReplaySettings
    scenario: Scenario

    @property
    def has_clairvoyant(self) -> bool:
        return any(s.kind is Kind.CLAIRVOYANT for s in self.strategies)

    @property
    def work_s(self) -> int:
        """Seconds of workloads to go through, the clairvoyant's planning included."""
        return (1 + self.has_clairvoyant) * sum(w.seconds for w in self.workloads)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a piece of work found; ``bounds`` are the clairvoyant's proven ones, in unit-hours."""

    courses: Courses
    bounds: Mapping[str, float]


Work = Callable[[Order, Progress], Finding]


def order_replay(
    workloads: Sequence[Workload],
    *,
    policies: PolicySet,
    strategies: Sequence[Strategy],
    settings: ReplaySettings,
    scenario: Scenario,
) -> Order:
    """Raises ``InputError`` where a workload cannot be replayed under the policies, and for an
    announcement that concerns none of them.
    """
    for w in workloads:
        if w.seconds < MINUTE_S:
            raise InputError(f"{w.name} has {w.seconds} s; a replay takes {MINUTE_S} or more")
    check_announcements(scenario.announcements, [w.name for w in workloads])
    return Order(
        workloads=tuple(workloads),
        rules=find_rules(policies, workloads, settings.dimension),
        strategies=tuple(strategies),
        settings=settings,
        scenario=scenario,
    )


def run_replay(
    order: Order,
    *,
    told: Mapping[str, object],
    processes: int = 1,
    on_progress: Progress = lambda _: None,
) -> ReplayResult:
    """Replays every workload under the pilot and every strategy named.

    ``told`` is what the result says of how it came about. ``on_progress`` hears of seconds
    replayed, ``order.work_s`` in all. Results do not depend on ``processes``.
    """
    tasks = list(_split(order, processes))
    if processes > 1 and len(tasks) > 1:
        findings = _run_in_processes(tasks, processes, on_progress)
    else:
        findings = [work(part, on_progress) for work, part in tasks]
    courses: Courses = {}
    bounds: dict[str, float] = {}
    for finding in findings:
        courses |= finding.courses
        bounds |= finding.bounds
    return sum_up([_assemble(w, order, courses, bounds) for w in order.workloads], told=told)


def sum_up(traces: Sequence[TraceResult], *, told: Mapping[str, object]) -> ReplayResult:
    """The traces, all together, and those of a day together."""
    return ReplayResult(
        settings=told,
        traces=tuple(traces),
        fleet=score_fleet(traces),
        fleet_of_days=score_fleet([t for t in traces if t.days >= LEAST_DAYS]),
    )


def play(order: Order, on_progress: Progress) -> Finding:
    """One pass over workloads of equal length."""
    dimension = order.settings.dimension
    passage = Replay(
        order.workloads,
        rules=order.rules,
        strategies=order.strategies,
        settings=order.settings,
        scenario=order.scenario,
    ).run(on_progress)
    courses = {
        column: score_passage(passage, n, dimension=dimension)
        for n, column in enumerate(passage.columns)
    }
    for strategy in order.strategies:
        if strategy.kind is Kind.ON_DEMAND:
            for w in order.workloads:
                courses[w.name, strategy.name] = score_on_demand(w.demand, dimension=dimension)
    return Finding(courses, {})


def plan(order: Order, on_progress: Progress) -> Finding:
    """The clairvoyant's course of each workload.

    It throttles nothing, so the policy's most does not bind it; nor does what a scenario holds.
    """
    courses: Courses = {}
    bounds: dict[str, float] = {}
    for w in order.workloads:
        found = find_clairvoyant(
            w.demand,
            start_at=order.settings.start_at,
            availability=order.settings.burst_availability,
            apply_time_s=order.settings.apply_time_s,
            least=order.rules[w.name].least,
        )
        courses[w.name, Kind.CLAIRVOYANT.value] = score_plan(
            w.demand, found.units.astype(np.float64), dimension=order.settings.dimension
        )
        bounds[w.name] = found.bound_unit_seconds / 3600.0
        on_progress(w.seconds)
    return Finding(courses, bounds)


def _split(order: Order, processes: int) -> Iterator[tuple[Work, Order]]:
    """Passes of workloads of equal length, longest first, then a plan for each workload.

    How many go side by side changes no result: each workload's draws and arrays are its own.
    """
    for seconds in sorted({w.seconds for w in order.workloads}, reverse=True):
        alike = [w for w in order.workloads if w.seconds == seconds]
        together = min(max(-(-len(alike) // processes), _FEWEST), _MOST)
        for first in range(0, len(alike), together):
            yield play, _part(order, alike[first : first + together])
    if order.has_clairvoyant:
        for w in sorted(order.workloads, key=lambda w: -w.seconds):
            yield plan, _part(order, [replace(w, signals={})])


def _part(order: Order, workloads: Sequence[Workload]) -> Order:
    return Order(
        workloads=tuple(workloads),
        rules={w.name: order.rules[w.name] for w in workloads},
        strategies=order.strategies,
        settings=order.settings,
        scenario=order.scenario,
    )


def _run_in_processes(
    tasks: Sequence[tuple[Work, Order]], processes: int, on_progress: Progress
) -> list[Finding]:
    """The tasks over a pool of fresh processes; the first error ends the run."""
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        news: Queue[int] = manager.Queue()
        is_over = manager.Event()
        with ProcessPoolExecutor(min(processes, len(tasks)), mp_context=context) as pool:
            futures = [pool.submit(_work, work, part, news, is_over) for work, part in tasks]
            try:
                _await_all(futures, news, on_progress)
            except BrokenProcessPool as error:
                raise RetryableError(
                    "a process of the replay was ended from outside, as systems short of memory "
                    "do; fewer processes need less"
                ) from error
            finally:
                is_over.set()
                for future in futures:
                    future.cancel()
    return [future.result() for future in futures]


def _work(work: Work, part: Order, news: Queue[int], is_over: Event) -> Finding:
    """One task; once the run is over it ends when it next tells of progress."""

    def tell(seconds: int) -> None:
        if is_over.is_set():
            raise CancelledError
        news.put(seconds)

    tell(0)
    return work(part, tell)


def _await_all(futures: Sequence[Future[Finding]], news: Queue[int], on_progress: Progress) -> None:
    waiting = set(futures)
    while waiting:
        done, waiting = wait(waiting, timeout=_TELL_EVERY_S)
        for future in done:
            future.result()
        try:
            while True:
                on_progress(news.get_nowait())
        except Empty:
            pass


def _assemble(
    workload: Workload, order: Order, courses: Courses, bounds: Mapping[str, float]
) -> TraceResult:
    rule = order.rules[workload.name]
    names = ["pilot", *(s.name for s in order.strategies)]
    return TraceResult(
        name=workload.name,
        days=workload.days,
        demand_units=float(workload.demand.sum()),
        mean=float(workload.demand.mean()),
        factor=workload.factor,
        bin_s=workload.bin_s,
        is_seconds_real=workload.is_seconds_real,
        missing_seconds=int((~workload.is_recorded).sum()),
        policy=rule.policy,
        is_policy_own=rule.is_own,
        risk_ppm=rule.own.risk,
        least=rule.least,
        most=rule.most,
        clairvoyant_bound=bounds.get(workload.name),
        demand=_minute_means(workload.demand),
        demand_peak=np.maximum.reduceat(workload.demand, _minute_starts(workload.demand)),
        signals={name: _minute_means(signal) for name, signal in workload.signals.items()},
        courses=compare_costs({n: courses[workload.name, n] for n in names}),
    )


def _minute_starts(seconds: Floats) -> Ints:
    return np.arange(0, len(seconds), MINUTE_S)


def _minute_means(seconds: Floats) -> Floats:
    starts = _minute_starts(seconds)
    means: Floats = np.add.reduceat(seconds, starts) / np.diff(starts, append=len(seconds))
    return means
