"""What minutes known to spans and to CloudWatch say of coverage, and what they do not say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.coverage.ratio import Comparison, compare_minutes
from capacity_pilot.core.fleet import Floats

NOW = 29_000_000
UNKNOWN = float("nan")


def compare(told: Floats, consumed: Floats, *, until: int | None = None) -> Comparison:
    """Columns side by side, or one; the last minute is ``NOW``."""
    told, consumed = (np.array(v, dtype=np.float64).reshape(len(v), -1) for v in (told, consumed))
    minutes = np.arange(NOW + 1 - len(told), NOW + 1)
    since = np.zeros(told.shape[1], dtype=np.int64)
    return compare_minutes(told, consumed, minutes, since=since, until=until or NOW)


def counted(mean: float, share: float, *, minutes: int = 30, seed: int = 1) -> tuple[Floats, ...]:
    """Calls of one unit per minute, told of and consumed, each traced by the same chance."""
    draw = np.random.default_rng(seed)
    consumed = draw.poisson(mean, minutes)
    return draw.binomial(consumed, share).astype(np.float64), consumed.astype(np.float64)


seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.floats(0.02, 1.0), st.floats(1.0, 5.0))
def test_the_ratio_is_the_share_traced_within_its_error(
    seed: int, share: float, magnitude: float
) -> None:
    told, consumed = counted(10**magnitude, share, seed=seed)
    found = compare(told, consumed)
    assert not found.has_changed[0]
    if found.compared[0] >= 3:
        # Five errors, for Hypothesis looks for the worst, and as many calls as make a unit.
        assert found.ratio[0] == pytest.approx(
            share, abs=5 * found.error[0] + 20 / consumed.sum() + 1e-9
        )


@given(seeds, st.floats(1e-3, 1e3))
def test_units_of_another_size_change_no_ratio(seed: int, size: float) -> None:
    told, consumed = counted(5000.0, 0.5, seed=seed)
    one, other = compare(told, consumed), compare(told * size, consumed * size)
    assert other.ratio[0] == pytest.approx(one.ratio[0], rel=0.02)


@given(seeds)
def test_every_column_is_judged_alone(seed: int) -> None:
    columns = [counted(m, s, seed=seed) for m, s in ((50, 1.0), (3000, 0.3), (1e5, 0.9))]
    told, consumed = (np.stack(v, axis=1) for v in zip(*columns, strict=True))
    together = compare(told, consumed)
    for column, (t, c) in enumerate(columns):
        alone = compare(t, c)
        for name in ("ratio", "error", "spread", "compared", "newest", "since"):
            assert getattr(together, name)[column] == pytest.approx(
                getattr(alone, name)[0], nan_ok=True
            )


@given(seeds, st.integers(0, 29), st.sampled_from(("spans", "CloudWatch")))
def test_a_minute_either_lacks_is_as_if_it_had_not_been(seed: int, minute: int, lacks: str) -> None:
    told, consumed = counted(5000.0, 0.7, seed=seed)
    one, other = told.copy(), consumed.copy()
    (one if lacks == "spans" else other)[minute] = UNKNOWN
    both = told.copy(), consumed.copy()
    both[0][minute] = both[1][minute] = UNKNOWN
    lacking, neither = compare(one, other), compare(*both)
    assert lacking.ratio[0] == neither.ratio[0]
    assert lacking.compared[0] == neither.compared[0] == 29


def test_nothing_known_is_nothing_said() -> None:
    nothing = np.full(30, UNKNOWN)
    for told, consumed in ((nothing, nothing), (nothing, np.ones(30)), (np.ones(30), nothing)):
        found = compare(told, consumed)
        assert found.compared[0] == 0
        assert np.isnan([found.ratio[0], found.error[0], found.newest[0]]).all()


def test_minutes_without_calls_say_nothing() -> None:
    found = compare(np.zeros(30), np.zeros(30))
    assert found.compared[0] == 0


@pytest.mark.parametrize("minute", [29, 28, 20])
@pytest.mark.parametrize("told_of", [0.3, 1.0])
def test_one_minute_that_does_not_fit_is_left_out(minute: int, told_of: float) -> None:
    told, consumed = counted(30_000.0, 0.6)
    expected = compare(told, consumed).ratio[0]
    told[minute] = told_of * consumed[minute]
    found = compare(told, consumed)
    assert not found.has_changed[0]
    assert found.is_suspect[0] == (minute == 29)
    assert found.compared[0] == 29
    assert found.ratio[0] == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(("before", "after", "minutes"), [(1.0, 0.5, 2), (0.5, 1.0, 3)])
def test_a_change_of_coverage_begins_anew(before: float, after: float, minutes: int) -> None:
    told, consumed = counted(30_000.0, before)
    told[-minutes:] = after * consumed[-minutes:]
    assert not compare(told, consumed, until=NOW - 1).has_changed[0]
    found = compare(told, consumed)
    assert found.has_changed[0]
    assert found.since[0] == NOW + 1 - minutes
    assert found.compared[0] == minutes
    assert found.ratio[0] == pytest.approx(after, rel=0.01)


def test_two_minutes_not_counted_to_the_end_yet_are_no_change() -> None:
    """CloudWatch's newest sums may still grow, which looks like too much being told."""
    told, consumed = counted(30_000.0, 0.8)
    consumed[-2:] *= 0.5
    found = compare(told, consumed)
    assert not found.has_changed[0]
    assert found.ratio[0] == pytest.approx(0.8, rel=0.01)


@given(seeds)
def test_small_counts_are_no_change(seed: int) -> None:
    """Three calls a minute, a third of them traced: minutes without a span are ordinary."""
    told, consumed = counted(3.0, 0.33, seed=seed)
    assert not compare(told, consumed).has_changed[0]


def test_the_spread_tells_steady_callers_from_unsteady_ones() -> None:
    told, consumed = counted(30_000.0, 0.5)
    steady = compare(told, consumed).spread[0]
    bursts = np.where(np.arange(30) % 4 == 0, 60_000.0, 0.0)  # of callers nobody traces
    unsteady = compare(told, consumed + bursts).spread[0]
    assert steady < 0.02
    assert unsteady > 0.3
