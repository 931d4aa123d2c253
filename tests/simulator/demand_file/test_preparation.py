"""From bins to seconds: nothing is lost, nothing is invented but what the file leaves open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.fleet import Floats
from capacity_pilot.simulator.demand_file import DemandFile, prepare_workload

DAY = 86_400


def demand_file(
    counts: Sequence[float] | Floats,
    *,
    bin_s: int = 1,
    bins: Sequence[int] | None = None,
    signals: Mapping[str, Sequence[float]] | None = None,
    name: str = "feed",
) -> DemandFile:
    return DemandFile(
        path=Path(f"{name}.csv"),
        name=name,
        bin_s=bin_s,
        bins=np.arange(len(counts)) if bins is None else np.array(bins),
        counts=np.array(counts, dtype=np.float64),
        signals={key: np.array(values, dtype=float) for key, values in (signals or {}).items()},
    )


def by_bin(values: Floats, bin_s: int) -> Floats:
    totals: Floats = values.reshape(-1, bin_s).sum(axis=1)
    return totals


def test_seconds_are_replayed_as_they_are() -> None:
    world = prepare_workload(demand_file([3, 0, 5, 4]), mean=None, days=None, seed=1)
    assert (world.name, world.bin_s, world.factor) == ("feed", 1, 1.0)
    assert world.demand.tolist() == world.requests.tolist() == [3, 0, 5, 4]
    assert world.is_seconds_real
    assert world.is_recorded.all()


def test_one_factor_brings_the_whole_file_to_the_mean() -> None:
    file = demand_file([3, 0, 5, 4] * DAY)
    world = prepare_workload(file, mean=500, days=1 / DAY, seed=1)
    assert world.factor == 500 / 3
    assert world.demand.tolist() == [500]
    assert world.requests.tolist() == [3]


def test_the_mean_is_over_what_was_recorded() -> None:
    file = demand_file([2, 4], bins=[0, 100])
    world = prepare_workload(file, mean=300, days=None, seed=1)
    assert world.demand[[0, 100]].tolist() == [200, 400]


@given(
    st.lists(st.integers(0, 10**6), min_size=2, max_size=60).filter(any),
    st.integers(2, 400),
    st.integers(0, 2**63),
)
def test_coarse_bins_keep_their_totals_but_for_chance(
    counts: list[int], bin_s: int, seed: int
) -> None:
    world = prepare_workload(demand_file(counts, bin_s=bin_s), mean=None, days=None, seed=seed)
    drawn = by_bin(world.demand, bin_s)
    assert np.all(drawn[np.array(counts) == 0] == 0)
    assert np.all(np.abs(drawn - counts) <= 9 * np.sqrt(counts) + 10)
    assert np.all(world.demand % 1 == 0)
    assert world.requests is world.demand
    assert not world.is_seconds_real


@given(
    st.lists(st.floats(0, 1e12), min_size=2, max_size=60),
    st.integers(2, 400),
)
def test_a_signals_coarse_bins_keep_their_totals(values: list[float], bin_s: int) -> None:
    file = demand_file([1] * len(values), bin_s=bin_s, signals={"push_sent": values})
    signal = prepare_workload(file, mean=7, days=None, seed=0).signals["push_sent"]
    assert signal.min() >= 0
    np.testing.assert_allclose(by_bin(signal, bin_s), values, rtol=1e-9, atol=1e-2)


def test_between_bins_the_rate_has_no_steps() -> None:
    values = [600, 1200, 300, 900, 0, 600]
    file = demand_file([1] * 6, bin_s=60, signals={"rate": values})
    rate = prepare_workload(file, mean=None, days=None, seed=0).signals["rate"]
    # The steepest is from the edge at 5 to the centre at nearly 30 in half a minute.
    assert np.abs(np.diff(rate)).max() < 1
    assert rate[59:61].mean() == pytest.approx(15, abs=0.1)  # halfway, at the bins' edge


def test_a_steady_rise_stays_a_line() -> None:
    file = demand_file([1] * 10, bin_s=10, signals={"rate": [10 * n for n in range(10, 20)]})
    rate = prepare_workload(file, mean=None, days=None, seed=0).signals["rate"]
    np.testing.assert_allclose(rate[10:-10], 10 + (np.arange(10, 90) + 0.5 - 5) / 10)


def test_an_outage_of_measurement_looks_like_its_neighbourhood() -> None:
    before, gap, after = 1800, 1740, 1800
    rng = np.random.default_rng(5)
    counts = np.concatenate([rng.poisson(40, before), rng.poisson(80, after)])
    bins = [*range(before), *range(before + gap, before + gap + after)]
    world = prepare_workload(demand_file(counts, bins=bins), mean=600, days=None, seed=1)
    missing = world.requests[before : before + gap]
    assert world.is_recorded.tolist() == [True] * before + [False] * gap + [True] * after
    assert missing[:200].mean() == pytest.approx(42, rel=0.05)
    assert missing[-200:].mean() == pytest.approx(78, rel=0.05)
    assert missing[:200].var() == pytest.approx(missing[:200].mean(), rel=0.35)
    np.testing.assert_allclose(world.demand, world.requests * world.factor)


def test_recorded_seconds_around_a_gap_are_untouched() -> None:
    world = prepare_workload(
        demand_file([9, 9, 1, 1], bins=[0, 1, 5, 6]), mean=None, days=None, seed=1
    )
    assert world.demand[world.is_recorded].tolist() == [9, 9, 1, 1]


def test_what_counts_beside_a_gap_is_minutes_not_the_last_second() -> None:
    """A burst in the very last second before the outage does not last through it."""
    counts = [10] * 600 + [5000] + [10] * 600
    bins = [*range(601), *range(2000, 2600)]
    world = prepare_workload(demand_file(counts, bins=bins), mean=None, days=None, seed=1)
    assert world.requests[601:2000].max() < 60


def test_gaps_one_after_another_each_have_their_own_ends() -> None:
    bins = [0, 10, 20]
    file = demand_file([0, 10**6, 0], bins=[n * 400 for n in bins])
    world = prepare_workload(file, mean=None, days=None, seed=1)
    ramp = np.interp(np.arange(8001), [0, 4000, 8000], [0, 10**6, 0])
    np.testing.assert_allclose(world.requests, ramp, atol=6000)


def test_missing_coarse_bins_have_demand_and_no_record() -> None:
    file = demand_file([60_000] * 8, bin_s=60, bins=[0, 1, 2, 3, 6, 7, 8, 9])
    world = prepare_workload(file, mean=None, days=None, seed=1)
    assert world.seconds == 600
    assert np.flatnonzero(~world.is_recorded).tolist() == list(range(240, 360))
    assert world.demand[240:360].mean() == pytest.approx(1000, rel=0.02)


@pytest.mark.parametrize("bin_s", [1, 60])
def test_signals_are_unscaled_and_unknown_where_unrecorded(bin_s: int) -> None:
    file = demand_file(
        [5] * 4, bin_s=bin_s, bins=[0, 1, 3, 4], signals={"push_sent": [bin_s * 3.0] * 4}
    )
    signal = prepare_workload(file, mean=900, days=None, seed=1).signals["push_sent"]
    expected = np.full(5 * bin_s, 3.0)
    expected[2 * bin_s : 3 * bin_s] = np.nan
    np.testing.assert_allclose(signal, expected)


@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=40),
    st.sampled_from([1, 7, 60]),
    st.integers(0, 100),
    st.floats(0.01, 1),
)
def test_fewer_days_are_a_prefix_of_more(
    steps: list[int], bin_s: int, seed: int, part: float
) -> None:
    bins = [0, *np.cumsum([1, *steps]).tolist()]
    counts = [37 * n % 101 for n in range(len(bins))]
    file = demand_file(counts, bin_s=bin_s, bins=bins, signals={"x": [float(n) for n in counts]})
    whole = prepare_workload(file, mean=250, days=None, seed=seed)
    days = max(1, part * whole.seconds) / DAY
    begun = prepare_workload(file, mean=250, days=days, seed=seed)
    until = begun.seconds
    assert until == round(days * DAY)
    np.testing.assert_array_equal(begun.demand, whole.demand[:until])
    np.testing.assert_array_equal(begun.is_recorded, whole.is_recorded[:until])
    np.testing.assert_array_equal(begun.signals["x"], whole.signals["x"][:until])


def test_draws_follow_the_seed_and_the_name_only() -> None:
    counts = [6000] * 30

    def drawn(name: str, seed: int) -> bytes:
        file = demand_file(counts, bin_s=60, name=name)
        return prepare_workload(file, mean=100, days=None, seed=seed).demand.tobytes()

    assert drawn("feed", 1) == drawn("feed", 1)
    assert drawn("feed", 1) != drawn("feed", 2)
    assert drawn("feed", 1) != drawn("likes", 1)


@pytest.mark.parametrize(
    ("mean", "days", "seed", "message"),
    [
        (0.0, None, 1, "the mean is 0.0 units/s; it must be above 0, at most 1000000000"),
        (float("nan"), None, 1, "the mean is nan units/s; it must be above 0, at most 1000000000"),
        (None, 0.0, 1, "days is 0.0; it must be at least one second, 0.0000116"),
        (None, float("nan"), 1, "days is nan; it must be at least one second, 0.0000116"),
        (None, None, -1, "the seed is -1; it must be from 0 to 18446744073709551615"),
    ],
)
def test_a_wrong_wish_is_told_its_bound(
    mean: float | None, days: float | None, seed: int, message: str
) -> None:
    with pytest.raises(InputError) as refused:
        prepare_workload(demand_file([1, 2]), mean=mean, days=days, seed=seed)
    assert str(refused.value) == message


@pytest.mark.parametrize("count", [0, 1e-320])
def test_silence_cannot_be_scaled(count: float) -> None:
    with pytest.raises(InputError, match=r"^feed.csv: the mean count is .*/s; no factor brings"):
        prepare_workload(demand_file([count] * 2), mean=500, days=None, seed=1)
    assert prepare_workload(demand_file([0, 0]), mean=None, days=None, seed=1).demand.sum() == 0


def test_a_jump_of_years_does_not_become_years_of_seconds() -> None:
    file = demand_file([1, 2, 3], bins=[0, 1, 10**9])
    with pytest.raises(InputError, match=r"^feed.csv: 11574.1 days; at most 366 are replayed"):
        prepare_workload(file, mean=None, days=None, seed=1)
    assert prepare_workload(file, mean=None, days=1, seed=1).seconds == DAY
