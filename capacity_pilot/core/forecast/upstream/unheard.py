"""Signals that move as they never did before, so that nobody knows yet what comes of it."""

from __future__ import annotations

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.fleet import Floats, Ints
from capacity_pilot.core.forecast.upstream.state import UpstreamState


@compiled
def find_unheard(
    upstream: UpstreamState, watched: int, signal_table: Floats, table_of: Ints
) -> Floats:
    """How many seconds, up to ``watched``, the first burst ever has gone on of a signal that may
    lead the slot, (n,).

    Of several the longest. NaN where there is none, and where a signal under way has taught
    something before; a policy's hint is no lesson. A signal may lead slots of its table,
    ``signal_table`` (S,), NaN for any; ``table_of`` (n,) numbers the slots' tables.
    """
    signals, pairs = upstream.signals, upstream.pairs
    moving_s = np.full(len(table_of), np.nan)
    is_any = False
    for s in range(len(signals.onset)):
        if np.isnan(signals.onset[s, 0]) or upstream.bursts.bursts[0, s, 0] > 0:
            continue
        is_any = True
        for slot in range(len(moving_s)):
            if np.isnan(signal_table[s]) or signal_table[s] == table_of[slot]:
                moving_s[slot] = np.fmax(moving_s[slot], watched + 1 - signals.onset[s, 0])
    if not is_any:
        return moving_s
    for place in range(len(pairs.signal)):
        for slot in range(len(moving_s)):
            signal = pairs.signal[place, slot]  # NaN where the place is free
            is_told = pairs.lessons[place, slot] > 0 and not pairs.hinted[place, slot] > 0
            if is_told and signal >= 0 and not np.isnan(signals.began[int(signal), 0]):
                moving_s[slot] = np.nan
    return moving_s
