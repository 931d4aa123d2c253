"""What must hold of every call and every decision, whatever goes wrong around them.

Stated in what a process was told and answered, and not in the pilot's own terms: where both agree
it is because the pilot is right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from capacity_pilot.core.fleet import Fleet
from capacity_pilot.core.model import Dimension, Resource
from tests.chaos.aws import Account, Call, Units
from tests.chaos.faults import ClockJump
from tests.chaos.idle_laws import IdleLaws
from tests.chaos.observer import Heard, Witnessed
from tests.chaos.pilot_process import PilotProcess
from tests.chaos.schedule import Floats, Schedule
from tests.chaos.telemetry import News
from tests.chaos.worlds import ServedWorld

_SENDABLE = {"TableName", "BillingMode", "ProvisionedThroughput", "GlobalSecondaryIndexUpdates"}
_BOTH = {"ReadCapacityUnits", "WriteCapacityUnits"}
_FRESH_S = 5.05
_MOST_AT_ONCE = 8
_LEAST_PAUSE_S = 0.9
_HEARD_WITHIN_S = 120.0
_SILENT_S = 15.0
_THROTTLE_MEMORY_S = 56
"""A minute, by when it is told of."""

_WRITES_AGAIN_S = 2.0


@dataclass(frozen=True, slots=True)
class Violation:
    """A law that did not hold, when, and of what."""

    at: float
    law: str
    what: str

    def __str__(self) -> str:
        return f"{self.at:.2f} s: {self.law}: {self.what}"


class Laws:
    """Watches all processes of a run and collects ``violations``."""

    def __init__(self, schedule: Schedule, account: Account, world: ServedWorld) -> None:
        self.violations: list[Violation] = []
        self.idle = IdleLaws(schedule, account, world, self.break_law)
        self._schedule = schedule
        self._account = account
        self._seen: dict[int, Witnessed] = {}
        self._bounds: tuple[Fleet | None, Floats] = (None, np.zeros(0))
        self._numbers = {t.resource: number for number, t in enumerate(schedule.targets)}
        self._spent: set[str] = set()
        self._jumps = [f.during for f in schedule.faults if isinstance(f, ClockJump)]

    @property
    def _now(self) -> float:
        return self._account.now - self._account.epoch

    def of(self, process: PilotProcess) -> Witnessed:
        return self._seen.setdefault(process.number, Witnessed())

    def heard(self, process: PilotProcess, news: News, *, clock_off_by_s: float) -> None:
        """The process was told of a second."""
        self.idle.heard(process, news)
        now = self._now
        if now + clock_off_by_s - news.second > _HEARD_WITHIN_S:
            return  # later than the pilot's window reaches
        for at, (units, refused) in news.told.items():
            heard = self.of(process).heard[at]
            if news.second > heard.newest:
                heard.newest, heard.advanced_at = news.second, now
            heard.units[news.second] += units
            if refused:
                heard.refused_at = max(heard.refused_at, news.second)

    def passed(self, process: PilotProcess, point: str, call: Call | None) -> None:
        """The process has come to this point."""
        self.idle.passed(process, point, call)
        if call is None:
            if point == "tick":
                self._judge_decisions(process)
        elif point == "describe_answered":
            self.of(process).described[call.table] = call
        elif point == "update_begun":
            for what in self._judge_update(process, call):
                self.break_law("calls", f"{call.table}: {what}: {call.parameters}")
            if not self._is_recorded(process, call):
                self.break_law("recorded first", f"{call.table}: {call.parameters}")
            self.of(process).updates[call.table].append(call)
        elif point in {"update_answered", "update_failed"} and call.refusal is not None:
            self._judge_refusal(self.of(process), call)

    def _judge_update(self, process: PilotProcess, call: Call) -> Iterator[str]:
        seen = self.of(process)
        if self._schedule.is_floor:
            yield "changes a table whose minimum is the control"
        yield from _judge_shape(call.parameters)
        if any(earlier.ended_at is None for earlier in seen.updates[call.table]):
            yield "another call of the table is in flight"
        busy = sum(u.ended_at is None for calls in seen.updates.values() for u in calls)
        if busy >= _MOST_AT_ONCE:
            yield f"{busy} calls are in flight already"
        ended = [u.ended_at for u in seen.updates[call.table] if u.ended_at is not None]
        if ended and call.begun_at - ended[-1] < _LEAST_PAUSE_S and _is_made_again(seen, call):
            yield f"again within {call.begun_at - ended[-1]:.3f} s"
        described = seen.described.get(call.table)
        if described is None or described.answer is None:
            yield "sent without a reading of the table"
            return
        age_s = call.begun_at - described.begun_at
        if age_s > _FRESH_S and not self._has_clock_jumped():
            yield f"rests on a reading {age_s:.2f} s old"
        table = described.answer["Table"]
        if changing := [n for n, status in _statuses(table).items() if status != "ACTIVE"]:
            yield f"{changing} are changing by what was read"
        if (mode := call.parameters.get("BillingMode")) is not None:
            yield from self._judge_switch(call, mode, table)
        else:
            yield from self._judge_units(process, call, had=_units_of(table))

    def _judge_switch(self, call: Call, mode: str, table: Any) -> Iterator[str]:
        """To on-demand with no units at all, back with those of the table and every index."""
        if not self._schedule.may_escape:
            yield f"switches to {mode} unasked"
        if mode == table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"):
            yield f"is {mode} already"
        if mode == "PAY_PER_REQUEST":
            if call.asked:
                yield f"names units on its way to {mode}"
            return
        if call.asked.keys() != _units_of(table).keys():
            yield f"comes back with units for {sorted(call.asked)} of {sorted(_units_of(table))}"
        floor, ceiling = self._schedule.floor[call.table], self._schedule.ceiling
        if not all(floor <= units <= ceiling for pair in call.asked.values() for units in pair):
            yield f"comes back with {call.asked}, not within {floor} and {ceiling}"

    def _is_recorded(self, process: PilotProcess, call: Call) -> bool:
        """By a record that is durable already; an increase does not wait for a bad disk."""
        described = self.of(process).described.get(call.table)
        had = _units_of(described.answer["Table"]) if described and described.answer else {}
        is_increase = all(
            a >= b
            for i, pair in call.asked.items()
            for a, b in zip(pair, had.get(i, pair), strict=True)
        )
        is_disk_bad = any(
            disk.since <= self._now < disk.until + _WRITES_AGAIN_S
            for disk in self._schedule.bad_journals(process.place)
        )
        mode = call.parameters.get("BillingMode")
        if is_increase and is_disk_bad and mode is None:
            return True
        for recorded in reversed(process.diary.calls.values()):
            if recorded.table == call.table:
                changes = {c["index"]: tuple(c["to"]) for c in recorded.body["changes"]}
                is_same = changes == call.asked and recorded.body.get("billing_mode") == mode
                return is_same and self._spend(recorded.id)
        return False

    def _spend(self, record: str) -> bool:
        """A record stands for one call."""
        is_new = record not in self._spent
        self._spent.add(record)
        return is_new

    def _judge_units(self, process: PilotProcess, call: Call, *, had: Units) -> Iterator[str]:
        floor, ceiling = self._schedule.floor[call.table], self._schedule.ceiling
        steps = set()
        for index, asked in call.asked.items():
            if asked == had.get(index):
                yield f"{index or 'the table'} is not changed"
            had_before = had.get(index, (0, 0))
            for dimension, units, before in zip(Dimension, asked, had_before, strict=True):
                steps.add(np.sign(units - before))
                if units == before or floor <= units <= ceiling:
                    continue
                if call.table in self._schedule.idle and units < min(floor, before):
                    resource = Resource(call.table, index)
                    yield from self.idle.judge(process, resource, dimension, units)
                else:
                    yield f"{units} is not within {floor} and {ceiling}"
        if {-1, 1} <= steps:
            yield f"raises and lowers at once from {had}"

    def _judge_refusal(self, seen: Witnessed, call: Call) -> None:
        """A refusal that the last reading foretold, and nobody else brought about, is ours."""
        described, refusal = seen.described.get(call.table), call.refusal
        assert refusal is not None
        if described is None or described.answer is None or described.reached_at is None:
            return
        table, reached_at = described.answer["Table"], call.reached_at or 0.0
        changes = self._account.changed_at[call.table]
        is_untouched = not any(described.reached_at <= at <= reached_at for at in changes)
        if refusal.code in {"ResourceInUseException", "ValidationException"} and is_untouched:
            self.break_law("avoidable refusal", f"{call.table}: {refusal}: {call.parameters}")
        if "PAY_PER_REQUEST 4 times" in refusal.message:
            self.break_law("four switches a day", f"{call.table}: {refusal}")
        if "decreases are limited" in refusal.message and is_untouched:
            self.break_law("decrease quota", f"{call.table}: {refusal}, read {table}")

    def _judge_decisions(self, process: PilotProcess) -> None:
        step = process.control.last_step
        assert step is not None
        units, provisioned = step.decisions.units, step.decisions.provisioned
        floor, least = self._floor_of(step.fleet), self._least_of(step.fleet)
        is_free = (units >= least) & (units <= self._schedule.ceiling)
        is_held = (units == provisioned) | np.isnan(units)
        for slot in np.flatnonzero(~is_free & ~is_held).tolist():
            self.break_law("bounds", f"{step.fleet.target(slot)}: {units[slot]}")
        for slot in np.flatnonzero(step.decisions.action < 0).tolist():
            at = step.fleet.target(slot)
            if units[slot] < floor[slot]:
                for what in self.idle.judge(process, at.resource, at.dimension, units[slot]):
                    self.break_law("idle", f"{at} from {provisioned[slot]}: {what}")
                continue
            number = self._numbers[at.resource]
            heard = self.of(process).heard[number, at.dimension]
            step_known = self._largest_step((number, int(at.dimension)), until=heard.newest - 2)
            for what in self._judge_decrease(heard, float(units[slot]), step_known):
                self.break_law(
                    "decreases", f"{at} from {provisioned[slot]} to {units[slot]}: {what}"
                )

    def _largest_step(self, at: tuple[int, int], *, until: int) -> float:
        """Any process was told of: what one has learned of spikes the next one takes up."""
        return max(seen.heard[at].largest_step(0, until) for seen in self._seen.values())

    def _judge_decrease(self, heard: Heard, units: float, step_known: float) -> Iterator[str]:
        newest = heard.newest
        silent_s = self._now - heard.advanced_at
        if silent_s > _SILENT_S + self._schedule.lag_s:
            yield f"nothing was heard for {silent_s:.1f} s"
        if newest - heard.refused_at < _THROTTLE_MEMORY_S:
            yield f"throttled {newest - heard.refused_at:.0f} s before the newest second told of"
        usual, now = heard.mean(newest - 62, newest - 2), heard.mean(newest - 2, newest + 1)
        if usual and now and _has_surged(usual, now, step_known):
            yield f"demand has gone from {usual:.1f} to {now:.1f}"
        # What is usual lags a step within the last minute, and the bucket carries the rest.
        # One that has just begun knows from a snapshot what its predecessor was told.
        is_new = heard.mean(newest - 119, newest - 59) is None
        spans, share = ((60, 120), 0.8) if is_new else ((30, 60, 120), 0.97)
        means = [heard.mean(newest + 1 - seconds, newest + 1) for seconds in spans]
        least = min((mean for mean in means if mean is not None), default=0.0)
        if units < share * least and units < self._schedule.ceiling:
            yield f"demand was {least:.1f} in the last minutes"

    def _floor_of(self, fleet: Fleet) -> Floats:
        known, floor = self._bounds
        if fleet is not known:
            floors = [float(self._schedule.floor[r.table]) for r in fleet.resources]
            floor = np.repeat(np.array(floors), len(Dimension))
            self._bounds = (fleet, floor)
        return floor

    def _least_of(self, fleet: Fleet) -> Floats:
        if not self._schedule.idle:
            return self._floor_of(fleet)
        least = [float(self.idle.least(resource.table)) for resource in fleet.resources]
        return np.repeat(np.array(least), len(Dimension))

    def _has_clock_jumped(self) -> bool:
        """Lately: a clock put back makes everything look younger than it is."""
        return any(abs(self._now - at) < 12 for d in self._jumps for at in (d.since, d.until))

    def break_law(self, law: str, what: str) -> None:
        self.violations.append(Violation(self._now, law, what))


def _judge_shape(parameters: Any) -> Iterator[str]:
    if unlisted := parameters.keys() - _SENDABLE:
        yield f"sends {sorted(unlisted)}"
    members = [parameters["ProvisionedThroughput"]] if "ProvisionedThroughput" in parameters else []
    for update in parameters.get("GlobalSecondaryIndexUpdates", ()):
        if update.keys() != {"Update"}:
            yield f"does {sorted(update)} to an index"
            continue
        if update["Update"].keys() != {"IndexName", "ProvisionedThroughput"}:
            yield f"sends {sorted(update['Update'])} of an index"
        members.append(update["Update"]["ProvisionedThroughput"])
    if not members and "BillingMode" not in parameters:
        yield "asks for nothing"
    for member in members:
        if member.keys() != _BOTH or not all(type(v) is int and v >= 1 for v in member.values()):
            yield f"{member} is not both dimensions, each 1 or more"


def _has_surged(usual: float, now: float, largest_step: float) -> bool:
    """By more than demand has ever been told to jump up or down, which noise would explain."""
    return now > max(2 * usual, 30) and now - usual > largest_step


def _is_made_again(seen: Witnessed, call: Call) -> bool:
    """Whether the table's last call asked for the same and failed."""
    last = seen.updates[call.table][-1]
    return last.error is not None and last.asked == call.asked


def _statuses(table: Any) -> dict[str, str]:
    indexes = table.get("GlobalSecondaryIndexes", ())
    return {"": table["TableStatus"]} | {i["IndexName"]: i["IndexStatus"] for i in indexes}


def _units_of(table: Any) -> Units:
    indexes = {i["IndexName"]: i for i in table.get("GlobalSecondaryIndexes", ())}
    return {
        index: (
            described["ProvisionedThroughput"]["ReadCapacityUnits"],
            described["ProvisionedThroughput"]["WriteCapacityUnits"],
        )
        for index, described in ({"": table} | indexes).items()
    }
