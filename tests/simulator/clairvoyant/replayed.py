"""What a plan does under the real physics, and the decreases AWS would accept."""

from __future__ import annotations

import numpy as np

from capacity_pilot.core.fleet import Floats, Ints
from capacity_pilot.simulator.clairvoyant import Clairvoyant
from capacity_pilot.simulator.physics.bucket import BurstBuckets
from capacity_pilot.simulator.physics.quota import DecreaseQuota

DAY_S = 86_400
MIDNIGHT = 1_700_006_400.0  # 15 November 2023, 00:00 UTC


def throttled_units(demand: Floats, units: Ints, availability: float = 1.0) -> float:
    """All units refused, from a full bucket on."""
    buckets = BurstBuckets(np.array([float(units[0])]), availability=availability)
    refused = 0.0
    for second, asked in enumerate(demand):
        buckets.advance_to(second)
        if second % 60 == 0:
            buckets.provision(0, float(units[second // 60]))
        refused += float(buckets.serve(np.array([asked]))[1][0])
    return refused


def decrease_minutes(units: Ints) -> list[int]:
    return [int(minute) for minute in np.flatnonzero(np.diff(units) < 0) + 1]


def is_accepted(units: Ints, start_at: float) -> bool:
    """Whether AWS takes every decrease of the plan."""
    quota = DecreaseQuota()
    for minute in decrease_minutes(units):
        at = start_at + 60.0 * minute
        if not quota.permits_decrease(at):
            return False
        quota = quota.spend(at)
    return True


def assert_lawful(
    found: Clairvoyant, demand: Floats, *, start_at: float = MIDNIGHT, availability: float = 1.0
) -> None:
    """The laws every answer keeps."""
    assert throttled_units(demand, found.units, availability) == 0.0
    assert is_accepted(found.units, start_at)
    seconds = np.bincount(np.arange(len(demand)) // 60)
    assert found.unit_seconds == float((found.units * seconds).sum())
    assert 0.0 < found.bound_unit_seconds <= found.unit_seconds
