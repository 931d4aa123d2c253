"""Push notifications: an audience told within seconds, of whom some look at once, some later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from capacity_pilot.core.fleet import Floats, Ints
from capacity_pilot.simulator.generator.rhythm import DAY_S

DELIVERY_S: Final = 4
OPEN_RATE: Final = 0.05
_AT_ONCE: Final = (0.6, 75.0)  # share of those who open, and their mean delay in seconds
_LATER: Final = (0.4, 900.0)
_FORGOTTEN_S: Final = 3 * 3600
_HOURS: Final = (8.0, 12.5, 20.0)  # announced pushes leave at these hours
_UNANNOUNCED_PER_DAY: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Sent evenly over ``lasts_s`` whole seconds from ``at_s`` on.

    ``opens`` is how many people come of it, in seconds of people's mean traffic.
    """

    at_s: int
    lasts_s: int
    opens: float
    is_announced: bool

    def opened(self, t: Floats) -> Floats:
        """People coming per second at ``t``, relative to their mean traffic."""
        since = t - self.at_s - DELIVERY_S
        return self.opens / self.lasts_s * (_come(since) - _come(since - self.lasts_s))

    def sent(self, second: Ints, audience: int) -> Ints:
        """Recipients reached in each second; over the whole push, ``audience``."""
        begun = np.clip(second - self.at_s, 0, self.lasts_s)
        done = np.clip(second - self.at_s + 1, 0, self.lasts_s)
        return audience * done // self.lasts_s - audience * begun // self.lasts_s


def draw_pushes(rng: np.random.Generator, seconds: int) -> tuple[Push, ...]:
    """Three announced ones a day, give or take seconds, and about one that nobody announced."""
    pushes = [
        Push(
            at_s=int(day * DAY_S + hour * 3600 + rng.integers(0, 30)),
            lasts_s=int(rng.integers(15, 60)),
            opens=float(rng.lognormal(np.log(250), 0.6)),
            is_announced=True,
        )
        for day in range(-(-seconds // DAY_S))
        for hour in _HOURS
    ]
    pushes += [
        Push(
            at_s=int(rng.integers(0, seconds)),
            lasts_s=int(rng.integers(5, 20)),
            opens=float(rng.lognormal(np.log(350), 0.6)),
            is_announced=False,
        )
        for _ in range(rng.poisson(_UNANNOUNCED_PER_DAY * seconds / DAY_S))
    ]
    return tuple(sorted(pushes, key=lambda push: push.at_s))


def opened_of(pushes: tuple[Push, ...], t: Floats) -> Floats:
    """People all pushes bring, per second at ``t`` (rising), relative to their mean traffic."""
    total = np.zeros(len(t))
    for push in pushes:
        begin, end = np.searchsorted(t, (push.at_s, push.at_s + _FORGOTTEN_S))
        total[begin:end] += push.opened(t[begin:end])
    return total


def sent_of(pushes: tuple[Push, ...], second: Ints, *, people_per_s: float) -> Ints:
    """Recipients of announced pushes in each second (rising), whole numbers."""
    total = np.zeros(len(second), dtype=np.int64)
    for push in pushes:
        if push.is_announced:
            audience = round(push.opens * people_per_s / OPEN_RATE)
            begin, end = np.searchsorted(second, (push.at_s, push.at_s + push.lasts_s))
            total[begin:end] += push.sent(second[begin:end], audience)
    return total


def _come(since: Floats) -> Floats:
    """Share of those who open that has come ``since`` seconds after delivery."""
    waited = np.maximum(since, 0.0)
    share: Floats = sum(
        (share * -np.expm1(-waited / delay) for share, delay in (_AT_ONCE, _LATER)),
        start=np.zeros(len(waited)),
    )
    return share
