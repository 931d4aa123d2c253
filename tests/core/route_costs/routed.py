"""A table whose callers' spans name neither table nor units, behind routes whose requests do show.

Told second by second, as ``tests.core.coverage.watched``: requests of a second are told a second
late, CloudWatch's minutes when they are out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from capacity_pilot.core.model import ConsumedMinute, Dimension, Sample
from capacity_pilot.core.pilot import Pilot, Step
from capacity_pilot.core.reasons import Reason
from capacity_pilot.core.route_costs import RouteCosts
from tests.core.feed_table import FEED, describe_feed, make_pilot, slot_of_feed
from tests.core.scenario import MIDNIGHT, seconds


@dataclass(slots=True)
class Routed:
    """``rates`` are requests a second by route, ``costs`` the units each takes; ``by_itself`` are
    units a second no request brings. Rates wander by ``wander`` from minute to minute.
    """

    rates: dict[str, float]
    costs: dict[str, float]
    by_itself: float = 0.0
    wander: float = 0.4
    share_traced: float = 0.0
    is_told: bool = True
    provisioned: int = 4000
    lag_s: int = 60
    pilot: Pilot = field(init=False)
    now: float = field(init=False)
    start: float = field(init=False)
    step: Step = field(init=False)
    seen: list[tuple[float, float]] = field(init=False, default_factory=list)
    _true: dict[int, float] = field(init=False, default_factory=dict)
    _minutes: dict[int, float] = field(init=False, default_factory=dict)
    _swing: dict[str, float] = field(init=False, default_factory=dict)
    _draw: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.start = self.now = MIDNIGHT + seconds("9h")
        self._draw = np.random.default_rng(5)
        self.pilot = make_pilot(self.now)

    def until(self, time: str) -> Routed:
        """Lets the story run up to ``time`` after its start."""
        self.seen.clear()
        while self.now < self.start + seconds(time):
            self._second()
        return self

    @property
    def routes(self) -> RouteCosts:
        return self.pilot.routes

    @property
    def slot(self) -> int:
        return slot_of_feed(self.pilot)

    @property
    def is_used(self) -> bool:
        return bool(self.routes.is_used[self.slot])

    def cost(self, route: str) -> float:
        """Units a request of the route takes, as found."""
        number = self.pilot.signals.names.index(("", route))
        return float(self.routes.costs[number, self.slot])

    @property
    def drifted(self) -> str | None:
        """The route whose cost was last noticed to have changed."""
        number = int(self.routes.drifted[self.slot])
        return None if number < 0 else self.pilot.signals.names[number][1]

    @property
    def doubts(self) -> Reason:
        return Reason(int(self.pilot.coverage.doubts[self.slot]))

    def miss(self) -> float:
        """How far demand seen is from the true one in the last two minutes, as a share of it."""
        told, true = np.array(self.seen[-120:]).mean(axis=0)
        return float(abs(told - true) / true)

    def _second(self) -> None:
        self.now += 1
        ended = int(self.now) - 1
        if ended % 60 == 0 or not self._swing:
            self._swing = {r: float(np.exp(self._draw.normal(0, self.wander))) for r in self.rates}
        requests = {r: int(self._draw.poisson(v * self._swing[r])) for r, v in self.rates.items()}
        units = self.by_itself + sum(n * self.costs[r] for r, n in requests.items())
        self._true[ended] = units
        self._minutes[ended // 60] = self._minutes.get(ended // 60, 0.0) + units
        if (ended + 1) % 30 == 0:
            self.pilot.observe(describe_feed(self.provisioned, at=self.now))
        if (ended + 1) % 60 == self.lag_s % 60 and len(self.pilot.fleet):
            self._read()
        samples = {}
        if self.share_traced:
            key = ("feed", "", int(Dimension.WRITE), ended)
            samples[key] = Sample(self.share_traced * units, 100.0)
        told = {("", route, ended): float(n) for route, n in requests.items()}
        self.step = self.pilot.step(samples, self.now, signals=told if self.is_told else {})
        if len(self.pilot.fleet):
            self.seen.append((float(self.step.decisions.demand[self.slot]), units))

    def _read(self) -> None:
        latest = int(self.now - self.lag_s) // 60 - 1
        for query in self.pilot.choose_readings(self.now):
            if query.target == FEED:
                self.pilot.note_consumed(
                    ConsumedMinute(target=FEED, minute=minute, units=self._minutes[minute])
                    for minute in range(latest - 14, latest + 1)
                    if minute in self._minutes
                )
