"""Stories about one fleet, told in time: ``story.at("5m", demand=0).expect(HOLD, STABILIZING)``.

The story keeps a tiny world: demand second by second, telemetry that tells of it some seconds
later, and tables that take an apply time to change and count their decreases as AWS does. It ticks
once a second and sends what the plan says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from capacity_pilot.core.brakes import NO_BRAKES, Brakes
from capacity_pilot.core.braking import spread_brakes
from capacity_pilot.core.burst import BurstState
from capacity_pilot.core.demand import Arrivals
from capacity_pilot.core.events.lookout import EMPTY_AGENDA, Lookout
from capacity_pilot.core.fleet import Bools, Fleet, Floats
from capacity_pilot.core.model import AccountLimits, Dimension, Plan, Resource
from capacity_pilot.core.plan import plan_changes
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.core.policy_arrays import PolicyArrays, spread_policies
from capacity_pilot.core.ports import Agenda
from capacity_pilot.core.reasons import Reason, explain_reasons
from capacity_pilot.core.tick import Capacity, Decisions, Inputs, PilotState, tick

OUT, HOLD, IN = 1, 0, -1
MIDNIGHT = 20_000 * 86_400.0
"""The 00:00 UTC on which every story's day begins."""

FEED = Resource("feed")
BY_AUTHOR = Resource("feed", "by-author")
USERS = Resource("users")

Units = float | None
"""What a target is asked for in a second; ``None`` is a target nobody tells anything of."""

