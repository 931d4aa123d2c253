"""Surges by the clock: found where they are, and not found in what only chance brings."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from capacity_pilot.core.forecast.recurrence import RecurrenceState, note_surges, size_due
from tests.core.scenario import MIDNIGHT

HOUR, DAY = 3600.0, 86_400.0
PANIC_S = 150.0


@dataclass(slots=True)
class Target:
    """One target's surges, told as the forecast tells of them: those from 100 to ``height``."""

    state: RecurrenceState = field(default_factory=lambda: RecurrenceState.empty(1))
    now: float = MIDNIGHT

    def surge(self, at: float, height: float = 1000.0) -> Target:
        """A surge ``at`` seconds after midnight, and the panic window after it."""
        self._tell(at, height, is_surging=True, is_panicking=True)
        for second in range(1, int(PANIC_S) + 1):
            self._tell(at + second, height, is_surging=False, is_panicking=True)
        return self.calm(at + PANIC_S + 1)

    def calm(self, at: float) -> Target:
        """Nothing until ``at``."""
        self._tell(at, 100.0, is_surging=False, is_panicking=False)
        return self

    @property
    def due(self) -> tuple[float, float] | None:
        """From when to when the next is waited for, seconds after midnight."""
        since, until = (self.state.due[:2, 0] - MIDNIGHT).tolist()
        return None if np.isnan(since) else (since, until)

    def needed(self, at: float, *, ahead_s: float = 30.0, trusted: float = 0.0) -> float | None:
        sized = size_due(
            self.state,
            trusted_units=np.array([trusted]),
            ahead_s=np.array([ahead_s]),
            now=MIDNIGHT + at,
        )
        return None if sized is None else float(sized[0])

    def _tell(self, at: float, level: float, *, is_surging: bool, is_panicking: bool) -> None:
        state = self.state
        note_surges(
            state.began,
            state.heights,
            state.count,
            state.opened,
            state.due,
            state.foreseen,
            np.array([level]),
            np.array([100.0]),
            np.array([is_surging]),
            np.array([is_panicking]),
            MIDNIGHT + at,
        )


def test_a_job_that_came_three_times_an_hour_apart_is_ready_for_an_hour_later() -> None:
    target = Target().surge(300.0, 800.0).surge(300.0 + HOUR, 900.0)
    assert np.isnan(target.state.due).all(), "twice is chance"
    due = target.surge(310.0 + 2 * HOUR, 1200.0).due
    assert due is not None
    assert due[0] < 300.0 + 3 * HOUR - 5.0
    assert due[1] > 310.0 + 3 * HOUR + 30.0
    assert target.needed(due[0] - 31.0) is None
    assert target.needed(due[0] - 29.0) == pytest.approx(1200.0), "the higher of the last two"
    assert target.needed(due[0], trusted=60_000.0) == pytest.approx(1200.0 - 60_000.0 / 120)
    assert target.calm(due[1] + 1.0).needed(due[1] + 1.0) is None


def test_a_nightly_batch_is_found_among_the_small_jobs_of_every_hour() -> None:
    target = Target()
    for hour in range(49):
        target.surge(hour * HOUR + 1800.0, 600.0)
        if hour in {2, 26}:
            target.surge(hour * HOUR + 2400.0 + 40.0 * (hour == 26), 5000.0)
    target.calm(50 * HOUR + 2300.0)
    assert target.due is not None
    assert target.due[0] < 50 * HOUR + 2400.0 < target.due[1]
    assert target.needed(50 * HOUR + 2400.0) == pytest.approx(5000.0)


@pytest.mark.parametrize(("every_h", "takes"), [(2, 3), (6, 2), (12, 2)])
def test_a_job_of_a_few_times_a_day_need_not_come_for_days(every_h: int, takes: int) -> None:
    target = Target()
    for number in range(takes):
        assert target.due is None
        target.surge(120.0 + number * every_h * HOUR + 20.0 * (number % 2))
    at = 120.0 + takes * every_h * HOUR
    target.calm(at - 600.0)
    assert target.due is not None
    assert target.due[0] < at - 5.0 < at + 25.0 < target.due[1]
    assert target.needed(at) == pytest.approx(1000.0)


def test_a_job_that_comes_no_more_is_waited_for_once() -> None:
    target = Target().surge(300.0).surge(300.0 + HOUR).surge(300.0 + 2 * HOUR)
    due = target.due
    assert due is not None
    target.calm(due[1] + 1.0)
    assert target.due is None


def test_rises_of_less_than_twofold_are_nobodys_business() -> None:
    target = Target()
    for hour in range(6):
        target.surge(hour * HOUR, 190.0)
    assert target.due is None


@pytest.mark.parametrize("a_day", [2, 10, 40])
def test_what_only_chance_brings_is_hardly_ever_waited_for(a_day: int) -> None:
    draw = np.random.default_rng(7)
    days, waits = 60, set()
    target, at = Target(), 0.0
    while at < days * DAY:
        at += PANIC_S + 2.0 + float(draw.exponential(DAY / a_day))
        target.calm(at - 1.0)
        waits.add(target.due)
        target.surge(at, float(draw.uniform(800.0, 1600.0)))
        waits.add(target.due)
    assert len(waits - {None}) < days * 0.2


def test_what_was_foreseen_is_no_surprise_until_well_after_it() -> None:
    target = Target().surge(300.0).surge(300.0 + HOUR).surge(300.0 + 2 * HOUR)
    assert not target.state.foreseen[1, 0] > 0
    target.calm(300.0 + 3 * HOUR - 2.0).surge(300.0 + 3 * HOUR)
    height, until = target.state.foreseen[:, 0]
    assert height == pytest.approx(1000.0)
    assert until >= MIDNIGHT + 300.0 + 3 * HOUR + PANIC_S + 600.0
