"""What policies say of signals, in the place of what is not learned yet.

A hint is a lesson nobody has had: its response stands where a learned one would, as if it came from
one episode, and is believed until an episode was there to judge it by. One that explains what came
goes on as learned; one that does not is forgotten, and that episode teaches as the first one does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from capacity_pilot.core.fleet import Bools, Floats, Ints
from capacity_pilot.core.forecast.upstream.pairs import (
    PLACES,
    Pairs,
    PairState,
    find_refuted,
    free_places,
    give_hinted_places,
)
from capacity_pilot.core.forecast.upstream.response import BINS, EDGES_S


@dataclass(frozen=True, slots=True)
class Hints:
    """Hints by slot, up to ``PLACES`` of each: ``keys`` (PLACES, n) are numbers for what they say,
    NaN for none, ``signals`` (PLACES, n) their signals', NaN where it was never heard, ``weights``
    (BINS, PLACES, n) the responses they state, 0 where that is to be learned. ``lasts_s`` (S,) is
    how long a signal's bursts are said to last, 0 where nobody says.
    """

    keys: Floats
    signals: Floats
    weights: Floats
    lasts_s: Floats

    @classmethod
    def none(cls, size: int) -> Hints:
        unknown = np.full((PLACES, size), np.nan)
        return cls(unknown, unknown.copy(), np.zeros((BINS, PLACES, size)), np.zeros(0))


def respond(gain: float, lag_s: float) -> Floats:
    """Weights (BINS,) of a response that brings ``gain`` units, fading from the first second on."""
    left = np.exp(-EDGES_S / lag_s)
    weights: Floats = gain * (left[:-1] - left[1:])
    return weights


def are_heeded(state: PairState, hints: Hints | None) -> bool:
    """Whether these are the hints that were taken up last."""
    if hints is None:
        return bool(np.isnan(state.heeded).all())
    keys = np.where(np.isnan(hints.signals), np.nan, hints.keys)
    return np.array_equal(keys, state.heeded, equal_nan=True)


def heed_hints(state: PairState, hints: Hints | None) -> PairState:
    """Gives signals the places that new hints ask for, and takes back what is hinted no more."""
    if are_heeded(state, hints):
        return state
    if hints is None:
        hints = Hints.none(state.signal.shape[-1])
    is_heard = ~np.isnan(hints.signals)
    keys = np.where(is_heard, hints.keys, np.nan)
    was_given = (keys[:, None] == state.heeded[None]).any(axis=1)  # false for NaN
    state = _withdraw(state, np.where(was_given, hints.signals, np.nan))
    for row in range(PLACES):
        slots = np.flatnonzero(is_heard[row] & ~was_given[row])
        if len(slots):
            state = give_hinted_places(
                state, slots, hints.signals[row, slots], weights=hints.weights[:, row, slots]
            )
    return replace(state, heeded=keys)


def _withdraw(state: PairState, still: Floats) -> PairState:
    """Frees places of unproven hints but for those of signals that ``still`` (PLACES, n) have one,
    the same as before.
    """
    is_still = (state.signal[:, None] == still[None]).any(axis=1)
    return free_places(state, (state.hinted > 0) & ~is_still)


def find_doubtful(state: PairState, running: Ints) -> tuple[Bools, Bools]:
    """Of which slots a running signal has an unproven hint, (n,), and where that is refuted."""
    pairs = Pairs(*np.nonzero((state.hinted > 0) & np.isin(state.signal, running)))
    hinted = np.zeros(state.signal.shape[-1], dtype=np.bool_)
    wrong = hinted.copy()
    is_wrong = find_refuted(state, pairs)
    hinted[pairs.slots[~is_wrong]] = True
    wrong[pairs.slots[is_wrong]] = True
    return hinted, wrong
