"""Every error at every call that changes something, or that a change rests on: the laws hold."""

from __future__ import annotations

import pytest

from tests.chaos.matrix import every_error, meet_all
from tests.chaos.run import run_schedule


@pytest.mark.parametrize(
    ("operations", "is_floor"),
    [
        (("DescribeTable", "UpdateTable"), False),
        (("DescribeScalableTargets", "RegisterScalableTarget"), True),
    ],
    ids=("active", "floor"),
)
def test_no_law_is_broken_by_any_error_at_any_call(
    operations: tuple[str, ...], *, is_floor: bool
) -> None:
    mishaps = {operation: every_error(of_scaling=is_floor) for operation in operations}
    report = run_schedule(meet_all(mishaps, is_floor=is_floor))
    assert not report.violations, "\n".join(map(str, report.violations))
    assert {operation: mishap.unmet for operation, mishap in mishaps.items()} == {
        operation: set() for operation in operations
    }
