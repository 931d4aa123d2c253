"""What on-demand tables are asked for, and what provisioned capacity would have cost instead.

On-demand tables have no capacity to set, so that nothing of them is decided. Their demand is kept
by the hour, as spans tell of it, and weighed by price once a day of it is known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from capacity_pilot.core.model import BillingMode, ScalableTarget
from capacity_pilot.core.prices import USD_PER_MILLION_REQUEST_UNITS, USD_PER_UNIT_HOUR

LEAST_HOURS: Final = 24
"""Hours with demand before anything is advised: a day's trough is part of the price."""

HEADROOM: Final = 1.25
"""Capacity bought for the highest minute of an hour. The pilot mostly does with less; but an hour
is what a decrease takes after the first few of a day, so that its highest minute is paid for."""

_KEPT_HOURS: Final = 7 * 24
_SETTLED_S: Final = 180  # late spans are taken for up to 128 s
_WORTH_IT: Final = 0.8
_MINUTE_S, _HOUR_S = 60, 3600


@dataclass(frozen=True, slots=True)
class Hour:
    """Units asked for in an hour, and units per second in its highest minute."""

    units: float
    peak: float


Hours = Mapping[ScalableTarget, Mapping[int, Hour]]
"""By target and Unix hour; an hour that nothing was told of is not there."""


@dataclass(frozen=True, slots=True)
class Weighing:
    """Both prices in US dollars an hour, means over ``hours``, and the mode that is advised."""

    hours: int
    on_demand_usd: float
    provisioned_usd: float
    advised: BillingMode


def weigh(hours: Hours) -> Weighing | None:
    """What a table and its indexes cost on demand, and what provisioned capacity would have cost
    that had followed each hour's highest minute; ``None`` while too little is known.

    A switch is advised where it saves a fifth at least: less is not worth capacity to mind.
    """
    numbers = {number for told in hours.values() for number in told}
    if len(numbers) < LEAST_HOURS:
        return None
    on_demand = provisioned = 0.0
    for target, told in hours.items():
        units = sum(hour.units for hour in told.values())
        on_demand += units * USD_PER_MILLION_REQUEST_UNITS[target.dimension] / 1e6
        held = sum(max(math.ceil(hour.peak * HEADROOM), 1) for hour in told.values())
        held += len(numbers) - len(told)  # the least there is
        provisioned += held * USD_PER_UNIT_HOUR[target.dimension]
    is_cheaper = provisioned <= on_demand * _WORTH_IT
    return Weighing(
        hours=len(numbers),
        on_demand_usd=on_demand / len(numbers),
        provisioned_usd=provisioned / len(numbers),
        advised=BillingMode.PROVISIONED if is_cheaper else BillingMode.PAY_PER_REQUEST,
    )


class RequestLedger:
    """Demand of on-demand tables' targets, by minute while it may still change, then by hour."""

    def __init__(self) -> None:
        self._minutes: dict[ScalableTarget, dict[int, float]] = {}
        self._hours: dict[ScalableTarget, dict[int, Hour]] = {}

    def add(self, target: ScalableTarget, second: int, units: float) -> None:
        minutes = self._minutes.setdefault(target, {})
        minute = second // _MINUTE_S
        minutes[minute] = minutes.get(minute, 0.0) + units

    def settle(self, now: float) -> None:
        """Enters the minutes that are told of by now into their hours, and forgets old hours."""
        settled = int(now - _SETTLED_S) // _MINUTE_S
        for target, minutes in self._minutes.items():
            hours = self._hours.setdefault(target, {})
            for minute in [each for each in minutes if each < settled]:
                units = minutes.pop(minute)
                hour = hours.get(minute * _MINUTE_S // _HOUR_S, Hour(0.0, 0.0))
                peak = max(hour.peak, units / _MINUTE_S)
                hours[minute * _MINUTE_S // _HOUR_S] = Hour(hour.units + units, peak)
        oldest = int(now) // _HOUR_S - _KEPT_HOURS
        for hours in self._hours.values():
            for number in [each for each in hours if each < oldest]:
                del hours[number]

    def demand(self, target: ScalableTarget, now: float) -> float | None:
        """Units per second in the last whole minute, ``None`` where nothing was told of it."""
        units = self._minutes.get(target, {}).get(int(now) // _MINUTE_S - 1)
        return None if units is None else units / _MINUTE_S

    def hours(self, targets: Iterable[ScalableTarget]) -> Hours:
        """What is settled of these targets; the present hour is not over, and is left out."""
        newest = {t: max(hours) for t in targets if (hours := self._hours.get(t))}
        last = max(newest.values(), default=0)
        return {
            target: {n: hour for n, hour in self._hours[target].items() if n < last}
            for target in newest
        }

    def remember(self) -> Hours:
        """All that is settled; nothing in it changes later."""
        return {target: dict(hours) for target, hours in self._hours.items()}

    def recall(self, earlier: Hours) -> None:
        """Takes up what an earlier pilot settled, but for hours that are known here."""
        for target, told in earlier.items():
            self._hours[target] = {**told, **self._hours.get(target, {})}

    def forget(self, targets: Iterable[ScalableTarget]) -> None:
        for target in targets:
            self._minutes.pop(target, None)
            self._hours.pop(target, None)
