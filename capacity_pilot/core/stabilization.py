"""The highest recommendation of the last while, in constant memory.

A sliding maximum over blocks of a quarter window: exact to a quarter window on the long side,
which only ever makes scale-in later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.fleet import Bools, Floats

_BLOCKS = 4
_LONGEST_GAP_S = 15.0


@dataclass(frozen=True, slots=True)
class StabilizationState:
    """``peaks`` (_BLOCKS + 1, n), newest block first; ``block_ends_at``, ``since`` (the watch
    began) and ``window_s`` (n,); ``seen_at`` is the last call, NaN for none.
    """

    peaks: Floats
    block_ends_at: Floats
    since: Floats
    window_s: Floats
    seen_at: float

    @classmethod
    def empty(cls, size: int) -> StabilizationState:
        nothing = np.full(size, np.nan)
        peaks = np.full((_BLOCKS + 1, size), -np.inf)
        return cls(peaks, nothing, nothing, np.zeros(size), np.nan)

    def pause_before(self, now: float) -> float:
        """Seconds in which nobody looked, 0 where there were no more than between two ticks."""
        pause_s = now - self.seen_at
        return pause_s if pause_s > _LONGEST_GAP_S else 0.0  # never seen is NaN, and is not


def stabilize(
    state: StabilizationState,
    recommended: Floats,
    *,
    is_known: Bools,
    window_s: Floats,
    now: float,
) -> tuple[StabilizationState, Floats]:
    """The highest ``recommended`` within ``window_s``; inf until a whole window was watched.

    Recommendations that are not ``is_known`` (n,), or NaN, count as infinitely high: while blind,
    nothing is known to be low. The watch begins anew after a pause in which nobody looked, and when
    the window is made longer than what was kept.
    """
    peaks = state.peaks.copy()
    ends_at, since = state.block_ends_at.copy(), state.since.copy()
    highest = np.empty(len(since))
    watch(
        peaks,
        ends_at,
        since,
        highest,
        recommended,
        is_known,
        window_s,
        state.window_s,
        float(now),
        state.pause_before(now),
    )
    return StabilizationState(peaks, ends_at, since, window_s, now), highest


@compiled
def watch(  # noqa: PLR0913, PLR0917 - compiled code takes no dataclasses
    peaks: Floats,
    ends_at: Floats,
    since: Floats,
    highest: Floats,
    recommended: Floats,
    is_known: Bools,
    window_s: Floats,
    window_before_s: Floats,
    now: float,
    pause_s: float,
) -> None:
    """Brings the first four up to date, in place; ``pause_s`` nobody looked."""
    for slot in range(len(since)):
        block_s = window_s[slot] / _BLOCKS
        is_longer = window_s[slot] > window_before_s[slot]
        if np.isnan(since[slot]) or is_longer or pause_s > block_s:
            since[slot] = now
            if np.isnan(ends_at[slot]):
                ends_at[slot] = now + block_s
        if ends_at[slot] <= now:
            ends_at[slot] = _turn(peaks[:, slot], ends_at[slot], block_s, now)
        watched = np.fmin(recommended[slot], np.inf) if is_known[slot] else np.inf
        peaks[0, slot] = np.maximum(peaks[0, slot], watched)
        highest[slot] = peaks[:, slot].max() if now - since[slot] >= window_s[slot] else np.inf


@compiled
def _turn(peaks: Floats, ends_at: float, block_s: float, now: float) -> float:
    """Makes room in ``peaks``, in place, for the blocks begun since; when the newest one ends."""
    passed = np.floor((now - ends_at) / np.maximum(block_s, 1e-9) + 1)
    for _ in range(int(np.minimum(passed, _BLOCKS + 1))):
        for block in range(_BLOCKS, 0, -1):
            peaks[block] = peaks[block - 1]
        peaks[0] = -np.inf
    return float(ends_at + passed * block_s)
