"""A few of the seeds of ``make chaos``, and that the laws are broken where they should be."""

from __future__ import annotations

import pytest

from tests.chaos.__main__ import run_seed

SEEDS = (*range(1, 14), 16)
"""Of every kind of schedule some; 14 and 15 are of the plainest, which the matrix stands in for."""


@pytest.mark.parametrize("seed", SEEDS)
def test_no_law_is_broken_whatever_goes_wrong(seed: int) -> None:
    report = run_seed(seed)
    assert not report.violations, f"make chaos SEEDS=1 FROM={seed} TELL=1\n" + "\n".join(
        map(str, report.violations)
    )


def test_a_seed_is_the_same_run_every_time() -> None:
    assert run_seed(2) == run_seed(2)
