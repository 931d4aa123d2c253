"""Every strategy a replay can set beside the pilot, by name; it may be the pilot itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.fleet import Floats
from capacity_pilot.core.quantities import LEAST_PPM, MOST_PPM
from capacity_pilot.simulator.rivals import Bounds, Rival
from capacity_pilot.simulator.rivals.aws_auto_scaling import (
    HIGHEST_TARGET,
    LOWEST_TARGET,
    AwsAutoScaling,
)
from capacity_pilot.simulator.rivals.dynamic_dynamodb import DynamicDynamodb
from capacity_pilot.simulator.rivals.fixed import static_peak, static_percentile


class Kind(StrEnum):
    """A strategy's name without its number."""

    PILOT_AT = "pilot-at"
    AWS_AUTO_SCALING = "aws-auto-scaling"
    DYNAMIC_DYNAMODB = "dynamic-dynamodb"
    STATIC_PEAK = "static-peak"
    STATIC_PERCENTILE = "static-percentile"
    ON_DEMAND = "on-demand"
    CLAIRVOYANT = "clairvoyant"


REACTIVE: Final = frozenset({Kind.AWS_AUTO_SCALING, Kind.DYNAMIC_DYNAMODB})
FIXED: Final = frozenset({Kind.STATIC_PEAK, Kind.STATIC_PERCENTILE})
DEFAULT_NAMES: Final = (
    "pilot-at-1ppm",
    "pilot-at-100ppm",
    "pilot-at-1000ppm",
    "pilot-at-10000ppm",
    "aws-auto-scaling-50",
    "aws-auto-scaling-70",
    "aws-auto-scaling-90",
    "dynamic-dynamodb",
    "static-peak",
    "on-demand",
    "clairvoyant",
)

# Six digits at most, so that a name is said back as it was given.
_NUMBERED: Final = re.compile(r"(aws-auto-scaling|static-percentile)-(\d{1,3}(?:\.\d{1,3})?)")
_AT_RISK: Final = re.compile(r"(pilot-at)-(\d{1,6}|\d{1,3}\.\d{1,3})ppm")
_NUMBERED_KINDS: Final = {Kind.PILOT_AT, Kind.AWS_AUTO_SCALING, Kind.STATIC_PERCENTILE}
_KNOWN: Final = (
    f"pilot-at-Nppm (N from {LEAST_PPM:g} to {MOST_PPM:g}), "
    f"aws-auto-scaling-N (N from {LOWEST_TARGET:g} to {HIGHEST_TARGET:g}), "
    "dynamic-dynamodb, static-peak, static-percentile-N (N above 0, at most 100), on-demand, "
    "clairvoyant"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """A name understood. ``number`` is a risk in ppm, a target in percent or a percentile, else
    ``None``.
    """

    kind: Kind
    number: float | None = None

    @property
    def name(self) -> str:
        if self.number is None:
            return self.kind.value
        unit = "ppm" if self.kind is Kind.PILOT_AT else ""
        return f"{self.kind}-{self.number:g}{unit}"


def parse_strategy(name: str) -> Strategy:
    """The strategy called ``name``; ``InputError`` if there is none, or its number is out."""
    if match := _NUMBERED.fullmatch(name) or _AT_RISK.fullmatch(name):
        strategy = Strategy(kind=Kind(match[1]), number=float(match[2]))
        _check_number(name, strategy)
        return strategy
    if name not in {kind.value for kind in Kind} - _NUMBERED_KINDS:
        raise InputError(f"rival {name!r} is not known; it must be one of {_KNOWN}")
    return Strategy(kind=Kind(name))


def parse_strategies(names: str) -> tuple[Strategy, ...]:
    """A comma-separated list, in its order; ``InputError`` if one is unknown or named twice."""
    strategies: list[Strategy] = []
    for name in names.split(","):
        strategy = parse_strategy(name.strip())
        if strategy in strategies:
            raise InputError(f"rival {name.strip()!r} is named twice in {names!r}")
        strategies.append(strategy)
    return tuple(strategies)


def make_rival(strategy: Strategy, *, bounds: Bounds) -> Rival:
    """A fresh rival for one scalable target; ``InputError`` if ``strategy`` is not reactive."""
    if strategy.kind is Kind.AWS_AUTO_SCALING and strategy.number is not None:
        return AwsAutoScaling(target=strategy.number, bounds=bounds)
    if strategy.kind is Kind.DYNAMIC_DYNAMODB:
        return DynamicDynamodb(bounds=bounds)
    raise InputError(f"{strategy.name!r} does not react; only {sorted(REACTIVE)} do")


def fixed_units(strategy: Strategy, demand: Floats, *, bounds: Bounds) -> int:
    """The one capacity of a static strategy for ``demand`` (seconds,), units/s."""
    if strategy.kind is Kind.STATIC_PEAK:
        return static_peak(demand, bounds=bounds)
    if strategy.kind is Kind.STATIC_PERCENTILE and strategy.number is not None:
        return static_percentile(demand, strategy.number, bounds=bounds)
    raise InputError(f"{strategy.name!r} has no fixed capacity; only {sorted(FIXED)} have")


def _check_number(name: str, strategy: Strategy) -> None:
    number = strategy.number or 0.0
    if strategy.kind is Kind.PILOT_AT and not LEAST_PPM <= number <= MOST_PPM:
        raise InputError(
            f"rival {name!r} has a risk of {number:g} ppm; it must be {LEAST_PPM:g} to {MOST_PPM:g}"
        )
    if strategy.kind is Kind.AWS_AUTO_SCALING and not LOWEST_TARGET <= number <= HIGHEST_TARGET:
        raise InputError(
            f"rival {name!r} has a target of {number:g} %; "
            f"it must be {LOWEST_TARGET:g} to {HIGHEST_TARGET:g}"
        )
    if strategy.kind is Kind.STATIC_PERCENTILE and not 0.0 < number <= 100.0:
        raise InputError(
            f"rival {name!r} has a percentile of {number:g}; it must be above 0 and at most 100"
        )
