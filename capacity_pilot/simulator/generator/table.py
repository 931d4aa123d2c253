"""One table's seconds, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from capacity_pilot.core.fleet import Floats, Ints
from capacity_pilot.simulator.generator.incidents import (
    Launch,
    Outage,
    draw_launch,
    draw_outages,
)
from capacity_pilot.simulator.generator.jobs import (
    Job,
    draw_hourly,
    draw_nightly,
    draw_visits,
    work_of,
)
from capacity_pilot.simulator.generator.kinds import KINDS, Kind
from capacity_pilot.simulator.generator.pushes import (
    Push,
    draw_news,
    draw_pushes,
    opened_of,
    sent_of,
)
from capacity_pilot.simulator.generator.rhythm import DAY_S, Drift, activity
from capacity_pilot.simulator.generator.streams import stream_of

FEED_LAGS_S: Final = (1, 2)  # shorter, longer
_LATER_SHARE: Final = 0.4  # of the feed's requests, those that reach the table after the longer lag
_UNITS_PER_REQUEST: Final = (1.0, 4.0)  # a table's own, between these


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSpec:
    """What to make. ``kind`` is one of ``KINDS``; ``mean`` units/s before the kind's size.

    ``table`` tells tables of the same app (the same seed) apart.
    """

    kind: str
    days: float
    mean: float
    seed: int
    table: int = 0

    @property
    def seconds(self) -> int:
        return round(self.days * DAY_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Consecutive seconds of one file, whole numbers, all (seconds of the block,)."""

    t_s: Ints
    count: Ints
    push_sent: Ints
    route_feed: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class _Story:
    """All that happens to one table, before any count is drawn."""

    kind: Kind
    pushes: tuple[Push, ...]
    outages: tuple[Outage, ...]
    launch: Launch | None
    jobs: list[Job]
    drift: Drift
    answer: float

    def people(self, t: Floats) -> Floats:
        """Feed requests per second, relative to their mean in a social app."""
        ordinary = activity(t) * self.drift.at(t)
        if self.launch:
            ordinary *= self.launch.factor(t)
        ordinary += self.answer * opened_of(self.pushes, t)
        for outage in self.outages:
            ordinary *= outage.share(t)
        for outage in self.outages:
            ordinary += self.answer * outage.retries(t)
        return self.kind.people * ordinary


class _Feed:
    """Carries requests from the feed route to the table, a second or two later."""

    __slots__ = ("_later", "_under_way")

    def __init__(self, rng: np.random.Generator) -> None:
        self._later = rng
        self._under_way = np.zeros(FEED_LAGS_S[1])

    def reach(self, requests: Ints) -> Floats:
        """Requests that reach the table in the seconds in which ``requests`` entered the route."""
        soon, late = FEED_LAGS_S
        later = self._later.binomial(requests, _LATER_SHARE)
        reached = np.zeros(len(requests) + late)
        reached[:late] = self._under_way
        reached[soon : soon + len(requests)] += requests - later
        reached[late:] += later
        self._under_way = reached[len(requests) :].copy()
        return reached[: len(requests)]


def generate_blocks(spec: TableSpec, *, block_s: int = DAY_S) -> Iterator[Block]:
    """The table's seconds in blocks of ``block_s``, which changes no number.

    The mean of ``count`` is ``spec.mean`` times the kind's size, but for what Poisson arrivals
    leave to chance. Memory: some 200 bytes per second of a block, 10 per minute of the whole.
    """
    story = _tell(spec)
    units_per_request = float(
        stream_of(spec.seed, "units", table=spec.table).uniform(*_UNITS_PER_REQUEST)
    )
    scale = spec.mean * story.kind.size / _mean_level(story, spec.seconds)
    people_per_s = spec.mean * len(_UNITS_PER_REQUEST) / sum(_UNITS_PER_REQUEST)
    entering = stream_of(spec.seed, "requests", table=spec.table)
    asking = stream_of(spec.seed, "counts", table=spec.table)
    feed = _Feed(stream_of(spec.seed, "lags", table=spec.table))
    # Begun a little early, so that the first seconds have requests under way like any other.
    begin = -FEED_LAGS_S[1]
    while begin < spec.seconds:
        end = min(max(begin, 0) + block_s, spec.seconds)
        second = np.arange(begin, end)
        t = second + np.float64(0.5)
        requests = entering.poisson(story.people(t) * scale / units_per_request)
        count = asking.poisson(
            units_per_request * feed.reach(requests) + scale * work_of(story.jobs, t)
        )
        sent = sent_of(story.pushes, second, people_per_s=people_per_s)
        inside = slice(max(-begin, 0), None)
        yield Block(
            t_s=second[inside],
            count=count[inside],
            push_sent=sent[inside],
            route_feed=requests[inside],
        )
        begin = end


def _tell(spec: TableSpec) -> _Story:
    kind, seed, seconds = KINDS[spec.kind], spec.seed, spec.seconds
    own = stream_of(seed, "jobs", table=spec.table)
    jobs: list[Job] = []
    if kind.nightly:
        jobs += draw_nightly(own, seconds, level=kind.nightly)
    if kind.hourly:
        jobs += draw_hourly(own, seconds, level=kind.hourly)
    if kind.visits:
        jobs += draw_visits(own, seconds, level=kind.visits)
    pushes = draw_pushes(stream_of(seed, "pushes"), seconds) if kind.has_pushes else ()
    news = draw_news(stream_of(seed, "news"), seconds) if kind.has_news else ()
    return _Story(
        kind=kind,
        pushes=pushes + news,
        outages=draw_outages(stream_of(seed, "outages"), seconds) if kind.has_outages else (),
        launch=draw_launch(stream_of(seed, "launch"), seconds) if kind.has_launch else None,
        jobs=jobs,
        drift=Drift(stream_of(seed, "drift", table=spec.table), seconds),
        answer=float(stream_of(seed, "answer", table=spec.table).lognormal(0.0, 0.3)),
    )


def _mean_level(story: _Story, seconds: int) -> float:
    """Mean of all that reaches the table, always added up in the same blocks."""
    total = 0.0
    for begin in range(0, seconds, DAY_S):
        t = np.arange(begin, min(begin + DAY_S, seconds)) + np.float64(0.5)
        total += float(np.sum(story.people(t) + work_of(story.jobs, t)))
    return total / seconds
