"""The ladder told in time: spans are lost, then CloudWatch, and both come back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from capacity_pilot.core.coverage.minutes import Minutes
from capacity_pilot.core.demand import DemandState
from capacity_pilot.core.fleet import Fleet
from capacity_pilot.core.forecast.upstream import UpstreamState
from capacity_pilot.core.ladder import Heard, LadderState, Rung, step_ladder
from capacity_pilot.core.memory import state_after
from capacity_pilot.core.reasons import Reason
from tests.core.coverage.watched import Watched
from tests.core.feed_table import FEED
from tests.core.scenario import policy


def rung_of(watched: Watched) -> Rung:
    return Rung(int(watched.pilot.ladder.rung[watched.slot]))


def wanted(watched: Watched) -> float:
    return float(watched.step.decisions.units[watched.slot])


def reasons(watched: Watched) -> Reason:
    return Reason(int(watched.step.decisions.reasons[watched.slot]))


def silent_since_10m(**changes: object) -> Watched:
    watched = Watched(**changes).until("10m")  # type: ignore[arg-type]
    assert rung_of(watched) is Rung.FULL
    watched.is_told = False
    return watched


def test_spans_lost_leave_cloudwatch_to_raise_capacity_by() -> None:
    watched = silent_since_10m(demand=400, provisioned=600).until("10m30s")
    assert rung_of(watched) is Rung.CLOUDWATCH
    assert wanted(watched) == 600, "nothing is bought for what spans had told already"
    watched.demand = 550
    watched.until("13m30s")
    assert wanted(watched) > 550 / 0.7
    assert reasons(watched) & Reason.BY_CLOUDWATCH


def test_what_is_well_within_capacity_is_left_and_never_lowered() -> None:
    watched = silent_since_10m(demand=400, provisioned=600)
    watched.demand = 30
    watched.until("30m")
    assert rung_of(watched) is Rung.CLOUDWATCH
    assert wanted(watched) == 600


def test_throttles_ask_for_more_than_was_consumed() -> None:
    watched = silent_since_10m(demand=400, provisioned=400, throttled=0.0)
    watched.until("13m30s")
    calm = wanted(watched)
    throttled = silent_since_10m(demand=400, provisioned=400)
    throttled.demand, throttled.throttled = 500, 0.2
    throttled.until("13m30s")
    assert wanted(throttled) > 1.3 * calm
    assert throttled.readings[-1][1], "throttles are asked for where no span tells"


def test_where_cloudwatch_is_empty_too_capacity_is_held_then_handed_back() -> None:
    watched = silent_since_10m(provisioned=600, demand=400, safe=2500)
    watched.is_counted = False
    watched.until("10m30s")
    assert rung_of(watched) is Rung.CLOUDWATCH, "the newest minute was heard less than 300 s ago"
    watched.until("39m")
    assert rung_of(watched) is Rung.HOLD
    assert wanted(watched) == 600
    watched.until("46m")
    assert rung_of(watched) is Rung.HAND_BACK
    assert wanted(watched) == 2500
    assert reasons(watched) & Reason.SAFE_LEVEL


def test_without_a_safe_level_what_is_handed_back_stays_as_it_is() -> None:
    watched = silent_since_10m(provisioned=600, demand=400)
    watched.is_counted = False
    watched.until("60m")
    assert rung_of(watched) is Rung.HAND_BACK
    assert wanted(watched) == 600


def test_what_has_a_scaler_is_left_to_it() -> None:
    now = 1e9
    lost = replace(LadderState.empty(2, now), known_at=np.full(2, now - 1800))
    nothing = DemandState.empty(2, now), Minutes.empty(2, now), None, UpstreamState.empty(2, now)
    after, footing = step_ladder(
        lost,
        Heard(*nothing),
        policy(Fleet.of([FEED.resource]), safe=900.0),
        provisioned=np.array([100.0, 100.0]),
        has_scaler=np.array([True, False]),
        now=now,
    )
    assert after.rung.tolist() == [Rung.HAND_BACK, Rung.HAND_BACK]
    assert footing is not None
    np.testing.assert_array_equal(footing.least, [np.nan, 900.0])


def test_spans_that_come_back_are_believed_after_a_while() -> None:
    watched = silent_since_10m(demand=400, provisioned=600).until("20m")
    watched.is_told = True
    watched.until("20m20s")
    assert rung_of(watched) is Rung.CLOUDWATCH
    watched.is_told = False
    watched.until("21m")
    watched.is_told = True
    watched.until("21m20s")
    assert rung_of(watched) is Rung.CLOUDWATCH, "the wait begins anew"
    watched.until("21m45s")
    assert rung_of(watched) is Rung.FULL


def test_a_surge_told_as_spans_come_back_is_met_at_once() -> None:
    watched = silent_since_10m(demand=400, provisioned=600).until("20m")
    watched.is_told, watched.demand = True, 3000
    watched.until("20m8s")
    assert rung_of(watched) is Rung.CLOUDWATCH
    assert wanted(watched) > 2000


def test_a_target_that_was_handed_back_stays_so_until_something_is_known_of_it() -> None:
    watched = silent_since_10m(provisioned=600, demand=400)
    watched.is_counted = False
    watched.until("50m")
    assert rung_of(watched) is Rung.HAND_BACK
    memory = watched.pilot.remember(watched.now)
    assert state_after(memory, watched.now + 60).ladder.rung[watched.slot] == Rung.HAND_BACK
    watched.is_counted = True
    watched.until("66m")  # what looks idle is asked for every quarter of an hour
    assert rung_of(watched) is Rung.CLOUDWATCH


def test_a_pause_of_the_pilots_is_no_silence_of_the_callers() -> None:
    watched = silent_since_10m(provisioned=600, demand=400, safe=2500)
    watched.is_counted = False
    watched.until("30m")
    later = state_after(watched.pilot.remember(watched.now), watched.now + 3600)
    assert later.ladder.known_at[watched.slot] == watched.now + 3600


def test_what_was_heard_before_a_restart_lowers_nothing_until_spans_are_heard_anew() -> None:
    watched = Watched(demand=400, provisioned=2000, usd_per_month=0.0).until("20m")
    was_lowered = wanted(watched) < 2000
    watched.is_told = False
    watched.resume()
    for second in range(1, 60):
        watched.until(f"{1200 + second}s")
        assert wanted(watched) == 2000
        assert rung_of(watched) is Rung.HOLD
    watched.is_told = True
    watched.until("30m")
    assert rung_of(watched) is Rung.FULL
    assert was_lowered
    assert wanted(watched) < 2000


def test_a_restart_between_two_spans_keeps_what_is_heard() -> None:
    watched = Watched(demand=400, provisioned=600).until("10m")
    watched.resume()
    watched.until("10m1s")
    assert rung_of(watched) is Rung.FULL
    assert watched.pilot.ladder.is_at_rest
