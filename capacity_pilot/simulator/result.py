"""What a replay came to: the figures of every strategy on every workload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from capacity_pilot.core.fleet import Floats
from capacity_pilot.core.forecast.scores import HorizonScore

LEAST_DAYS = 23 / 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Capacity asked for at ``at_s`` seconds into the replay, from what to what, and why."""

    at_s: float
    before: int
    after: int
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Minutes:
    """One strategy's course, minute by minute, all (minutes,).

    ``provisioned`` is the minute's mean, ``throttled`` its units, ``burst`` the lowest bucket level
    in it, in seconds of provisioned capacity (0 to 300).
    """

    provisioned: Floats
    throttled: Floats
    burst: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One strategy on one workload. ``None`` where a figure has no meaning (on-demand's units).

    ``usd`` bills capacity pro rata, ``usd_by_hourly_maximum`` by each hour's highest provisioned
    value. ``utilization`` is consumed over provisioned, which the first bucket can lift above 1.
    """

    throttled_units: float
    throttled_ppm: float
    unit_hours: float | None
    usd: float
    usd_by_hourly_maximum: float
    utilization: float | None
    increases: int
    decreases: int
    cost_vs_clairvoyant: float | None
    seconds_throttled: int
    longest_throttle_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What one strategy did on one workload. Only the pilot forecasts."""

    score: Score
    minutes: Minutes | None
    changes: tuple[Change, ...]
    forecast: tuple[HorizonScore, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceResult:
    """One workload under every strategy.

    ``demand`` and ``demand_peak`` (minutes,) are each minute's mean and highest second, units/s.
    ``signals`` are the demand file's further columns as minute means. ``is_policy_own`` is false
    where no policy names the table: ``policy`` was borrowed, without its bounds. ``risk_ppm`` is
    the policy's, and so the pilot's.
    ``clairvoyant_bound`` is the proven least, in unit-hours, of any plan that throttles nothing.
    """

    name: str
    days: float
    demand_units: float
    mean: float
    factor: float
    bin_s: int
    is_seconds_real: bool
    missing_seconds: int
    policy: str
    is_policy_own: bool
    risk_ppm: float
    least: int
    most: int
    clairvoyant_bound: float | None
    demand: Floats
    demand_peak: Floats
    signals: Mapping[str, Floats]
    courses: Mapping[str, Course]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetScore:
    """One strategy over all workloads: totals, and geometric means of the costs' ratios."""

    throttled_units: float
    throttled_ppm: float
    worst_throttled_ppm: float
    unit_hours: float | None
    usd: float
    usd_by_hourly_maximum: float
    cost_vs_clairvoyant: float | None
    cost_vs_aws_auto_scaling_70: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayResult:
    """A whole run. ``settings`` holds what it takes to repeat it: flags, seed and versions.

    ``fleet`` is over all workloads, ``fleet_of_days`` over those of a day or more, where 23 hours
    are a day: recordings of a day are seldom whole.
    """

    settings: Mapping[str, object]
    traces: tuple[TraceResult, ...]
    fleet: Mapping[str, FleetScore]
    fleet_of_days: Mapping[str, FleetScore]
