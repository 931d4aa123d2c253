"""The highest recommendation of the last while, in constant memory.

A sliding maximum over blocks of a quarter window: exact to a quarter window on the long side,
which only ever makes scale-in later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.fleet import Floats

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


def stabilize(
    state: StabilizationState, recommended: Floats, *, window_s: Floats, now: float
) -> tuple[StabilizationState, Floats]:
    """The highest ``recommended`` within ``window_s``; inf until a whole window was watched.

    Unknown recommendations (NaN) count as infinitely high: while blind, nothing is known to be
    low. The watch begins anew after a pause in which nobody looked, and when the window is made
    longer than what was kept.
    """
    since, ends_at = state.since, state.block_ends_at
    anew = np.isnan(since) | (window_s > state.window_s)
    pause_s = now - state.seen_at
    if pause_s > _LONGEST_GAP_S:
        anew |= pause_s > window_s / _BLOCKS
    if np.count_nonzero(anew):
        since = np.where(anew, now, since)
        ends_at = np.where(np.isnan(ends_at), now + window_s / _BLOCKS, ends_at)
    peaks = state.peaks.copy()
    if np.count_nonzero(ends_at <= now):
        ends_at = _turn(peaks, ends_at, window_s / _BLOCKS, now)
    peaks[0] = np.maximum(peaks[0], np.fmin(recommended, np.inf))  # NaN becomes inf
    highest = np.where(now - since >= window_s, peaks.max(axis=0), np.inf)
    return StabilizationState(peaks, ends_at, since, window_s, now), highest


def _turn(peaks: Floats, ends_at: Floats, block_s: Floats, now: float) -> Floats:
    """Makes room in ``peaks``, in place, for the blocks begun since; when the newest ones end."""
    passed = np.floor(np.where(ends_at <= now, (now - ends_at) / np.maximum(block_s, 1e-9) + 1, 0))
    for step in range(int(min(passed.max(), _BLOCKS + 1))):
        turning = passed > step
        peaks[1:, turning] = peaks[:-1, turning]
        peaks[0, turning] = -np.inf
    turned: Floats = np.where(passed > 0, ends_at + passed * block_s, ends_at)
    return turned
