"""What a pilot knows, in bytes and back."""

from __future__ import annotations

import numpy as np
import pytest

from capacity_pilot.core.errors import PilotError
from capacity_pilot.core.model import Resource, Sample
from capacity_pilot.core.pilot import Pilot
from capacity_pilot.core.snapshot import decode, encode
from tests.core.feed_table import describe_table, make_pilot
from tests.core.scenario import MIDNIGHT


def pilot_over(*tables: str, at: float) -> Pilot:
    pilot = make_pilot(at, usd_per_month=0.0)
    for table in tables:
        pilot.observe(describe_table(Resource(table), at=at))
    return pilot


def tell(table: str, second: float, units: float) -> dict[tuple[str, str, int, int], Sample]:
    return {(table, "", 1, int(second)): Sample(units=units)}


def after_ten_minutes() -> tuple[Pilot, float]:
    pilot = pilot_over("feed", "users", at=MIDNIGHT)
    for second in range(600):
        now = MIDNIGHT + second
        pilot.step(tell("feed", now - 6, 60.0) | tell("users", now - 6, 20.0), now)
    return pilot, MIDNIGHT + 600


def test_a_restarted_pilot_decides_as_if_it_had_not_been_away() -> None:
    before, now = after_ten_minutes()
    known = decode(encode(before.remember(now)), now)
    after = pilot_over("feed", "users", at=now)
    after.recall(known, now)
    told = tell("feed", now - 6, 60.0) | tell("users", now - 6, 20.0)
    expected, found = before.step(told, now).decisions, after.step(told, now).decisions
    for name in ("units", "action", "demand", "expected", "least", "burst_units"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


def test_what_is_known_of_a_table_is_kept_when_others_come_and_go() -> None:
    before, now = after_ten_minutes()
    known = decode(encode(before.remember(now)), now)
    after = pilot_over("albums", "users", at=now)
    after.recall(known, now)
    step = after.step(tell("users", now - 6, 20.0), now)
    demand = {
        step.fleet.target(slot).resource.table: units
        for slot, units in enumerate(step.decisions.demand)
        if slot % 2
    }
    assert demand["users"] == pytest.approx(20.0)
    assert np.isnan(demand["albums"])


@pytest.mark.parametrize("count", [0, 1, 2])
def test_any_number_of_upstream_signals_is_kept(count: int) -> None:
    now = MIDNIGHT + 9 * 3600
    pilot = make_pilot(now)
    pilot.observe(describe_table(Resource("feed"), at=now))
    pilot.step({}, now, signals={("", f"route {n}", int(now) - 1): 5.0 for n in range(count)})
    kept = decode(encode(pilot.remember(now)), now)
    assert len(kept.state.upstream.signals) == count
    assert len(kept.signals.names) == count


@pytest.mark.parametrize("content", [b"", b"nothing of ours", b"\x00" * 64])
def test_bytes_that_are_no_snapshot_are_refused(content: bytes) -> None:
    with pytest.raises(PilotError):
        decode(content, MIDNIGHT)


def test_a_cut_snapshot_is_refused_whole() -> None:
    pilot, now = after_ten_minutes()
    whole = encode(pilot.remember(now))
    with pytest.raises(PilotError):
        decode(whole[: len(whole) // 2], now)
