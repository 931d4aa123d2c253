"""How news of demand reach the pilots: late, twice, in part, or never."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.model import Sample, SampleKey
from tests.chaos.faults import BadTelemetry
from tests.chaos.schedule import Schedule
from tests.chaos.virtual_time import VirtualLoop
from tests.chaos.worlds import Served

Deliver = Callable[["News"], None]


@dataclass(frozen=True, slots=True)
class News:
    """Demand of one second (of the run), by target number and dimension: units and what was
    refused of them.
    """

    second: int
    told: dict[tuple[int, int], tuple[float, float]]

    def samples(self, schedule: Schedule) -> dict[SampleKey, Sample]:
        """As spans tell of it. Made anew for whoever is told: a sample is added to."""
        second = int(schedule.began_at) + self.second
        return {
            (resource.table, resource.index, dimension, second): Sample(
                units=units, requests=units, throttled=refused, refusals=refused
            )
            for (number, dimension), (units, refused) in self.told.items()
            for resource in (schedule.targets[number].resource,)
        }


class Telemetry:
    """Takes every second as it was served, and delivers what the schedule lets through."""

    def __init__(self, schedule: Schedule, loop: VirtualLoop, deliver: Deliver) -> None:
        self._schedule = schedule
        self._loop = loop
        self._deliver = deliver
        self._faults = [f for f in schedule.faults if isinstance(f, BadTelemetry)]
        self._kept: list[News] = []

    def observe(self, second: int, served: Served) -> None:
        told = {
            (number, dimension): (float(units), float(served.throttled[number, dimension]))
            for (number, dimension), units in _nonzero(served)
        }
        news = News(second, told)
        self._kept.append(news)
        late_s, times = 1.0 + self._schedule.lag_s, 1
        for fault in self._faults:
            if second not in fault.during:
                continue
            match fault.kind:
                case "silent":
                    times = 0
                case "late":
                    late_s += fault.amount
                case "doubled":
                    times *= 2
                case "thinned":
                    news = _thin(news, fault.amount)
                case _:
                    old = second - int(fault.amount)
                    if old >= 0:
                        self._pass_on(self._kept[old], late_s)
        for _ in range(times):
            self._pass_on(news, late_s)

    def _pass_on(self, news: News, late_s: float) -> None:
        if news.told:
            self._loop.call_later(late_s, self._deliver, news)


def _nonzero(served: Served) -> list[tuple[tuple[int, int], float]]:
    numbers, dimensions = np.nonzero(served.demand)
    units = served.demand[numbers, dimensions]
    places = zip(numbers.tolist(), dimensions.tolist(), strict=True)
    return list(zip(places, units.tolist(), strict=True))


def _thin(news: News, share: float) -> News:
    told = {at: (units * share, refused * share) for at, (units, refused) in news.told.items()}
    return News(news.second, told)
