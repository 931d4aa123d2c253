"""A table nobody uses is lowered once CloudWatch has said so for long, and comes back at once."""

from __future__ import annotations

import numpy as np
import pytest

from capacity_pilot.core.reasons import Reason
from capacity_pilot.core.snapshot import decode, encode
from tests.core.coverage.watched import Watched
from tests.core.feed_table import describe_feed
from tests.core.scenario import seconds

RULE: dict[str, object] = {"after": "1h", "lower_to": 5}


def in_use(**changes: object) -> Watched:
    """Six minutes of 200 units/s, all of them traced, and then nobody any more."""
    watched = Watched(demand=200.0, provisioned=210, minimum=50, **changes)  # type: ignore[arg-type]
    watched.until("6m")
    watched.demand = 0.0
    return watched


def asked(watched: Watched) -> float:
    return float(watched.step.decisions.units[watched.slot])


def reasons(watched: Watched) -> Reason:
    return Reason(int(watched.step.decisions.reasons[watched.slot]))


def pass_on(watched: Watched, time: str) -> list[tuple[str, int]]:
    """Lets plans take force at once up to ``time``, ticking now and then while nobody calls;
    returns what they changed.
    """
    changes: list[tuple[str, int]] = []
    while watched.now < watched.start + seconds(time):
        watched.now += 0 if watched.demand else 14
        watched.until_next()
        for plan in watched.step.plans:
            (change,) = plan.changes
            changes.append((plan.direction.value, change.write))
            watched.provisioned = change.write
            watched.pilot.observe(describe_feed(change.write, at=watched.now))
    return changes


def lower(watched: Watched, time: str) -> list[int]:
    """What it is lowered to meanwhile, its minimum or less: it was in use at four times of that."""
    return [units for way, units in pass_on(watched, time) if way == "in" and units <= 50]


def test_it_is_lowered_below_its_minimum_only_after_an_hour_that_was_watched() -> None:
    watched = in_use(idle=RULE)
    assert lower(watched, "65m") == []
    assert asked(watched) > 200
    assert Reason.IDLE not in reasons(watched)
    assert lower(watched, "90m") == [5]
    assert Reason.IDLE in reasons(watched)
    assert float(watched.step.decisions.demand[watched.slot]) == 0.0


def test_without_the_rule_and_without_a_level_nothing_is_changed() -> None:
    assert lower(in_use(), "120m") == []
    watched = in_use(idle={"after": "1h"})
    assert lower(watched, "120m") == []
    assert Reason.IDLE in reasons(watched)


def test_min_is_a_level_too() -> None:
    assert lower(in_use(idle={"after": "1h", "lower_to": "min"}), "100m") == [50]


@pytest.mark.parametrize("blind", ["cloudwatch is not read", "cloudwatch answers nothing", "deaf"])
def test_silence_that_nobody_witnessed_is_not_idleness(blind: str) -> None:
    watched = in_use(idle=RULE, usd_per_month=0.0) if "not read" in blind else in_use(idle=RULE)
    watched.is_counted = "nothing" not in blind
    if blind == "deaf":  # callers go on, spans are lost: CloudWatch counts
        watched.demand, watched.is_told = 200.0, False
    changes = pass_on(watched, "120m")
    assert all(direction == "out" for direction, _ in changes)
    assert Reason.IDLE not in reasons(watched)


def test_a_gap_in_what_cloudwatch_tells_begins_the_count_anew() -> None:
    watched = in_use(idle=RULE)
    pass_on(watched, "50m")
    watched.is_counted = False
    pass_on(watched, "130m")
    watched.is_counted = True
    assert lower(watched, "180m") == []
    assert lower(watched, "215m") == [5]


def test_once_its_silence_is_witnessed_no_longer_it_has_what_it_last_needed() -> None:
    watched = in_use(idle=RULE)
    assert lower(watched, "90m") == [5]
    watched.is_counted = False
    direction, units = pass_on(watched, "180m")[0]
    assert direction == "out"
    assert units >= 200
    assert Reason.IDLE not in reasons(watched)


def test_who_is_traced_in_part_only_is_told_of_and_not_lowered() -> None:
    watched = Watched(demand=200.0, provisioned=400, minimum=50, share=0.0, idle=RULE)
    watched.until("6m")
    watched.demand = 0.0
    assert lower(watched, "120m") == []
    assert Reason.IDLE | Reason.COVERAGE_UNKNOWN in reasons(watched)


@pytest.mark.parametrize(("safe", "least"), [(None, 200), (400, 400)])
def test_the_first_request_brings_back_what_is_safe_or_was_needed_in_one_step(
    safe: int | None, least: int
) -> None:
    watched = in_use(idle=RULE, safe=safe)
    assert lower(watched, "90m") == [5]
    watched.demand = 3.0
    began = watched.now
    changes: list[int] = []
    while not changes and watched.now < began + 30:
        watched.until_next()
        changes = [change.write for plan in watched.step.plans for change in plan.changes]
    (units,) = changes
    assert least <= units < 1.3 * least
    assert watched.now - began <= 3
    assert Reason.WOKEN in reasons(watched)
    watched.pilot.observe(describe_feed(units, at=watched.now))
    watched.provisioned = units
    assert min((to for _, to in pass_on(watched, "100m")), default=50) >= 50


def test_a_first_request_that_only_cloudwatch_knows_of_wakes_it_as_well() -> None:
    watched = in_use(idle=RULE)
    assert lower(watched, "90m") == [5]
    watched.demand, watched.is_told = 3.0, False
    direction, units = pass_on(watched, "98m")[0]
    assert direction == "out"
    assert units >= 50


def test_a_restart_forgets_neither_the_count_nor_what_was_lowered() -> None:
    watched = in_use(idle=RULE)
    pass_on(watched, "60m")
    for until, changes in (("90m", [5]), ("100m", [])):
        memory = decode(encode(watched.pilot.remember(watched.now)), watched.now)
        watched.restart()
        watched.pilot.observe(describe_feed(watched.provisioned, at=watched.now))
        watched.pilot.recall(memory, watched.now)
        assert lower(watched, until) == changes
    assert np.count_nonzero(watched.pilot.idle.is_lowered) == 1
