"""A table whose callers are traced to some share, watched by a pilot that reads CloudWatch.

Told second by second: ``watched.until("5m")``; what changes is set on the story between. Spans come
a second late, CloudWatch's minutes when they are out and asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

import numpy as np

from capacity_pilot.core.model import ConsumedMinute, Dimension, Sample
from capacity_pilot.core.pilot import Pilot, Step
from capacity_pilot.core.reasons import Reason
from tests.core.feed_table import FEED, describe_feed, make_pilot, slot_of_feed
from tests.core.scenario import MIDNIGHT, seconds


@dataclass(slots=True)
class Watched:
    """``demand`` calls of ``size`` units a second, ``share`` of them traced, each span standing
    for ``weight``; ``throttled`` is the share DynamoDB refuses. ``is_told`` and ``is_counted``
    are whether spans arrive, and whether CloudWatch answers. ``revised`` is what share of a
    minute CloudWatch knows at first, the rest comes two minutes later.
    """

    demand: float = 500.0
    size: float = 1.0
    share: float = 1.0
    weight: float = 1.0
    throttled: float = 0.0
    is_told: bool = True
    is_counted: bool = True
    is_throttle_told: bool = True
    revised: float = 1.0
    provisioned: int = 2000
    lag_s: int = 60
    starts: str = "9h"
    usd_per_month: float = inf
    safe: int | None = None
    minimum: int = 1
    idle: dict[str, object] | None = None
    pilot: Pilot = field(init=False)
    now: float = field(init=False)
    start: float = field(init=False)
    step: Step = field(init=False)
    levels: list[float] = field(init=False, default_factory=list)
    readings: list[tuple[float, bool]] = field(init=False, default_factory=list)
    _minutes: dict[int, list[float]] = field(init=False, default_factory=dict)
    _draw: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.start = self.now = MIDNIGHT + seconds(self.starts)
        self._draw = np.random.default_rng(11)
        self.restart()

    def restart(self) -> None:
        """The pilot begins anew, knowing nothing."""
        self.pilot = make_pilot(
            self.now,
            usd_per_month=self.usd_per_month,
            minimum=self.minimum,
            safe=self.safe,
            idle=self.idle,
        )

    def resume(self) -> None:
        """The pilot begins anew, with what the one before remembers."""
        memory = self.pilot.remember(self.now)
        self.restart()
        self.pilot.observe(describe_feed(self.provisioned, at=self.now))
        self.pilot.recall(memory, self.now)

    def until(self, time: str) -> Watched:
        """Lets the story run up to ``time`` after its start."""
        self.levels.clear()
        while self.now < self.start + seconds(time):
            self.until_next()
        return self

    @property
    def slot(self) -> int:
        return slot_of_feed(self.pilot)

    @property
    def coverage(self) -> float:
        return float(self.step.decisions.coverage[self.slot])

    @property
    def factor(self) -> float:
        return float(self.pilot.coverage.factor[self.slot])

    @property
    def doubts(self) -> Reason:
        return Reason(int(self.pilot.coverage.doubts[self.slot]))

    @property
    def seen(self) -> float:
        """Demand as the pilot saw it in the last minute, units per second."""
        return float(np.mean(self.levels[-60:]))

    @property
    def changed_at(self) -> float:
        """Seconds after the start, NaN for never."""
        return float(self.pilot.coverage.changed_at[self.slot]) - self.start

    def until_next(self) -> None:
        """Lets one second pass."""
        self.now += 1
        ended = int(self.now) - 1
        calls = int(self._draw.poisson(self.demand)) if self.demand else 0
        refused = int(self._draw.binomial(calls, self.throttled))
        minute = self._minutes.setdefault(ended // 60, [0.0, 0.0])
        minute[0] += (calls - refused) * self.size
        minute[1] += refused
        samples = {}
        spans = int(self._draw.binomial(calls, self.share))
        if self.is_told and spans:
            lost = int(self._draw.binomial(spans, self.throttled)) * self.is_throttle_told
            units = spans * self.size * self.weight
            key = ("feed", "", int(Dimension.WRITE), ended)
            samples[key] = Sample(
                units, spans, throttled=lost * self.size * self.weight, refusals=lost
            )
        if (ended + 1) % 30 == 0:
            self.pilot.observe(describe_feed(self.provisioned, at=self.now))
        if (ended + 1) % 60 == self.lag_s % 60 and len(self.pilot.fleet):
            self._read()
        self.step = self.pilot.step(samples, self.now)
        if len(self.pilot.fleet):
            self.levels.append(float(self.step.decisions.demand[self.slot]))

    def _read(self) -> None:
        for query in self.pilot.choose_readings(self.now):
            self.readings.append((self.now - self.start, query.with_throttles))
            if not self.is_counted or query.target != FEED:
                continue
            latest = int(self.now - self.lag_s) // 60 - 1
            answers = []
            for minute in range(latest - 14, latest + 1):
                units, refused = self._minutes.get(minute, (0.0, 0.0))
                units *= self.revised if minute > latest - 2 else 1.0
                told = refused if query.with_throttles and refused else None
                is_fifth = query.with_provisioned and minute % 5 == 0
                if units or told or is_fifth:
                    answer = ConsumedMinute(
                        target=FEED,
                        minute=minute,
                        units=units or None,
                        throttle_events=told,
                        has_provisioned=is_fifth,
                    )
                    answers.append(answer)
            self.pilot.note_consumed(answers)
