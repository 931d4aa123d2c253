"""Ten thousand tables under faults: the laws hold as they do for a few."""

from __future__ import annotations

import pytest

from tests.chaos.large_fleet import TABLES, draw_large_fleet
from tests.chaos.run import run_schedule


@pytest.mark.timeout(600)
def test_no_law_is_broken_whatever_goes_wrong_with_ten_thousand_tables() -> None:
    schedule = draw_large_fleet()
    assert len(schedule.tables) == TABLES == 10_000
    report = run_schedule(schedule)
    assert not report.violations, "\n".join(map(str, report.violations))
    assert report.processes > 1
    assert report.updates > 0
    assert report.throttled < report.throttled_as_found
