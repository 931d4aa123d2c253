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
    PairState,
    find_refuted,
    free_places,
    give_hinted_place,
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
    state = replace(state.copy(), heeded=keys)
    for row, slot in np.argwhere(is_heard & ~was_given):
        weights = hints.weights[:, row, slot].copy()
        give_hinted_place(state.arrays, slot, hints.signals[row, slot], weights)
    return state


def _withdraw(state: PairState, still: Floats) -> PairState:
    """Frees places of unproven hints but for those of signals that ``still`` (PLACES, n) have one,
    the same as before.
    """
    is_still = (state.signal[:, None] == still[None]).any(axis=1)
    return free_places(state, (state.hinted > 0) & ~is_still)


def said_to_last(hints: Hints | None, signals: int) -> Floats:
    """How long bursts of each signal are said to last, (S,), 0 where nobody says."""
    return np.zeros(signals) if hints is None else hints.lasts_s


def find_doubtful(state: PairState, running: Ints) -> tuple[Bools, Bools]:
    """Of which slots a running signal has an unproven hint, (n,), and where that is refuted."""
    hinted = (state.hinted > 0) & np.isin(state.signal, running)
    refuted = find_refuted(state.arrays)
    holds: Bools = np.any(hinted & ~refuted, axis=0)
    fails: Bools = np.any(hinted & refuted, axis=0)
    return holds, fails
