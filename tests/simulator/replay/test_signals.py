"""A demand file's further columns reach the pilot as traces would: late, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from capacity_pilot.core.fleet import Floats
from capacity_pilot.core.model import SignalKey
from capacity_pilot.simulator.replay.scenario import Scenario
from capacity_pilot.simulator.replay.settings import ReplaySettings
from capacity_pilot.simulator.replay.signal_feed import SignalFeed
from capacity_pilot.simulator.workload import Workload
from tests.simulator.replay.stage import MINUTE, constant, noisy, play, workload

START = 1_000_000
SECONDS = 106 * MINUTE
PUSHES = (4 * MINUTE, 52 * MINUTE, 100 * MINUTE)
LAST = PUSHES[-1]
LASTS_S = 30


def sent(*at: int, seconds: int = SECONDS) -> Floats:
    counts = np.zeros(seconds)
    for begin in at:
        counts[begin : begin + LASTS_S] = 20_000.0 if begin == LAST else 10_000.0
    return counts


def followed_by_crowds(*at: int, name: str = "feed", mean: float = 300.0) -> Workload:
    """Pushes that each bring a crowd of some ten times what is usual, all of it in minutes; the
    last one twice as many.
    """
    age = np.arange(600)
    response = np.where(age < 4, 0.0, np.exp(-age / 60.0))
    crowd = np.convolve(sent(*at), 0.9 * response / response.sum())[:SECONDS]
    demand = noisy(mean, SECONDS) + np.rint(crowd)
    return replace(workload(demand, name), signals={"push_sent": sent(*PUSHES)})


def told_by(
    lag_s: float = 6.0,
    seconds: int = 30,
    faults: tuple[Mapping[str, object], ...] = (),
    **signals: Floats,
) -> list[dict[SignalKey, float]]:
    scenario = Scenario.model_validate({"version": 1, "faults": list(faults)})
    told = replace(workload(constant(1.0, seconds)), signals=signals)
    feed = SignalFeed([told], scenario, lag_s=lag_s, began_at=START)
    heard = []
    for second in range(seconds):
        arrived, _ = feed.arrivals(second, second + 1)
        entries = zip(*(values.tolist() for values in arrived[1:]), strict=True)
        heard.append({(*arrived.names[column], at): count for column, at, count in entries})
        feed.pass_until(second)
    return heard


def test_a_second_is_told_when_it_is_over_and_the_lag_has_passed() -> None:
    heard = told_by(lag_s=6.0, sent=np.arange(30.0))
    assert heard[:7] == [{}] * 7
    assert heard[7] == {("feed", "sent", START): 0.0}
    assert heard[20] == {("feed", "sent", START + 13): 13.0}


def test_what_was_not_recorded_is_not_told() -> None:
    counts = np.arange(30.0)
    counts[5] = np.nan
    heard = told_by(lag_s=0.0, sent=counts, fed=np.ones(30))
    assert heard[6] == {("feed", "fed", START + 5): 1.0}


def test_gaps_lose_seconds_and_late_spans_bring_them_later() -> None:
    gap = {"kind": "telemetry_gap", "at": 5, "lasts": 3}
    late = {"kind": "late_spans", "at": 10, "lasts": 1, "by": 4}
    heard = told_by(lag_s=0.0, faults=(gap, late), sent=np.arange(30.0))
    seconds = [[key[2] - START for key in told] for told in heard]
    assert seconds[5:10] == [[4], [], [], [], [8]]
    assert seconds[11] == []
    assert seconds[15] == [14, 10] or seconds[15] == [10, 14]


def test_several_seconds_are_told_of_as_one_after_the_other() -> None:
    """And what is asked for ahead is told again, until its time has passed."""
    counts = np.arange(30.0)
    counts[4] = np.nan
    alone = told_by(lag_s=1.0, sent=counts, fed=np.ones(30))
    both = replace(workload(constant(1.0, 30)), signals={"sent": counts, "fed": np.ones(30)})
    feed = SignalFeed([both], Scenario(), lag_s=1.0, began_at=START)
    feed.arrivals(0, 20)
    feed.pass_until(2)
    arrived, ends = feed.arrivals(3, 10)
    assert ends.tolist() == np.cumsum([len(told) for told in alone[3:10]]).tolist()
    assert arrived.counts.tolist() == [count for told in alone[3:10] for count in told.values()]


@pytest.fixture(scope="module")
def crowds() -> Workload:
    return followed_by_crowds(*PUSHES)


def test_a_signal_saves_what_seconds_alone_would_have_throttled(crowds: Workload) -> None:
    poor = ReplaySettings(burst_availability=0.2)
    deaf = play(replace(crowds, signals={}), settings=poor)
    heeding = play(crowds, settings=poor)
    by_minute = [p.passage.ledger.throttled[:, p.column()] for p in (deaf, heeding)]
    last = slice(LAST // MINUTE, None)
    without, with_signal = (float(minutes[last].sum()) for minutes in by_minute)
    assert without > 50, "what earlier pushes taught does not suffice"
    assert with_signal < without / 10
    asked = [c for c in heeding.changes() if c.at_s >= LAST]
    assert asked[0].at_s - LAST < 10
    assert "upstream" in asked[0].reasons


def test_a_useless_signal_changes_nothing(crowds: Workload) -> None:
    lonely = followed_by_crowds()  # the same pushes are sent, but nobody comes
    told, deaf = play(lonely), play(replace(lonely, signals={}))
    assert told.changes() == deaf.changes()


def test_decisions_before_the_signals_future_changes_are_the_same(crowds: Workload) -> None:
    cut = LAST + 20
    other = crowds.signals["push_sent"].copy()
    other[cut:] = np.random.default_rng(1).permutation(other)[cut:] * 7
    seen, changed = play(crowds), play(replace(crowds, signals={"push_sent": other}))
    before, after = ([c for c in p.changes() if c.at_s < cut] for p in (seen, changed))
    assert before == after
    assert any("upstream" in c.reasons for c in before)


def test_a_workload_with_signals_fares_alone_as_it_does_in_company(crowds: Workload) -> None:
    others = [followed_by_crowds(*PUSHES[n:], name=f"table-{n}") for n in (1, 2)]
    alone, together = play(crowds), play(others[0], crowds, others[1])
    assert alone.changes() == together.changes()
    assert alone.throttled() == pytest.approx(together.throttled())
