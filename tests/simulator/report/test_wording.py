from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.simulator.report.strategies import label_of, order, short_label_of
from capacity_pilot.simulator.report.wording import (
    ABSENT,
    say_count,
    say_days,
    say_duration,
    say_moment,
    say_percent,
    say_ppm,
    say_ratio,
    say_share,
    say_usd,
)


@pytest.mark.parametrize("say", [say_count, say_ppm, say_usd, say_ratio, say_share, say_percent])
@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_what_is_absent_is_a_dash_and_never_zero(say, value) -> None:  # type: ignore[no-untyped-def]
    assert say(value) == ABSENT


@given(st.floats(min_value=1e-12, max_value=1e6))
def test_only_nothing_is_said_to_be_zero(value: float) -> None:
    assert say_ppm(value).strip("<0.") != ""
    assert say_count(value).strip("<0.") != ""
    assert say_ppm(0.0) == say_count(0.0) == "0"


def test_figures_read_like_figures() -> None:
    assert [say_ppm(value) for value in (0.004, 0.123, 4.56, 1234.4)] == [
        "<0.01",
        "0.12",
        "4.6",
        "1,234",
    ]
    assert (say_usd(302.658), say_usd(1207.75)) == ("$302.66", "$1,208")
    assert (say_ratio(0.777), say_share(0.705)) == ("0.78\N{MULTIPLICATION SIGN}", "70 %")
    assert [say_duration(value) for value in (12, 200, 3600, 18_600)] == [
        "12 s",
        "3 min 20 s",
        "1 h",
        "5 h 10 min",
    ]
    assert (say_days(1), say_days(7), say_days(0.5)) == ("1 day", "7 days", "12 h")
    assert say_moment(0) == "day 1 00:00:00"
    assert say_moment(86_400 + 8 * 3600 + 90) == "day 2 08:01:30"


def test_the_pilot_stands_first_the_clairvoyant_last_and_targets_by_number() -> None:
    names = ["clairvoyant", "on-demand", "aws-auto-scaling-70", "zebra", "aws-auto-scaling-8.5"]
    assert order([*names, "pilot"]) == [
        "pilot",
        "aws-auto-scaling-8.5",
        "aws-auto-scaling-70",
        "zebra",
        "on-demand",
        "clairvoyant",
    ]


def test_strategies_are_called_what_they_are() -> None:
    assert label_of("aws-auto-scaling-72.5") == "AWS auto scaling at 72.5 %"
    assert short_label_of("aws-auto-scaling-72.5") == "AWS at 72.5 %"
    assert label_of("static-percentile-99.9") == "static percentile 99.9"
    assert label_of("somebody-elses") == short_label_of("somebody-elses") == "somebody-elses"


def test_small_shares_keep_two_digits() -> None:
    told = [say_percent(share) for share in (0.5, 0.0996, 0.0102, 0.0009, 0.00001, 0.0)]
    assert told == ["50 %", "10 %", "1 %", "0.09 %", "<0.01 %", "0 %"]
