"""Compiled code serves as ``BurstBuckets`` does, to the last bit."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.simulator.physics.bucket import BurstBuckets
from capacity_pilot.simulator.physics.bulk import begin_second, take_units

UNITS = st.floats(min_value=0, max_value=1e6, allow_nan=False)


@given(
    provisioned=UNITS,
    changed=UNITS,
    availability=st.sampled_from([0.0, 0.3, 1.0]),
    demand=st.lists(UNITS, min_size=2, max_size=20),
)
def test_a_slot_served_by_compiled_code_has_the_same_bucket_and_the_same_throttles(
    provisioned: float, changed: float, availability: float, demand: list[float]
) -> None:
    ours, theirs = (
        BurstBuckets(np.array([provisioned]), availability=availability, initial_burst_seconds=7)
        for _ in range(2)
    )
    theirs.advance_to(0)
    for second, asked in enumerate(demand):
        if second:
            begin_second(ours.levels, 0)
            theirs.advance_to(second)
        if second == len(demand) // 2:
            ours.provision(0, changed)
            theirs.provision(0, changed)
        consumed = take_units(ours.levels, 0, asked)
        assert consumed == theirs.serve(np.array([asked]))[0][0]
        np.testing.assert_array_equal(ours.levels, theirs.levels)
