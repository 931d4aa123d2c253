"""Names of strategies, and what is answered to names that are none."""

from __future__ import annotations

import numpy as np
import pytest

from capacity_pilot.core.errors import InputError
from capacity_pilot.simulator.rivals import Bounds
from capacity_pilot.simulator.rivals.registry import (
    DEFAULT_NAMES,
    Kind,
    Strategy,
    fixed_units,
    make_rival,
    parse_strategies,
    parse_strategy,
)

BOUNDS = Bounds(least=1, most=1000)


@pytest.mark.parametrize(
    ("name", "kind", "number"),
    [
        ("pilot-at-100ppm", Kind.PILOT_AT, 100.0),
        ("pilot-at-0.1ppm", Kind.PILOT_AT, 0.1),
        ("pilot-at-12.125ppm", Kind.PILOT_AT, 12.125),
        ("pilot-at-100000ppm", Kind.PILOT_AT, 100_000.0),
        ("aws-auto-scaling-70", Kind.AWS_AUTO_SCALING, 70.0),
        ("aws-auto-scaling-20", Kind.AWS_AUTO_SCALING, 20.0),
        ("aws-auto-scaling-72.5", Kind.AWS_AUTO_SCALING, 72.5),
        ("dynamic-dynamodb", Kind.DYNAMIC_DYNAMODB, None),
        ("static-peak", Kind.STATIC_PEAK, None),
        ("static-percentile-99.999", Kind.STATIC_PERCENTILE, 99.999),
        ("on-demand", Kind.ON_DEMAND, None),
        ("clairvoyant", Kind.CLAIRVOYANT, None),
    ],
)
def test_a_name_is_understood_and_said_again(name: str, kind: Kind, number: float | None) -> None:
    strategy = parse_strategy(name)
    assert strategy == Strategy(kind=kind, number=number)
    assert strategy.name == name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("aws-auto-scaling-19", "'aws-auto-scaling-19' has a target of 19 %; it must be 20 to 90"),
        ("aws-auto-scaling-91", "has a target of 91 %; it must be 20 to 90"),
        ("pilot-at-0ppm", "'pilot-at-0ppm' has a risk of 0 ppm; it must be 0.1 to 100000"),
        ("pilot-at-100001ppm", "has a risk of 100001 ppm; it must be 0.1 to 100000"),
        ("static-percentile-0", "percentile of 0; it must be above 0 and at most 100"),
        ("static-percentile-101", "percentile of 101; it must be above 0 and at most 100"),
        ("aws-auto-scaling", "rival 'aws-auto-scaling' is not known; it must be one of pilot-at-"),
        ("pilot-at", "rival 'pilot-at' is not known"),
        ("pilot-at-100", "is not known"),
        ("aws-auto-scaling-70ppm", "is not known"),
        ("pilot-at-1000.5ppm", "is not known"),
        ("static-percentile", "rival 'static-percentile' is not known"),
        ("aws-auto-scaling--70", "is not known"),
        ("on-demand-70", "is not known"),
        ("static-percentile-99.9999", "is not known"),
        ("pilot", "is not known"),
        ("", "rival '' is not known"),
    ],
)
def test_a_name_that_is_none_is_quoted_with_what_would_do(name: str, said: str) -> None:
    with pytest.raises(InputError) as refusal:
        parse_strategy(name)
    assert said in str(refusal.value)


def test_a_list_keeps_its_order_and_takes_each_once() -> None:
    named = parse_strategies("on-demand, aws-auto-scaling-90,static-peak")
    assert [s.name for s in named] == ["on-demand", "aws-auto-scaling-90", "static-peak"]
    with pytest.raises(InputError, match=r"'aws-auto-scaling-70\.0' is named twice"):
        parse_strategies("aws-auto-scaling-70,aws-auto-scaling-70.0")


def test_reactive_strategies_become_rivals_of_their_name_and_the_others_do_not() -> None:
    for name in ("aws-auto-scaling-55", "dynamic-dynamodb"):
        assert make_rival(parse_strategy(name), bounds=BOUNDS).name == name
    for name in ("clairvoyant", "pilot-at-100ppm"):
        with pytest.raises(InputError, match=f"'{name}' does not react"):
            make_rival(parse_strategy(name), bounds=BOUNDS)


def test_static_strategies_have_one_capacity_and_the_others_have_none() -> None:
    demand = np.arange(1.0, 101.0)
    assert fixed_units(parse_strategy("static-peak"), demand, bounds=BOUNDS) == 100
    assert fixed_units(parse_strategy("static-percentile-95"), demand, bounds=BOUNDS) == 95
    with pytest.raises(InputError, match="'on-demand' has no fixed capacity"):
        fixed_units(parse_strategy("on-demand"), demand, bounds=BOUNDS)


def test_what_is_replayed_by_default_is_known() -> None:
    assert [s.name for s in parse_strategies(",".join(DEFAULT_NAMES))] == list(DEFAULT_NAMES)
