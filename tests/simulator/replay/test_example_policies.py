"""The examples in ``policies/`` do what their comments say. Mostly there is no burst bucket.

Floor mode beside Application Auto Scaling is tried where there is one: in ``tests/daemon``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from capacity_pilot.adapters.policy_source import load_policies
from capacity_pilot.core.model import Dimension
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.simulator.replay.cast import find_rules
from capacity_pilot.simulator.replay.settings import ReplaySettings
from capacity_pilot.simulator.result import Change
from tests.simulator.replay.stage import MINUTE, Played, constant, noisy, play, with_push, workload

EXAMPLES = Path(__file__).parents[3] / "policies"
NO_BURST = ReplaySettings(burst_availability=0.0)


def without(policies: PolicySet, key: str) -> PolicySet:
    """The same policies, had that key not been written."""
    written = policies.model_dump(mode="json", by_alias=True)
    for policy in written["policies"]:
        del policy[key]
    return PolicySet.model_validate(written).knowing(policies.tags)


def units(played: Played, minute: int, table: str) -> float:
    return float(played.passage.ledger.provisioned[minute, played.column(workload=table)])


def throttled(played: Played, begin: int, end: int, table: str) -> float:
    """Units between two minutes."""
    return float(played.passage.ledger.throttled[begin:end, played.column(workload=table)].sum())


def test_the_starter_keeps_to_its_bounds_and_meets_a_push() -> None:
    policies = load_policies(EXAMPLES / "starter.yaml")
    busy = with_push(noisy(400.0, 60 * MINUTE), at=20 * MINUTE, times=6.0, lasts=20 * MINUTE)
    huge, idle = constant(400.0, 60 * MINUTE), constant(1.0, 60 * MINUTE)
    huge[30 * MINUTE :] = 20_000.0
    played = play(
        workload(busy, "prod-feed-de"),
        workload(huge, "prod-feed-kr"),
        workload(idle, "prod-feed-eo"),
        under=policies,
    )
    assert played.throttled(workload="prod-feed-de") == 0
    assert units(played, 59, "prod-feed-kr") == 12_000
    assert units(played, 59, "prod-feed-eo") == 50


def test_a_push_finds_the_capacity_there_that_it_was_said_to_need() -> None:
    """At 09:30 in Seoul, half an hour after the replay begins."""
    policies = load_policies(EXAMPLES / "with-pushes.yaml")
    demand = noisy(300.0, 70 * MINUTE)
    demand[30 * MINUTE : 40 * MINUTE] = 2900.0
    feed = workload(demand, "prod-timeline")
    known = play(feed, under=policies, settings=NO_BURST)
    unknown = play(feed, under=without(policies, "events"), settings=NO_BURST)
    assert throttled(known, 30, 40, "prod-timeline") == 0
    assert throttled(unknown, 30, 40, "prod-timeline") > 10_000
    raised = [c.at_s for c in known.changes(workload="prod-timeline") if c.after >= 3000]
    assert 27 * MINUTE <= min(raised) < 30 * MINUTE
    lowered = [c.at_s for c in known.changes(workload="prod-timeline") if c.after < c.before]
    assert not [at for at in lowered if 30 * MINUTE <= at < 60 * MINUTE]


def test_the_first_push_is_met_by_what_is_said_of_pushes() -> None:
    """Sent for two minutes, half an hour in; the pilot has seen none before."""
    policies = load_policies(EXAMPLES / "with-signals.yaml")
    sent, age = constant(0.0, 50 * MINUTE), np.arange(600)
    sent[30 * MINUTE : 32 * MINUTE] = 15_000.0
    response = np.where(age < 4, 0.0, np.exp(-age / 60.0))
    crowd = np.convolve(sent, 0.1 * response / response.sum())[: len(sent)]
    inbox = replace(
        workload(noisy(300.0, len(sent)) + np.rint(crowd), "prod-inbox"),
        signals={"push_sent": sent},
    )
    small_bucket = ReplaySettings(burst_availability=0.3)
    known = play(inbox, under=policies, settings=small_bucket)
    unknown = play(inbox, under=without(policies, "upstream"), settings=small_bucket)
    assert throttled(unknown, 30, 40, "prod-inbox") > 10_000
    assert throttled(known, 30, 40, "prod-inbox") == 0
    (first, *_) = (c for c in known.changes(workload="prod-inbox") if c.at_s >= 30 * MINUTE)
    assert first.at_s - 30 * MINUTE <= 12
    assert "hinted" in first.reasons
    assert first.after > 0.8 * (300 + crowd.max())  # nearly the whole push at once


def test_what_nobody_uses_is_lowered_or_told_of_and_is_back_with_the_first_request() -> None:
    """An hour stands for the days of the example."""
    written = load_policies(EXAMPLES / "with-idle-tables.yaml").model_dump(mode="json")
    for policy in written["policies"]:
        policy["idle"]["after"] = 3600.0
    demand = noisy(60.0, 105 * MINUTE)
    demand[10 * MINUTE : 95 * MINUTE] = 0.0
    played = play(
        workload(demand, "stage-feed"),
        workload(demand, "archive-feed"),
        under=PolicySet.model_validate(written),
    )
    assert units(played, 60, "stage-feed") > 60
    assert units(played, 94, "stage-feed") == 1
    assert units(played, 94, "archive-feed") > 60
    (woken,) = (c for c in played.changes(workload="stage-feed") if "woken" in c.reasons)
    assert 0 < woken.at_s - 95 * MINUTE <= 10
    assert woken.after >= 100
    # What it costs is the first request's: until capacity is there, well under a minute.
    assert throttled(played, 95, 105, "stage-feed") < 60 * MINUTE
    assert throttled(played, 96, 105, "stage-feed") == 0
    assert played.throttled(workload="archive-feed") == 0


def test_the_batch_is_ready_for_and_most_of_it_given_back_soon() -> None:
    """Two o'clock in Berlin is an hour after the replay begins."""
    policies = load_policies(EXAMPLES / "with-nightly-batch.yaml")
    demand = noisy(20.0, 150 * MINUTE)
    demand[60 * MINUTE : 105 * MINUTE] = 3900.0
    ledger = workload(demand, "prod-ledger")
    known = play(ledger, under=policies)
    unknown = play(ledger, under=without(policies, "events"))
    assert known.throttled(workload="prod-ledger") == 0
    assert unknown.throttled(workload="prod-ledger") > 100_000
    assert units(known, 54, "prod-ledger") < 100
    assert units(known, 58, "prod-ledger") >= 4000
    assert units(known, 120, "prod-ledger") < 600


