"""Events of the policy and announcements in a replay. Time starts on Monday 2026-01-05, 00:00 UTC.

Mostly there is no burst bucket: whatever is not provisioned throttles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.fleet import Floats
from capacity_pilot.simulator.replay.run import order_replay
from capacity_pilot.simulator.replay.scenario import Scenario, load_scenario
from capacity_pilot.simulator.replay.settings import ReplaySettings
from tests.simulator.replay.stage import (
    MINUTE,
    Played,
    constant,
    play,
    policies,
    workload,
)

NO_BURST = ReplaySettings(burst_availability=0.0)
FIRST, SECOND, END = 15, 45, 70
PUSHES = (FIRST * MINUTE, 40_000), (SECOND * MINUTE, 120_000)


def with_opens(base: Floats, *pushes: tuple[int, float]) -> Floats:
    """Of everybody a push opens the app for, most come within a minute or two, some much later."""
    demand = base.copy()
    for at, opens in pushes:
        since = np.arange(len(base) - at)
        coming = 0.6 / 75 * np.exp(-since / 75) + 0.4 / 900 * np.exp(-since / 900)
        demand[at:] += opens * coming * np.minimum(since / 20, 1.0)
    return np.random.default_rng(3).poisson(demand).astype(np.float64)


def announce(*pushes: tuple[int, float]) -> list[Mapping[str, object]]:
    return [
        {"name": "push", "at": at, "lasts": "15m", "audience": int(25 * opens)}
        for at, opens in pushes
    ]


def throttled(played: Played, begin: int, end: int) -> float:
    """Units between two minutes."""
    return float(played.passage.ledger.throttled[begin:end, played.column()].sum())


def provisioned(played: Played, minute: int) -> float:
    return float(played.passage.ledger.provisioned[minute, played.column()])


def play_pushes(
    announcements: Sequence[Mapping[str, object]], settings: ReplaySettings = NO_BURST
) -> Played:
    demand = with_opens(constant(200.0, END * MINUTE), *PUSHES)
    return play(workload(demand), settings=settings, announcements=announcements)


def test_a_push_announced_twice_throttles_once() -> None:
    """The audience is all that is said. The first time nobody knows what it will bring; half an
    hour later three times as many are told, and the capacity is there before they come.
    """
    told, untold = play_pushes(announce(*PUSHES)), play_pushes([])
    # Until it is known what a recipient brings, an announcement only keeps what is there.
    assert 1000 < throttled(told, FIRST, FIRST + 15) <= throttled(untold, FIRST, FIRST + 15)
    (before, *later) = [c for c in told.changes() if c.at_s > (SECOND - 5) * MINUTE]
    assert before.at_s < SECOND * MINUTE - 60
    assert {"announced", "rising_demand"} <= set(before.reasons)
    peak = with_opens(constant(200.0, END * MINUTE), *PUSHES)[SECOND * MINUTE :].max()
    assert provisioned(told, SECOND) >= before.after  # all of its first minute long
    assert peak < before.after < 1.6 * peak
    assert throttled(told, SECOND - 2, SECOND + 15) == 0
    assert throttled(untold, SECOND - 2, SECOND + 15) > 1000
    assert all(c.at_s >= (SECOND + 15) * MINUTE for c in later if c.after < c.before)


def test_a_bucket_that_is_there_carries_its_part_and_what_was_bought_is_let_go() -> None:
    """In half of the draws changes may take so long that more is bought as the push climbs."""
    peak = with_opens(constant(200.0, END * MINUTE), *PUSHES)[SECOND * MINUTE :].max()
    hours = []
    for world in (ReplaySettings(seed=seed) for seed in range(4)):
        told, untold = (play_pushes(said, world) for said in (announce(*PUSHES), []))
        assert told.throttled() == 0
        before, *later = [c for c in told.changes() if c.at_s > (SECOND - 5) * MINUTE]
        assert before.at_s < SECOND * MINUTE - 60
        assert before.after < 0.8 * peak
        (lowered, *_) = [c for c in later if c.after < c.before]
        assert 0 <= lowered.at_s - (SECOND + 15) * MINUTE < 5 * MINUTE
        hours.append((told.unit_hours(), untold.unit_hours()))
    with_word, without = np.sum(hours, axis=0)
    assert with_word < 1.2 * without


def test_an_event_of_the_policy_comes_by_its_cron() -> None:
    """At a quarter past one in the morning in Berlin it is a quarter past midnight in UTC."""
    event = {
        "name": "backup",
        "cron": "15 1 * * MON",
        "timezone": "Europe/Berlin",
        "lasts": "5m",
        "write": {"at_least": 2000},
    }
    demand = constant(200.0, 40 * MINUTE)
    demand[15 * MINUTE : 20 * MINUTE] = 1900.0
    known = play(workload(demand), settings=NO_BURST, under=policies(events=[event]))
    unknown = play(workload(demand), settings=NO_BURST)
    assert throttled(known, 15, 20) == 0
    assert throttled(unknown, 15, 20) > 10_000
    assert provisioned(known, 10) < 400
    (raised,) = [c for c in known.changes() if c.after == 2000]
    assert "event" in raised.reasons


def test_events_of_a_policy_for_other_tables_are_not_borrowed() -> None:
    event = {"name": "backup", "at": "2026-01-05T00:10Z", "write": {"at_least": 2000}}
    under = policies(match={"tables": ["orders"]}, events=[event])
    played = play(workload(constant(200.0, 15 * MINUTE)), under=under)
    assert provisioned(played, 12) < 400


def test_a_freeze_keeps_capacity_where_it_is() -> None:
    demand = constant(500.0, 60 * MINUTE)
    demand[5 * MINUTE :] = 20.0
    freeze = {"from": "2026-01-05", "until": "2026-01-05T00:45Z"}
    frozen = play(workload(demand), under=policies(freeze=[freeze]))
    free = play(workload(demand))
    assert min(c.at_s for c in free.changes()) < 45 * MINUTE
    assert min(c.at_s for c in frozen.changes()) == 45 * MINUTE


def test_an_announcement_is_for_the_tables_it_names() -> None:
    quiet = constant(200.0, 15 * MINUTE)
    played = play(
        workload(quiet, "feed"),
        workload(quiet, "orders"),
        announcements=[
            {"name": "a", "at": "10m", "tables": ["or*"], "write": {"at_least": 2000}, "ahead": 0},
        ],
    )
    raised = {name: [c.after for c in played.changes(workload=name)] for name in ("feed", "orders")}
    assert 2000 not in raised["feed"]
    assert raised["orders"][-1] == 2000
    # Told when it begins, it cannot be met before.
    assert played.changes(workload="orders")[-1].at_s == 10 * MINUTE


def test_a_restart_forgets_what_was_announced_but_not_the_policy() -> None:
    """Announcements are kept in memory; one made again afterwards is heeded."""
    event = {"name": "backup", "at": "2026-01-05T00:10Z", "write": {"at_least": 1000}}
    played = play(
        workload(constant(200.0, 15 * MINUTE)),
        announcements=[{"name": "a", "at": "12m", "write": {"at_least": 3000}}],
        faults=[{"kind": "restart", "at": "5m", "lasts": "5s"}],
        under=policies(events=[event]),
    )
    assert provisioned(played, 14) == 1000


SCENARIO = """\
version: 1
announcements:
  - {name: push, at: 2h, lasts: 20m, audience: 200000}
  - {name: push, at: 4h, ahead: 1h, audience: 300000, tables: [feed], write: {at_least: 900}}
"""


def test_a_scenario_file_may_announce(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(SCENARIO)
    first, second = load_scenario(file).announcements
    assert (first.at, first.ahead, first.lasts, first.tables) == (7200, 600, 1200, ["*"])
    assert (second.told_at, second.tables) == (3 * 3600, ["feed"])
    file.write_text(SCENARIO.replace("audience: 200000", "audience: -1"))
    with pytest.raises(InputError, match=r"scenario\.yaml:3:48: announcements\.0\.audience: has"):
        load_scenario(file)


def test_an_announcement_for_no_table_of_the_replay_is_refused() -> None:
    scenario = Scenario.model_validate(
        {"announcements": [{"name": "push", "at": 60, "tables": ["fed"], "audience": 1}]}
    )
    with pytest.raises(InputError, match=r"announcement 'push' is for fed, and no table of that"):
        order_replay(
            [workload(constant(1.0, MINUTE))],
            policies=policies(),
            strategies=(),
            settings=NO_BURST,
            scenario=scenario,
        )
