"""Made-up demand: what it promises of itself, and the way from the generator to a world."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.fleet import Floats, Ints
from capacity_pilot.simulator.demand_file import prepare_workload, read_demand
from capacity_pilot.simulator.generator import (
    KINDS,
    Block,
    TableSpec,
    generate_blocks,
    write_demand,
)

DAY = 86_400
HOUR = 3600
COLUMNS = ("t_s", "count", "push_sent", "route_feed")
kinds = pytest.mark.parametrize("kind", KINDS)


def spec(
    kind: str = "social-day", *, days: float = 1.0, mean: float = 500.0, **ids: int
) -> TableSpec:
    return TableSpec(
        kind=kind, days=days, mean=mean, seed=ids.get("seed", 1), table=ids.get("table", 0)
    )


def whole(of: TableSpec, *, block_s: int = DAY) -> Block:
    blocks = list(generate_blocks(of, block_s=block_s))
    joined = {name: np.concatenate([getattr(b, name) for b in blocks]) for name in COLUMNS}
    return Block(**joined)


def means(values: Ints, seconds: int) -> Floats:
    averaged: Floats = values[: len(values) // seconds * seconds].reshape(-1, seconds).mean(axis=1)
    return averaged


def lead_of(cause: Ints, effect: Ints) -> int:
    """Seconds by which rises of ``effect`` follow ``cause`` best."""
    signal = cause[1:] - cause[1:].mean()
    rises = np.diff(effect.astype(float))
    fits = [float(rises[lag:] @ signal[: len(signal) - lag]) for lag in range(60)]
    return int(np.argmax(fits))


@kinds
def test_every_second_is_there_in_whole_numbers_with_the_asked_mean(kind: str) -> None:
    made = whole(spec(kind, days=2))
    assert made.t_s.tolist() == list(range(2 * DAY))
    for name in COLUMNS:
        column = getattr(made, name)
        assert column.dtype == np.int64
        assert column.min() >= 0
    assert made.count.mean() == pytest.approx(500 * KINDS[kind].size, rel=0.02)


@kinds
@settings(max_examples=10)
@given(seed=st.integers(0, 2**64 - 1), block_s=st.integers(1, 3000), days=st.floats(0.01, 0.05))
def test_the_seed_alone_tells_the_numbers_not_the_blocks(
    kind: str, seed: int, block_s: int, days: float
) -> None:
    of = spec(kind, days=days, seed=seed)
    once, again = whole(of), whole(of, block_s=block_s)
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(once, name), getattr(again, name))


def test_another_seed_or_table_is_another_day() -> None:
    first = whole(spec())
    assert (whole(spec(seed=2)).count != first.count).mean() > 0.5
    assert (whole(spec(table=1)).count != first.count).mean() > 0.5


def test_tables_of_one_seed_get_the_same_pushes() -> None:
    first, second = whole(spec()), whole(spec("outage", table=7))
    assert first.push_sent.any()
    np.testing.assert_array_equal(first.push_sent, second.push_sent)


def test_people_sleep_at_night_and_come_in_the_evening() -> None:
    hours = np.median(means(whole(spec(days=7)).count, HOUR).reshape(7, 24), axis=0)
    assert hours[4] < 0.4 * hours.mean()
    assert 19 <= np.argmax(hours) <= 21


def test_weekends_are_busier() -> None:
    days = means(whole(spec(days=28)).route_feed, DAY).reshape(4, 7).mean(axis=0)
    assert days[5] > days[:4].max()


def test_push_sent_leads_the_feed_by_four_seconds_and_the_table_by_one_or_two_more() -> None:
    made = whole(spec(days=7, mean=5000))
    # A whole second's people come in the fifth second, the first half of them in the fourth.
    assert lead_of(made.push_sent, made.route_feed) in {4, 5}
    assert lead_of(made.push_sent, made.count) in {5, 6}


@pytest.mark.parametrize("kind", ["social-day", "push-day", "launch", "outage", "batch"])
def test_the_feed_leads_the_table_by_one_second_and_some_of_it_by_two(kind: str) -> None:
    made = whole(spec(kind))
    feed, count = (np.diff(column.astype(float)) for column in (made.route_feed, made.count))
    lagged = np.column_stack([feed[5 - lag : len(feed) - lag] for lag in range(6)])
    answers = np.linalg.lstsq(lagged, count[5:])[0]
    np.testing.assert_allclose(answers / answers.sum(), [0, 0.6, 0.4, 0, 0, 0], atol=0.08)


def beginnings(made: Block) -> list[int]:
    """Seconds in which a push begins to be sent."""
    sent = made.push_sent > 0
    return np.flatnonzero(sent & ~np.roll(sent, 1)).tolist()


def test_pushes_leave_at_fixed_hours_and_about_once_a_day_at_any_time() -> None:
    made = whole(spec(mean=2000, days=7))
    hours = [at % DAY / HOUR for at in beginnings(made)]
    scheduled = [h for h in hours if any(0 <= h - due < 0.01 for due in (8.0, 12.5, 20.0))]
    assert len(scheduled) >= 20  # one may be sent while another is under way
    assert 2 <= len(hours) - len(scheduled) <= 15


def test_a_push_brings_a_crowd_that_fades_in_minutes() -> None:
    made = whole(spec(mean=2000, days=3))
    jumps = []
    for at in beginnings(made):
        ended = at + int(np.argmin(made.push_sent[at : at + 2000] > 0))
        before = made.count[at - 60 : at].mean()
        highest = made.count[ended : ended + 15].mean()
        jumps.append(highest / before)
        assert highest > made.count[ended + 900 : ended + 1200].mean()
    assert max(jumps) > 1.5


def test_messages_are_sent_at_a_pace_that_providers_allow() -> None:
    made = whole(spec("push-day", days=3, mean=500.0))  # an app of 200 requests per second
    rates = made.push_sent[made.push_sent > 0]
    assert 6_000 < np.median(rates) < 45_000  # by default Firebase takes 10,000 a second
    assert rates.max() < 150_000


def test_no_crowd_comes_of_a_push_that_does_not_show() -> None:
    made = whole(spec("push-day", days=7, mean=2000))
    feed = means(made.route_feed, 60)
    jump = feed[6:] / np.array([feed[n : n + 5].mean() for n in range(len(feed) - 6)])
    jumped = np.flatnonzero(jump > 1.5) + 6
    assert len(jumped) > 10
    for minute in jumped:
        assert made.push_sent[(minute - 15) * 60 : (minute + 1) * 60].any()


def test_push_days_have_the_largest_crowds() -> None:
    quiet, loud = (whole(spec(kind, days=3)) for kind in ("social-day", "push-day"))
    assert len(beginnings(loud)) > len(beginnings(quiet)) + 6
    assert loud.count.max() > 1.5 * quiet.count.max()


def test_an_outage_ends_in_a_retry_storm() -> None:
    calm, stricken = whole(spec("social-day")), whole(spec("outage"))
    ratio = means(stricken.route_feed, 10) / means(calm.route_feed, 10)
    ratio /= np.median(ratio)
    away = np.flatnonzero(ratio < 0.5)
    assert 9 <= len(away) <= 3 * 125
    assert ratio[away[-1] + 1 : away[-1] + 6].max() > 1.7


def test_a_launch_changes_the_level_for_good() -> None:
    before, after = (
        means(whole(spec(kind, days=3)).route_feed, DAY) for kind in ("social-day", "launch")
    )
    share = after / before
    assert share[2] > 1.15 * share[0]


def test_batch_tables_jump_at_two_and_are_quiet_by_day() -> None:
    hours = means(whole(spec("batch")).count, HOUR)
    assert int(np.argmax(hours)) == 2
    assert hours[2] > 10 * np.median(hours)


def test_idle_tables_are_mostly_idle() -> None:
    made = whole(spec("idle", days=3))
    assert (made.count == 0).mean() > 0.5
    assert made.count.max() > 10 * made.count.mean()


@pytest.mark.parametrize("name", ["feed.csv", "feed.csv.gz", "feed.parquet"])
def test_what_was_made_comes_back_from_the_file_as_a_world(tmp_path: Path, name: str) -> None:
    of = spec(days=0.1)
    write_demand(tmp_path / name, generate_blocks(of, block_s=1000))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    world = prepare_workload(read_demand(tmp_path / name), mean=None, days=None, seed=1)
    made = whole(of)
    assert (world.name, world.bin_s, world.seconds) == ("feed", 1, of.seconds)
    np.testing.assert_array_equal(world.demand, made.count)
    assert sorted(world.signals) == ["push_sent", "route_feed"]
    np.testing.assert_array_equal(world.signals["push_sent"], made.push_sent)
    np.testing.assert_array_equal(world.signals["route_feed"], made.route_feed)


@pytest.mark.parametrize("name", ["feed.csv", "feed.csv.gz", "feed.parquet"])
def test_the_same_spec_writes_the_same_bytes(tmp_path: Path, name: str) -> None:
    written = []
    for folder in ("once", "again"):
        (tmp_path / folder).mkdir()
        write_demand(tmp_path / folder / name, generate_blocks(spec(days=0.02)))
        written.append((tmp_path / folder / name).read_bytes())
    assert written[0] == written[1]


def test_a_file_that_cannot_be_written_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere/feed.csv: No such file or directory"):
        write_demand(tmp_path / "nowhere" / "feed.csv", generate_blocks(spec(days=0.02)))
    with pytest.raises(InputError, match=r"ends in .csv, .csv.gz or .parquet"):
        write_demand(tmp_path / "feed.txt", generate_blocks(spec(days=0.02)))
    (tmp_path / "feed.csv").mkdir()
    with pytest.raises(InputError, match=r"feed.csv: Is a directory"):
        write_demand(tmp_path / "feed.csv", generate_blocks(spec(days=0.02)))
    assert [path.name for path in tmp_path.iterdir()] == ["feed.csv"]
