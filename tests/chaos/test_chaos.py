"""A few of the seeds of ``make chaos``, and that the laws are broken where they should be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.chaos.__main__ import run_seed
from tests.chaos.drawing import draw_schedule
from tests.chaos.faults import BadCloudWatch, BadTelemetry, Span
from tests.chaos.run import run_schedule

IDLE_SEED = 108
SEEDS = (*range(1, 14), 16)
"""Of every kind of schedule some; 14 and 15 are of the plainest, which the matrix stands in for."""


@pytest.mark.parametrize("seed", SEEDS)
def test_no_law_is_broken_whatever_goes_wrong(seed: int) -> None:
    report = run_seed(seed)
    assert not report.violations, f"make chaos SEEDS=1 FROM={seed} TELL=1\n" + "\n".join(
        map(str, report.violations)
    )


def test_what_nobody_uses_is_lowered_and_raised_when_it_wakes() -> None:
    report = run_seed(IDLE_SEED)
    assert not report.violations, "\n".join(map(str, report.violations))
    assert report.idled > 0


def test_who_was_asked_for_while_cloudwatch_was_missing_is_not_taken_for_idle() -> None:
    """Untraced, in the middle of an hour in which CloudWatch could not be asked."""
    idle, untraced = draw_schedule(IDLE_SEED), slice(2000, 2060)
    quiet = slice(600, 6600)
    targets = []
    for target in idle.targets:
        demand = target.demand.copy()
        demand[:, quiet] = 0.0
        demand[:, untraced] = 10.0
        targets.append(replace(target, demand=demand))
    faults = (
        BadCloudWatch(Span(1500, 4300), is_empty=False),
        BadTelemetry(Span(1950, 2100), "silent", 0.0),
    )
    report = run_schedule(replace(idle, targets=tuple(targets), faults=faults))
    assert not report.violations, "\n".join(map(str, report.violations))


def test_a_seed_is_the_same_run_every_time() -> None:
    assert run_seed(2) == run_seed(2)
