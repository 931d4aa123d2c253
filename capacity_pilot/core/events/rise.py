"""What an event adds to usual demand from now on, and how much of it the burst bucket carries."""

from __future__ import annotations

import numpy as np

from capacity_pilot.core.events.gains import SPANS_BEGIN_S, SPANS_END_S
from capacity_pilot.core.events.watch import Watch
from capacity_pilot.core.fleet import Floats

_FIRST_S = 300.0
"""The first minutes are met as one, so that one change suffices for them."""


def foresee_rise(watch: Watch, reach_s: Floats, *, now: float) -> Floats:
    """The highest demand above what is usual within ``reach_s`` (m,) from ``now``, units per
    second, NaN where nothing is known: what was learned, else what was stated of a recipient.
    """
    within, _ = _look_ahead(watch, reach_s, now)
    highest = np.where(within, watch.estimate.high, -np.inf).max(axis=0)
    gain = np.where(watch.estimate.learned_from > 0, highest, watch.per_recipient)
    return gain * watch.audience


def relieve_rise(
    watch: Watch, rise: Floats, reach_s: Floats, *, units: Floats, now: float
) -> Floats:
    """By how much ``units`` (m,) in the bucket lower the capacity a ``rise`` (m,) so foreseen
    needs, units per second.

    Capacity c above what is usual suffices when the parts of the rise above c, over the spans of
    time ahead, come to no more than ``units``. With the spans in order of height the least such c
    is the highest of (sum of height * length - units) / (sum of lengths) over the first one, two,
    and so on. Spans stand at their highest all along, which is more than comes. Of a load whose
    course was not learned nothing is left to the bucket.
    """
    estimate = watch.estimate
    if not np.count_nonzero(estimate.learned_from):
        return np.zeros(len(watch.slots))
    _, lengths_s = _look_ahead(watch, reach_s, now)
    # Spans that are not ahead are no seconds long, and so change neither sum.
    lengths_s = np.take_along_axis(lengths_s, estimate.falling, axis=0)
    heights = np.take_along_axis(estimate.high, estimate.falling, axis=0) * watch.audience
    total_s = np.maximum(lengths_s.cumsum(axis=0), 1e-9)
    least = (((heights * lengths_s).cumsum(axis=0) - units) / total_s).max(axis=0)
    relief = rise - np.maximum(least, 0.0)
    return np.where(estimate.learned_from > 0, np.maximum(relief, 0.0), 0.0)


def _look_ahead(watch: Watch, reach_s: Floats, now: float) -> tuple[Floats, Floats]:
    """Which spans (SPANS, m) are ahead within ``reach_s`` (m,), and how long each then is."""
    since_s = now - watch.occurrence.starts_at
    lasts_s = watch.occurrence.ends_at - watch.occurrence.starts_at
    until_s = np.minimum(np.maximum(since_s + reach_s, _FIRST_S), lasts_s)
    begins_s = np.maximum(SPANS_BEGIN_S, max(since_s, 0.0))[:, None]
    lengths_s = np.maximum(np.minimum(SPANS_END_S[:, None], lasts_s) - begins_s, 0.0)
    within = (begins_s < until_s) & (lengths_s > 0)
    return within, np.where(within, lengths_s, 0.0)
