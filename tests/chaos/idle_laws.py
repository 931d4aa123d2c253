"""What must hold of capacity below a policy's minimum: nobody has asked for it, which is known.

Stated in what there was of demand, what a pilot was told of it and what CloudWatch answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from capacity_pilot.core.model import Dimension, Resource
from tests.chaos import meddling
from tests.chaos.aws import Account, Call
from tests.chaos.faults import BadCalls
from tests.chaos.pilot_process import PilotProcess
from tests.chaos.schedule import IDLE_AFTER_S, Schedule
from tests.chaos.telemetry import News
from tests.chaos.worlds import ServedWorld

_TOLD_WITHIN_S: Final = 1400.0
"""CloudWatch is asked every quarter of an hour, and tells what is provisioned every five minutes,
two minutes late."""

_RAISED_WITHIN_S: Final = 5.0
_NEEDED: Final = {"DescribeTable", "UpdateTable"}
_AFTERWARDS_S: Final = 60.0
"""Calls that failed are paused for so long at most."""

Place = tuple[int, Dimension]


class IdleLaws:
    """``lowered`` are the targets that ever had less than their policy's minimum."""

    def __init__(
        self,
        schedule: Schedule,
        account: Account,
        world: ServedWorld,
        break_law: Callable[[str, str], None],
    ) -> None:
        self.lowered: set[Place] = set()
        self._schedule = schedule
        self._account = account
        self._world = world
        self._break = break_law
        self._heard: dict[tuple[int, Place], int] = {}
        self._answered_at: dict[int, float] = {}
        self._woken: dict[Place, tuple[float, int]] = {}
        self._places = [
            (number, target.resource, dimension)
            for number, target in enumerate(schedule.targets)
            if target.resource.table in schedule.idle
            for dimension in Dimension
        ]
        self._faults = [
            f.during for f in schedule.faults if isinstance(f, BadCalls) and f.operations & _NEEDED
        ]

    @property
    def _now(self) -> float:
        return self._account.now - self._account.epoch

    def least(self, table: str) -> int:
        """What any target of the table may be lowered to."""
        rule = self._schedule.idle.get(table)
        return self._schedule.floor[table] if rule is None else rule.level

    def passed(self, process: PilotProcess, point: str, call: Call | None) -> None:
        """The process has come to this point."""
        if point != "metrics_answered" or call is None or call.answer is None:
            return
        if any(result["Values"] for result in call.answer["MetricDataResults"]):
            self._answered_at[process.number] = self._now

    def heard(self, process: PilotProcess, news: News) -> None:
        """The process was told of a second."""
        for (number, dimension), (units, _) in news.told.items():
            place = (number, Dimension(dimension))
            if units > 0 and self._schedule.targets[number].resource.table in self._schedule.idle:
                known = self._heard.get((process.number, place), -1)
                self._heard[process.number, place] = max(known, news.second)
                if place in self._lacking():
                    self._woken.setdefault(place, (self._now, process.number))

    def judge(
        self, process: PilotProcess, resource: Resource, dimension: Dimension, units: float
    ) -> Iterator[str]:
        """A pilot wants the target to have less than its policy's minimum."""
        now, level = self._now, self.least(resource.table)
        if units != level:
            yield f"lowered to {units:g}, an idle one has {level}"
        place = next((n, d) for n, r, d in self._places if (r, d) == (resource, dimension))
        heard = self._heard.get((process.number, place))
        if heard is not None and now - heard < IDLE_AFTER_S:
            yield f"lowered as idle, {now - heard:.0f} s after it was heard of"
        demand = self._schedule.targets[place[0]].demand[dimension]
        since = max(int(now - IDLE_AFTER_S), 0)
        if demand[since : max(int(now - _TOLD_WITHIN_S), 0)].any():
            yield "lowered as idle, and it was asked for within the hour"
        silent_s = now - self._answered_at.get(process.number, -float("inf"))
        if silent_s > _TOLD_WITHIN_S:
            yield f"lowered as idle, {silent_s:.0f} s after CloudWatch's last word"

    def look(self, processes: Iterable[PilotProcess]) -> None:
        """Who has woken is raised at once, unless it cannot be."""
        if not self._places:
            return
        lacking, now = self._lacking(), self._now
        self.lowered |= lacking
        well = {p.number for p in processes if p.is_ticking and not p.is_paused}
        is_kept = any(f.since <= now < f.until + _AFTERWARDS_S for f in self._faults)
        for place, (since, number) in list(self._woken.items()):
            table = self._schedule.targets[place[0]].resource.table
            if place not in lacking or number not in well:
                del self._woken[place]
            elif is_kept or not meddling.is_settled(self._world.world, table):
                self._woken[place] = (now, number)
            elif now - since > _RAISED_WITHIN_S:
                del self._woken[place]
                resource, waited_s = self._schedule.targets[place[0]].resource, now - since
                self._break("wakes", f"{resource}:{place[1].label} is low for {waited_s:.0f} s")

    def _lacking(self) -> set[Place]:
        """Who has less than its policy's minimum now."""
        lacking = set()
        for number, resource, dimension in self._places:
            units = self._world.units(resource)
            floor = self._schedule.floor[resource.table]
            if units is not None and units[dimension] < floor:
                lacking.add((number, dimension))
        return lacking