@pytest.mark.parametrize(
    ("tags", "policy", "least"),
    [
        ({"capacity": "gold", "env": "prod"}, "gold", 50),
        ({"capacity": "gold", "env": "dev"}, "fleet", 5),
        ({"capacity": "any"}, "fleet", 5),
    ],
)
def test_tables_of_a_fleet_are_treated_as_their_tags_say(
    tags: dict[str, str], policy: str, least: int
) -> None:
    policies = load_policies(EXAMPLES / "with-tags.yaml").knowing({"orders": tags})
    orders = workload(constant(2.0, 40 * MINUTE), "orders")
    rule = find_rules(policies, [orders], Dimension.WRITE)["orders"]
    assert (rule.policy, rule.is_own, rule.most) == (policy, True, 4000)
    played = play(orders, under=policies)
    assert units(played, 39, "orders") == least


def test_a_fleets_table_is_not_lowered_twice_within_half_an_hour() -> None:
    demand = constant(900.0, 100 * MINUTE)
    demand[15 * MINUTE :], demand[35 * MINUTE :] = 300.0, 30.0
    policies = load_policies(EXAMPLES / "with-tags.yaml").knowing({"orders": {"capacity": "any"}})
    orders = workload(demand, "orders")
    apart = play(orders, under=policies).changes(workload="orders")
    at_will = play(orders, under=without(policies, "scale_in")).changes(workload="orders")
    assert shortest(apart) >= 30 * MINUTE > shortest(at_will)


def shortest(changes: Sequence[Change]) -> float:
    """Seconds between decreases, of which there are several."""
    lowered = [change.at_s for change in changes if change.after < change.before]
    return min(later - earlier for earlier, later in pairwise(lowered))


def test_tables_left_to_people_or_without_tags_are_nobodys() -> None:
    policies = load_policies(EXAMPLES / "with-tags.yaml")
    known = policies.knowing({"a": {"capacity": "manual", "env": "prod"}, "b": {"team": "x"}})
    assert {str(known.mode_for(table)) for table in ("a", "b", "never-read")} == {"off"}
    assert known.policy_for("b") is None


def test_the_whole_folder_is_one_set_and_borrows_from_the_starter() -> None:
    """Whatever a recording is called, it is replayed as it was with the starter alone."""
    stranger = workload(noisy(200.0, 10 * MINUTE), "wikipedia-2007")
    rules = [
        find_rules(load_policies(place), [stranger], Dimension.WRITE)["wikipedia-2007"]
        for place in (EXAMPLES, EXAMPLES / "starter.yaml")
    ]
    assert rules[0] == rules[1]
    assert (rules[0].policy, rules[0].is_own) == ("news feed", False)
