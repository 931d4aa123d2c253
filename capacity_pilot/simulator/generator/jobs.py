"""Machines' traffic: jobs that come and go at once, straight to the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from capacity_pilot.core.fleet import Floats
from capacity_pilot.simulator.generator.rhythm import DAY_S

_NIGHTLY_AT_S: Final = 2 * 3600
_HOURLY_AT_S: Final = 300
_VISITS_PER_DAY: Final = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """``level`` relative to people's mean traffic, from ``at_s`` for ``lasts_s`` seconds."""

    at_s: float
    lasts_s: float
    level: float


def draw_nightly(rng: np.random.Generator, seconds: int, *, level: float) -> list[Job]:
    """At two in the morning, a few minutes late, for half an hour or more."""
    return [
        Job(
            at_s=float(night + _NIGHTLY_AT_S + rng.uniform(0, 300)),
            lasts_s=float(rng.uniform(1500, 4200)),
            level=float(level * rng.uniform(0.8, 1.25)),
        )
        for night in range(0, seconds, DAY_S)
    ]


def draw_hourly(rng: np.random.Generator, seconds: int, *, level: float) -> list[Job]:
    """Five minutes past every hour, for some minutes."""
    return [
        Job(
            at_s=float(hour + _HOURLY_AT_S + rng.uniform(0, 10)),
            lasts_s=float(rng.uniform(60, 300)),
            level=float(level * rng.uniform(0.6, 1.6)),
        )
        for hour in range(0, seconds, 3600)
    ]


def draw_visits(rng: np.random.Generator, seconds: int, *, level: float) -> list[Job]:
    """Now and then somebody exports something."""
    return [
        Job(
            at_s=float(rng.uniform(0, seconds)),
            lasts_s=float(rng.uniform(10, 120)),
            level=float(level * rng.uniform(0.3, 1.7)),
        )
        for _ in range(rng.poisson(_VISITS_PER_DAY * seconds / DAY_S))
    ]


def work_of(jobs: list[Job], t: Floats) -> Floats:
    """What all jobs ask per second at ``t`` (rising), relative to people's mean traffic."""
    total = np.zeros(len(t))
    for job in jobs:
        begin, end = np.searchsorted(t, (job.at_s, job.at_s + job.lasts_s))
        total[begin:end] += job.level
    return total
