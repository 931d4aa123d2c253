"""Push notifications: an audience told within seconds to minutes, of whom some look at once, some
later.

What limits a push is how many messages a second may be sent. Firebase Cloud Messaging gives a
project 600,000 a minute, which it says is enough for more than 99 % of all (Firebase documentation,
"FCM throttling and quotas"). An app with 200 requests per second, whose usual push goes to a
million people, is taken to send at that pace, and news at three times of it: the larger the
audience, the longer it takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from capacity_pilot.core.fleet import Floats, Ints
from capacity_pilot.simulator.generator.rhythm import DAY_S

DELIVERY_S: Final = 4
OPEN_RATE: Final = 0.05
_OPEN_RATE_SPREAD: Final = 0.25  # of its logarithm, from push to push
_AT_ONCE: Final = (0.6, 75.0)  # share of those who open, and their mean delay in seconds
_LATER: Final = (0.4, 900.0)
_FORGOTTEN_S: Final = 3 * 3600
_HOURS: Final = (8.0, 12.5, 20.0)  # scheduled pushes leave at these hours
_UNSCHEDULED_PER_DAY: Final = 1.0
_NEWS_PER_DAY: Final = 5.0
_PACE: Final = 50.0  # recipients per second for each of the app's usual requests per second
_NEWS_PACE: Final = 150.0
_PACE_SPREAD: Final = 0.3
_LEAST_S: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Sent evenly over ``lasts_s`` whole seconds from ``at_s`` on.

    ``opens`` is how many people come of it, in seconds of people's mean traffic, ``open_rate``
    their share of the audience.
    """

    at_s: int
    lasts_s: int
    opens: float
    open_rate: float

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
    """Three scheduled ones a day, give or take seconds, and about one at any time."""
    pushes = [
        _draw(rng, day * DAY_S + hour * 3600 + int(rng.integers(0, 30)), pace=_PACE, opens=250)
        for day in range(-(-seconds // DAY_S))
        for hour in _HOURS
    ]
    pushes += [
        _draw(rng, int(rng.integers(0, seconds)), pace=_NEWS_PACE, opens=350)
        for _ in range(rng.poisson(_UNSCHEDULED_PER_DAY * seconds / DAY_S))
    ]
    return _in_order(pushes)


def draw_news(rng: np.random.Generator, seconds: int) -> tuple[Push, ...]:
    """About five a day at any time, to everybody and in haste."""
    return _in_order(
        _draw(rng, int(rng.integers(0, seconds)), pace=_NEWS_PACE, opens=600)
        for _ in range(rng.poisson(_NEWS_PER_DAY * seconds / DAY_S))
    )


def _draw(rng: np.random.Generator, at_s: float, *, pace: float, opens: float) -> Push:
    come = float(rng.lognormal(np.log(opens), 0.6))
    open_rate = float(rng.lognormal(np.log(OPEN_RATE), _OPEN_RATE_SPREAD))
    lasts_s = come / open_rate / float(rng.lognormal(np.log(pace), _PACE_SPREAD))
    return Push(
        at_s=int(at_s), lasts_s=max(round(lasts_s), _LEAST_S), opens=come, open_rate=open_rate
    )


def _in_order(pushes: Iterable[Push]) -> tuple[Push, ...]:
    return tuple(sorted(pushes, key=lambda push: push.at_s))


def opened_of(pushes: tuple[Push, ...], t: Floats) -> Floats:
    """People all pushes bring, per second at ``t`` (rising), relative to their mean traffic."""
    total = np.zeros(len(t))
    for push in pushes:
        begin, end = np.searchsorted(t, (push.at_s, push.at_s + _FORGOTTEN_S))
        total[begin:end] += push.opened(t[begin:end])
    return total


def sent_of(pushes: tuple[Push, ...], second: Ints, *, people_per_s: float) -> Ints:
    """Recipients of pushes in each second (rising), whole numbers."""
    total = np.zeros(len(second), dtype=np.int64)
    for push in pushes:
        audience = round(push.opens * people_per_s / push.open_rate)
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