_TIME = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def seconds(time: str) -> int:
    """``"1h2m3s"`` in seconds."""
    match = _TIME.fullmatch(time)
    assert match is not None, time
    hours, minutes, rest = (int(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + rest


def arrivals(*entries: tuple[int, int, float], refusals: float = 0.0) -> Arrivals:
    """Arrivals of (slot, second, units)."""
    slots, at, units = np.array(entries, dtype=np.float64).reshape(-1, 3).T
    return Arrivals(
        slots.astype(np.int64), at.astype(np.int64), units, np.full(len(units), refusals)
    )


def policy(fleet: Fleet, **changes: float | bool) -> PolicyArrays:
    """Every slot managed between 1 and 40 000 units, unless changed."""
    size = len(fleet)
    values: dict[str, float | bool] = {
        "is_managed": True,
        "floor": 1.0,
        "ceiling": 40_000.0,
        "caution": 1.0,
        "burst_reliance": 0.5,
        "stabilization_s": 600.0,
        "reserve_decreases": 1.0,
        "safe": np.nan,
        "hand_back_after_s": 1800.0,
    }
    spread: dict[str, Any] = {n: np.full(size, value) for n, value in (values | changes).items()}
    return PolicyArrays(**spread)


@dataclass(slots=True)
class Tables:
    """What DynamoDB would do with the plans: apply them later, count decreases, refuse too many.

    All arrays are (n,); a resource's count stands in both of its slots, as DescribeTable's does.
    """

    fleet: Fleet
    provisioned: Floats
    apply_s: float
    decreases_today: Floats = field(init=False)
    last_decrease_at: Floats = field(init=False)
    day: float = field(init=False, default=0.0)
    in_force_at: dict[str, tuple[float, Plan]] = field(init=False, default_factory=dict)
    decreases: list[tuple[Resource, float]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.decreases_today = np.zeros(len(self.fleet))
        self.last_decrease_at = np.full(len(self.fleet), np.nan)

    def advance(self, now: float) -> None:
        """Starts the day's count anew at midnight, and brings into force what is due."""
        if now // 86_400 != self.day:
            self.day = now // 86_400
            self.decreases_today = np.zeros(len(self.fleet))
        for table, (due, plan) in list(self.in_force_at.items()):
            if due <= now:
                del self.in_force_at[table]
                provisioned = self.provisioned.copy()
                for change in plan.changes:
                    first = self.fleet.slot(change.resource, Dimension.READ)
                    assert first is not None
                    provisioned[first : first + 2] = change.read, change.write
                self.provisioned = provisioned

    def take(self, plan: Plan, now: float) -> None:
        """Takes a plan as UpdateTable would, and fails the test where AWS would refuse."""
        assert plan.table not in self.in_force_at, f"{plan.table} is UPDATING"
        counts, lasts = self.decreases_today.copy(), self.last_decrease_at.copy()
        for change in plan.changes:
            first = self.fleet.slot(change.resource, Dimension.READ)
            assert first is not None
            pair = slice(first, first + 2)
            if (np.array([change.read, change.write]) < self.provisioned[pair]).any():
                is_hourly = not now - lasts[first] < 3600
                assert counts[first] < 4 or is_hourly, "AWS's decrease quota is exceeded"
                counts[pair] += 1
                lasts[pair] = now
                self.decreases.append((change.resource, now))
        self.decreases_today, self.last_decrease_at = counts, lasts
        self.in_force_at[plan.table] = (now + self.apply_s, plan)

    def describe(self, now: float) -> Capacity:
        return Capacity(
            provisioned=self.provisioned,
            is_changeable=self._settled(),
            decreases_today=self.decreases_today,
            last_decrease_at=self.last_decrease_at,
            described_at=np.full(len(self.fleet), now),
        )

    def _settled(self) -> Bools:
        tables = [r.table not in self.in_force_at for r in self.fleet.resources]
        return np.repeat(np.array(tables, dtype=np.bool_), 2)


class Story:
    """A fleet, its policy and its world, told second by second.

    Demand, lag and the other ``at`` changes hold from that second on. Expectations are about the
    write dimension of ``feed`` unless another slot is named.
    """

    def __init__(
        self,
        *,
        resources: tuple[Resource, ...] = (FEED,),
        write: tuple[int, int] = (10, 10_000),
        read: tuple[int, int] | None = None,
        provisioned: Mapping[tuple[Resource, Dimension], float] | float = 100.0,
        demand: Units = 50.0,
        lag: int = 1,
        apply_s: float = 3.0,
        starts: str = "9h",
        bucket: float = 0.0,
        noise: float = 0.0,
        refusals: float = 0.0,
        reserve: int = 1,
        stabilization: str = "10m",
        agenda: Agenda = EMPTY_AGENDA,
    ) -> None:
        self.fleet = Fleet.of(resources)
        size = len(self.fleet)
        self.slot = self._slot(FEED, Dimension.WRITE)
        self.policy = spread_policies(
            _policies(write, read, reserve, stabilization), self.fleet, AccountLimits()
        )
        levels = np.full(size, provisioned if isinstance(provisioned, float) else 100.0)
        if not isinstance(provisioned, float):
            for (resource, dimension), units in provisioned.items():
                levels[self._slot(resource, dimension)] = units
        self.start = MIDNIGHT + seconds(starts)
        self.now = self.start - 1
        self.tables = Tables(self.fleet, levels, apply_s)
        self.demand: dict[int, Units] = {self.slot: demand}
        self.lag, self.refusals = lag, refusals
        self.is_telling, self.is_described = True, True
        self.brakes = NO_BRAKES
        self.slower: dict[int, int] = {}
        self.noise = noise
        self._draw = np.random.default_rng(7)
        self._underway: list[tuple[float, tuple[int, int, float], float]] = []
        empty = PilotState.empty(size, self.start)
        filled = replace(BurstState.empty(size), units=np.full(size, bucket))
        self.state = replace(empty, burst=filled)
        self.lookout = Lookout(agenda, policy_number=lambda _: 0, now=self.start)
        self.lookout.refit(self.fleet)
        self.told: list[tuple[float, Decisions]] = []
        self.plans: list[Plan] = []
        self._since = 0

    # --- telling -------------------------------------------------------------------------------

    def at(
        self,
        time: str,
        *,
        demand: Units | str = "",
        other: tuple[Resource, Dimension, Units] | None = None,
        lag: int | None = None,
        refusals: float | None = None,
        slower: tuple[Resource, Dimension, int] | None = None,
        telemetry: bool | None = None,
        described: bool | None = None,
        brakes: Brakes | None = None,
    ) -> Self:
        """Lets the story run to ``time``; what is named changes then, and one tick sees it."""
        self._run_before(self.start + seconds(time))
        self._since = len(self.told)
        if not isinstance(demand, str):
            self.demand[self.slot] = demand
        if other is not None:
            self.demand[self._slot(*other[:2])] = other[2]
        if slower is not None:
            self.slower[self._slot(*slower[:2])] = slower[2]
        self.lag = self.lag if lag is None else lag
        self.refusals = self.refusals if refusals is None else refusals
        self.is_telling = self.is_telling if telemetry is None else telemetry
        self.is_described = self.is_described if described is None else described
        self.brakes = self.brakes if brakes is None else brakes
        self._second()
        return self

    def until(self, time: str) -> Self:
        """Lets the story run up to and including ``time``."""
        self._run_before(self.start + seconds(time) + 1)
        return self

    def ramp(self, until: str, *, to: float) -> Self:
        """Demand of ``feed`` climbs or falls in a straight line until it is ``to``."""
        first, last = self.now, self.start + seconds(until)
        begin = self.demand[self.slot] or 0.0
        self._since = len(self.told)
        while self.now < last:
            self.demand[self.slot] = begin + (to - begin) * (self.now + 1 - first) / (last - first)
            self._second()
        return self

    # --- expecting -----------------------------------------------------------------------------

    def expect(
        self,
        action: int,
        because: Reason = Reason.STEADY,
        *,
        units: float | None = None,
        of: tuple[Resource, Dimension] | None = None,
    ) -> Self:
        """The last decision: its action, reasons among which is ``because``, and its units."""
        slot = self.slot if of is None else self._slot(*of)
        decision = self.told[-1][1]
        reasons = int(decision.reasons[slot])
        place = f"{self._clock()}: {explain_reasons(reasons)}, {decision.units[slot]} units"
        assert decision.action[slot] == action, place
        assert reasons & because == because, place
        if units is not None:
            assert decision.units[slot] == units, place
        return self

    def expect_only(self, action: int) -> Self:
        """Every decision since the last ``at`` or ``ramp`` was ``action``, for every slot."""
        for now, decision in self.told[self._since :]:
            place = f"{now - self.start:.0f}s: {explain_reasons(int(decision.reasons.max()))}"
            assert (decision.action == action).all(), place
        return self

    def expect_within(self, seconds_: int, action: int, because: Reason = Reason.STEADY) -> Self:
        """Lets the story run until ``action`` is decided, at most ``seconds_`` from here."""
        for _ in range(seconds_):
            if self.told[-1][1].action[self.slot] == action:
                break
            self._second()
        return self.expect(action, because)

    def count(self, action: int) -> int:
        """How many decisions since the last ``at`` or ``ramp`` were ``action``, over all slots."""
        return sum(int((d.action == action).sum()) for _, d in self.told[self._since :])

    def series(self, what: Callable[[Decisions], Floats]) -> Floats:
        """A decision's array since the last ``at`` or ``ramp``, for ``feed``'s write dimension."""
        return np.array([what(d)[self.slot] for _, d in self.told[self._since :]])

    @property
    def provisioned(self) -> float:
        return float(self.tables.provisioned[self.slot])

    # --- the world -----------------------------------------------------------------------------

    def _run_before(self, end: float) -> None:
        assert end > self.now, f"the story is past that already: {self._clock()}"
        while self.now + 1 < end:
            self._second()

    def _second(self) -> None:
        self.now += 1
        self.tables.advance(self.now)
        # What was asked for in the second that just ended is told ``lag`` seconds later.
        for slot, units in self.demand.items():
            if units is not None and self.is_telling:
                wobble = self.noise * self._draw.standard_normal()
                entry = (slot, int(self.now) - 1, max(units * (1 + wobble), 0.0))
                due_at = self.now - 1 + self.lag + self.slower.get(slot, 0)
                self._underway.append((due_at, entry, self.refusals))
        due = [(entry, refused) for at, entry, refused in self._underway if at <= self.now]
        self._underway = [item for item in self._underway if item[0] > self.now]
        told = arrivals(*(entry for entry, _ in due))
        size = len(self.fleet)
        apply_time_s = np.full(size, max(self.tables.apply_s, 1.0))
        inputs = Inputs(
            arrivals=told._replace(refusals=np.array([refused for _, refused in due])),
            capacity=self.tables.describe(self.now)
            if self.is_described
            else Capacity.unknown(size),
            policy=self.policy,
            apply_time_s=apply_time_s,
            table_of=self.fleet.table_of,
            schedule=self.lookout.look(
                self.state.demand,
                self.now,
                apply_time_s=apply_time_s,
                burst_units=self.state.burst.units * self.policy.burst_reliance,
            ),
            braking=spread_brakes(self.brakes.in_force(self.now), self.fleet),
        )
        self.state, decisions = tick(self.state, inputs, self.now)
        self.lookout.learn(self.state.demand, self.now)
        self.told.append((self.now, decisions))
        for plan in plan_changes(self.fleet, decisions, self.now):
            self.plans.append(plan)
            self.tables.take(plan, self.now)

    def _slot(self, resource: Resource, dimension: Dimension) -> int:
        slot = self.fleet.slot(resource, dimension)
        assert slot is not None
        return slot

    def _clock(self) -> str:
        return f"{(self.now - self.start) // 60:.0f}m{(self.now - self.start) % 60:.0f}s"


def _policies(
    write: tuple[int, int], read: tuple[int, int] | None, reserve: int, stabilization: str
) -> PolicySet:
    bounds = {"write": {"min": write[0], "max": write[1]}}
    if read is not None:
        bounds["read"] = {"min": read[0], "max": read[1]}
    scale_in = {"stabilization": stabilization, "reserve_decreases": reserve}
    table = {"name": "all", "match": {"tables": ["*"]}, "scale_in": scale_in, **bounds}
    return PolicySet.model_validate({"version": 1, "policies": [table]})
