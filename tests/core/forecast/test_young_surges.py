"""A surge that meets a target watched for seconds only, as every target is after a restart."""

from __future__ import annotations

import numpy as np
import pytest

from capacity_pilot.core.model import Sample
from capacity_pilot.core.reasons import Reason
from tests.core.feed_table import describe_feed, make_pilot, slot_of_feed
from tests.core.scenario import MIDNIGHT


def seconds_until_noticed(*, watched_s: int, rise: float, seed: int) -> int | None:
    """Seconds from the first one of the surge, told a second late, until it is called one."""
    pilot = make_pilot(MIDNIGHT, usd_per_month=0.0)
    pilot.observe(describe_feed(60, at=MIDNIGHT))
    draw = np.random.default_rng(seed)
    for second in range(watched_s + 30):
        units = float(draw.poisson(20.0 * (rise if second >= watched_s else 1.0)))
        told = {("feed", "", 1, int(MIDNIGHT) + second): Sample(units=units)}
        step = pilot.step(told, MIDNIGHT + second + 2.0)
        if step.decisions.reasons[slot_of_feed(pilot)] & Reason.SURGE.value:
            return second - watched_s
    return None


@pytest.mark.parametrize("watched_s", [6, 7, 8, 10, 25, 60])
@pytest.mark.parametrize("seed", range(5))
def test_the_onset_of_a_surge_is_not_taken_for_noise(watched_s: int, seed: int) -> None:
    noticed = seconds_until_noticed(watched_s=watched_s, rise=6.0, seed=seed)
    assert noticed is not None
    assert 0 <= noticed <= 5


@pytest.mark.parametrize("seed", range(20))
def test_steady_demand_is_no_surge_however_young(seed: int) -> None:
    assert seconds_until_noticed(watched_s=60, rise=1.0, seed=seed) is None
