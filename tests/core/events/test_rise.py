"""The least capacity with which a bucket carries the rest of a load, against trying them all."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.events.declared import Event
from capacity_pilot.core.events.gains import SPANS, SPANS_END_S, Gains, learn_gains
from capacity_pilot.core.events.occurrence import Occurrence
from capacity_pilot.core.events.rise import foresee_rise, relieve_rise
from capacity_pilot.core.events.watch import begin_watch
from capacity_pilot.core.fleet import Fleet
from capacity_pilot.core.model import Resource

START = 1_000_000.0
LASTS_S = 1200.0
heights = st.lists(st.floats(0, 500), min_size=SPANS, max_size=SPANS)


@given(heights, st.floats(0, 100_000), st.floats(-60, 1190))
def test_no_less_would_do_and_no_more_is_needed(
    gains: list[float], units: float, since_s: float
) -> None:
    occurrence = Occurrence(
        source="e",
        expected=Event.model_validate({"name": "e", "at": "2026-01-05"}),
        starts_at=START,
        ends_at=START + LASTS_S,
        policies=frozenset({0}),
    )
    lesson = learn_gains(Gains.none(), np.array([0, 1]), np.array([gains, gains]).T)
    watch = begin_watch(
        occurrence, lesson, fleet=Fleet.of([Resource("feed")]), policy_number=lambda _: 0
    )
    now, reach_s = START + since_s, np.full(2, 65.0)
    rises = foresee_rise(watch, reach_s, now=now)
    reliefs = relieve_rise(watch, rises, reach_s, units=np.full(2, units), now=now)
    rise, least = rises[0], rises[0] - reliefs[0]
    # Second by second, from now or the beginning to where the spans within reach end.
    until_s = min(max(since_s + 65.0, 300.0), LASTS_S)
    begins = np.concatenate(([0.0], SPANS_END_S[:-1]))
    above = 0.0
    slack = 1e-6 * (1 + rise)
    ahead = np.maximum(begins, max(since_s, 0.0))
    for begin, end, height in zip(ahead, SPANS_END_S, watch.estimate.high[:, 0], strict=True):
        if begin < until_s and end > begin:
            length_s = min(end, LASTS_S) - begin
            assert rise >= height
            above += max(height - least, 0.0) * length_s
    assert -slack <= least <= rise + slack
    assert above <= units + slack * LASTS_S
    if least > slack:
        assert above >= units - slack * LASTS_S
