"""How far forecasts miss at the deciding horizon: an adaptive quantile of the relative error.

The quantile follows the stochastic subgradient of the pinball loss: up by ``rate * q`` when it
was exceeded, down by ``rate * (1 - q)`` when it was not, so that in the long run it is exceeded
``1 - q`` of the time whatever the error's distribution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.fleet import Bools, Floats

RING_S = 256
_SMOOTHING = 1 / 60
_RATE = 0.02
_INITIAL_MARGIN = 0.25
_MARGIN_BOUNDS = (0.02, 1.0)


@dataclass(frozen=True, slots=True)
class ErrorState:
    """``margin`` (n,): the error at the asked quantile, relative to usual demand.

    ``smooth`` (n,) is demand averaged over about a minute, which is what forecasts are held
    against: shorter peaks are the burst bucket's business. ``predicted`` (RING_S, n) holds what
    was expected for each coming second, NaN where nothing was.
    """

    margin: Floats
    smooth: Floats
    predicted: Floats

    @classmethod
    def empty(cls, size: int) -> ErrorState:
        return cls(
            margin=np.full(size, _INITIAL_MARGIN),
            smooth=np.full(size, np.nan),
            predicted=np.full((RING_S, size), np.nan),
        )


def learn_errors(
    state: ErrorState,
    units: Floats,
    known: Bools,
    *,
    usual: Floats,
    is_calm: Bools,
    second: int,
    quantile: Floats,
) -> ErrorState:
    """Scores what was predicted for ``second`` against what came, relative to ``usual`` (n,).

    Nothing is learned where not ``is_calm``: a surge is sized by its rise, and its errors would
    keep capacity high for hours after it.
    """
    blended = state.smooth + _SMOOTHING * (units - state.smooth)
    smooth = np.where(known, blended, state.smooth)
    starting = known & np.isnan(state.smooth)
    if np.count_nonzero(starting):
        smooth[starting] = units[starting]
    predicted = state.predicted[second % RING_S]
    scored = known & is_calm & ~np.isnan(predicted) & ~starting
    exceeded = (smooth - predicted) / np.maximum(usual, 1.0) > state.margin
    # Steps in proportion to the margin's own size: small where errors are small.
    step = _RATE * np.maximum(state.margin, 0.1) * (exceeded - (1 - quantile))
    margin = np.where(scored, (state.margin + step).clip(*_MARGIN_BOUNDS), state.margin)
    return ErrorState(margin, smooth, state.predicted)


def note_predictions(
    state: ErrorState, expected: Floats, is_fresh: Bools, *, scored: range, at_s: Floats
) -> ErrorState:
    """Files ``expected`` under the second it is for, ``at_s`` after the last ``scored`` one.

    The rows of the seconds just scored are emptied for those that come round to them.
    """
    predicted = state.predicted.copy()
    for second in scored[-RING_S:]:
        predicted[second % RING_S] = np.nan
    ahead = np.ceil(at_s).clip(1, RING_S - 1).astype(np.int64)
    (slots,) = is_fresh.nonzero()
    predicted[(scored.stop - 1 + ahead[slots]) % RING_S, slots] = expected[slots]
    return ErrorState(state.margin, state.smooth, predicted)
