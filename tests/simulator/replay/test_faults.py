"""What goes wrong in a replay, and what everybody makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from capacity_pilot.core.errors import InputError
from capacity_pilot.simulator.replay.cast import PILOT
from capacity_pilot.simulator.replay.retries import Retries
from capacity_pilot.simulator.replay.scenario import Restart, TelemetryGap, load_scenario
from capacity_pilot.simulator.replay.settings import ReplaySettings
from tests.simulator.replay.stage import MINUTE, Played, constant, noisy, play, with_push, workload

AWS = "aws-auto-scaling-70"
NO_BURST = ReplaySettings(burst_availability=0.0)
PUSH_AT = 12 * MINUTE
PUSH = with_push(noisy(200, 25 * MINUTE), at=PUSH_AT, times=6, lasts=13 * MINUTE)


def play_push(
    *faults: Mapping[str, object], retries: str = "none", settings: ReplaySettings = NO_BURST
) -> Played:
    return play(workload(PUSH), rivals=AWS, faults=faults, retries=retries, settings=settings)


@pytest.fixture(scope="module")
def untroubled() -> Played:
    return play_push()


def raised_at(played: Played, strategy: str = PILOT) -> float:
    """When capacity was first raised after the push."""
    return next(
        c.at_s for c in played.changes(strategy) if c.at_s >= PUSH_AT and c.after > c.before
    )


def during_push(kind: str, **more: object) -> dict[str, object]:
    return {"kind": kind, "at": f"{PUSH_AT}s", "lasts": "3m", **more}


def test_without_telemetry_the_pilot_sees_the_push_when_it_is_back(untroubled: Played) -> None:
    alone = replace(NO_BURST, reads_cloudwatch=False)
    blind = play_push(during_push("telemetry_gap"), settings=alone)
    assert raised_at(blind) >= PUSH_AT + 180
    assert blind.throttled() > 1.5 * untroubled.throttled()
    assert blind.changes(AWS) == untroubled.changes(AWS)  # it never looked at spans


def test_spans_lost_in_the_middle_of_a_rise_leave_cloudwatch_to_follow_it_by() -> None:
    """Over eight minutes demand grows fourfold; spans are gone from the second minute on."""
    growth = np.interp(np.arange(30 * MINUTE), [12 * MINUTE, 20 * MINUTE], [1.0, 4.0])
    rise = workload(np.rint(noisy(300, 30 * MINUTE) * growth))
    lost = {"kind": "telemetry_gap", "at": "14m", "lasts": "16m"}
    following = play(rise, faults=[lost])
    holding = play(rise, faults=[lost], settings=ReplaySettings(reads_cloudwatch=False))
    silent = {"kind": "cloudwatch_gap", "at": "12m", "lasts": "18m"}
    neither = play(rise, faults=[lost, silent])
    assert not [c for c in holding.changes() if c.at_s > 15 * MINUTE]
    assert neither.throttled() == pytest.approx(holding.throttled(), rel=0.01)
    assert following.throttled() < 0.3 * holding.throttled()
    assert [c for c in following.changes() if "by_cloudwatch" in c.reasons]
    assert not [c for c in following.changes() if c.at_s > 15 * MINUTE and c.after < c.before]


def test_late_spans_delay_the_pilot_at_least_by_as_much(untroubled: Played) -> None:
    late = play_push(during_push("late_spans", by="40s"))
    assert raised_at(untroubled) + 35 < raised_at(late) < PUSH_AT + 180 + 20


def test_a_tenth_of_the_traces_still_tells_of_the_push(untroubled: Played) -> None:
    sampled = play_push(during_push("sampling", ratio=0.1))
    assert raised_at(sampled) == pytest.approx(raised_at(untroubled), abs=3)
    assert sampled.changes() != untroubled.changes()


def test_minutes_cloudwatch_keeps_to_itself_delay_aws_alone(untroubled: Played) -> None:
    gap = play_push({"kind": "cloudwatch_gap", "at": f"{PUSH_AT}s", "lasts": "5m"})
    assert raised_at(gap, AWS) > raised_at(untroubled, AWS) + 120
    assert gap.changes() == untroubled.changes()


def test_refused_updates_are_tried_again_until_they_are_taken(untroubled: Played) -> None:
    refused = play_push(during_push("refused_updates", code="InternalServerError"))
    assert raised_at(refused) >= PUSH_AT + 180
    assert raised_at(refused) < PUSH_AT + 180 + 60
    assert raised_at(refused, AWS) >= raised_at(untroubled, AWS)


def test_slow_applies_throttle_everyone_for_longer(untroubled: Played) -> None:
    slow = play_push({"kind": "slow_applies", "at": f"{PUSH_AT}s", "lasts": "10m", "factor": 6})
    assert raised_at(slow) == raised_at(untroubled)
    for strategy in (PILOT, AWS):
        assert slow.throttled(strategy) > untroubled.throttled(strategy)


def test_a_daemon_that_was_away_comes_back_without_memory_and_lowers_nothing() -> None:
    away = play_push({"kind": "restart", "at": f"{PUSH_AT + 60}s", "lasts": "30s"})
    at = [c.at_s for c in away.changes() if c.at_s >= PUSH_AT]
    assert not [t for t in at if PUSH_AT + 60 <= t < PUSH_AT + 90]
    # Back, it watches for a whole stabilization window before it lowers anything.
    after = [c for c in away.changes() if PUSH_AT + 90 <= c.at_s < PUSH_AT + 90 + 150]
    assert all(c.after > c.before for c in after)


@pytest.mark.parametrize("mode", ["standard", "legacy"])
def test_callers_that_come_back_turn_throttles_into_more_demand(
    mode: str, untroubled: Played
) -> None:
    stormy = play_push(retries=mode)
    for strategy in (PILOT, AWS):
        offered = stormy.consumed(strategy) + stormy.throttled(strategy)
        assert offered > PUSH.sum() + 100
        assert stormy.throttled(strategy) > untroubled.throttled(strategy)
        assert stormy.consumed(strategy) <= PUSH.sum() + 1e-6


def test_every_retry_comes_once_and_in_its_time() -> None:
    """10 units throttled whole, retried after 1 s (0.5 rounded up) and 1 s, then given up."""
    retries = Retries("standard", 1)
    fresh, nothing = np.array([10.0]), np.zeros((2, 1))
    given_up = retries.come_back(0, fresh=fresh, due=nothing, throttled=fresh)
    assert given_up.tolist() == [0.0]
    first = retries.take_due(1)
    assert first.tolist() == [[10.0], [0.0]]
    lost = retries.come_back(1, fresh=np.zeros(1), due=first, throttled=np.array([6.0]))
    assert lost.tolist() == [0.0]
    second = retries.take_due(2)
    assert second.tolist() == [[0.0], [6.0]]
    lost = retries.come_back(2, fresh=np.zeros(1), due=second, throttled=np.array([1.5]))
    assert lost.tolist() == [1.5]
    assert not any(retries.take_due(second).any() for second in range(3, 30))


def test_a_gap_of_telemetry_is_not_made_up_for_later() -> None:
    """Demand doubles inside the gap and is back at its end: spans show nothing of it."""
    demand = constant(200.0, 20 * MINUTE)
    demand[10 * MINUTE : 12 * MINUTE] = 400.0
    gap = {"kind": "telemetry_gap", "at": "10m", "lasts": "2m"}
    alone = ReplaySettings(reads_cloudwatch=False)
    played = play(workload(demand), faults=[gap], settings=alone)
    assert not [c for c in played.changes() if c.at_s >= 10 * MINUTE and c.after > c.before]


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "scenario.yaml"
    file.write_text(text)
    return file


def test_a_scenario_file_means_what_it_says(tmp_path: Path) -> None:
    scenario = load_scenario(
        write(
            tmp_path,
            "version: 1\nretries: legacy\nfaults:\n"
            "  - {kind: telemetry_gap, at: 2h, lasts: 10m}\n"
            "  - {kind: restart, at: 30h, lasts: 20s}\n",
        )
    )
    assert scenario.retries == "legacy"
    assert [f.at for f in scenario.faults] == [7200.0, 108_000.0]
    assert any(scenario.of(TelemetryGap, 7200.0))
    assert not any(scenario.of(TelemetryGap, 7800.0))
    assert not any(scenario.of(Restart, 7200.0))


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{kind: earthquake, at: 1h, lasts: 1m}", r"scenario\.yaml:3:5: faults\.0: .*'earthquake'"),
        ("{kind: sampling, at: 1h, lasts: 1m, ratio: 2}", r":3:\d+: .*ratio: has to be at most 1"),
        ("{kind: restart, at: soon, lasts: 1m}", r":3:\d+: .*at: 'soon' is not a duration"),
        ("{kind: restart, at: 1h}", r":3:\d+: .*lasts: is missing here"),
        ("{kind: restart, at: 1h, lasts: 1m, by: 3}", r":3:\d+: .*by: no such key"),
    ],
)
def test_a_bad_scenario_names_its_place(tmp_path: Path, line: str, complaint: str) -> None:
    file = write(tmp_path, f"version: 1\nfaults:\n  - {line}\n")
    with pytest.raises(InputError, match=complaint):
        load_scenario(file)
