"""Which signals lead which target, how surely, and how wrong they have been.

Every slot has a few places for signals that may lead it. A signal gets one when it moved first and
the slot's demand followed. It is trusted once what earlier episodes taught explains a later one,
be it the one under way, and while it goes on doing so: a single coincidence predicts nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np

from capacity_pilot.core.fleet import Bools, Floats, Ints
from capacity_pilot.core.forecast.upstream.response import BINS, gain_of

PLACES = 4
"""Signals per slot at most: 896 bytes per slot in all."""

_MEMORY = 0.7
_HELPS = 0.6
_CONFIRMS = 0.5
_ENOUGH_SIGMAS = 20.0
_FIRST_DOUBT = 0.3
_DOUBT_RATE = 0.3
_DOUBT_BOUNDS = (0.05, 1.0)


class Pairs(NamedTuple):
    """Places by number, as (pairs,) indices into the last two axes of ``PairState``."""

    places: Ints
    slots: Ints


@dataclass(frozen=True, slots=True)
class PairState:
    """A place's signal and what is known of it. (PLACES, n), but for the first two.

    ``weights`` (BINS, PLACES, n) are the response, units/s per count/s; ``products`` (BINS,
    PLACES, n) this episode's sums of products of bins and demand. ``signal`` is NaN where a place
    is free. ``calm`` and ``noise`` are demand's mean and deviation before the episode, units/s,
    NaN where unknown. ``lessons`` counts episodes learned from. Faded sums over earlier episodes,
    in units: ``missed`` is what came without being usual, ``erred`` what of it the response had
    got wrong; ``missed_now`` and ``erred_now`` are this episode's. ``said`` is what was foreseen
    first in this episode for the time until second ``due``, ``came`` the most that came by then,
    units/s above calm; ``doubt`` is by what part of what was said more usually comes.
    """

    weights: Floats
    products: Floats
    signal: Floats
    calm: Floats
    noise: Floats
    lessons: Floats
    missed: Floats
    erred: Floats
    missed_now: Floats
    erred_now: Floats
    said: Floats
    due: Floats
    came: Floats
    doubt: Floats

    @classmethod
    def empty(cls, size: int) -> PairState:
        zero, unknown = np.zeros((PLACES, size)), np.full((PLACES, size), np.nan)
        bins = np.zeros((BINS, PLACES, size))
        return cls(
            weights=bins,
            products=bins,
            signal=unknown,
            calm=unknown,
            noise=unknown,
            lessons=zero,
            missed=zero,
            erred=zero,
            missed_now=zero,
            erred_now=zero,
            said=zero,
            due=unknown,
            came=zero,
            doubt=np.full((PLACES, size), _FIRST_DOUBT),
        )

    def of(self, signal: int) -> Pairs:
        return Pairs(*np.nonzero(self.signal == signal))

    def holders(self, signals: Ints) -> Ints:
        """Those of the ``signals`` that have a place anywhere."""
        held = self.signal[self.signal >= 0]  # false for NaN: the place is free
        return signals[np.isin(signals, held.astype(np.int64))]

    def having(self, pairs: Pairs, **values: Floats | float) -> PairState:
        """With ``values`` (.., pairs) in place of what those pairs had."""
        changes = {}
        for name, value in values.items():
            array = getattr(self, name).copy()
            array[(..., *pairs)] = value
            changes[name] = array
        return replace(self, **changes)


def begin_episode(state: PairState, pairs: Pairs, *, calm: Floats, noise: Floats) -> PairState:
    """A signal begins to move; ``calm`` and ``noise`` are how its slots were before, (pairs,)."""
    return state.having(
        pairs,
        calm=calm,
        noise=noise,
        products=0.0,
        missed_now=0.0,
        erred_now=0.0,
        said=0.0,
        due=np.nan,
        came=0.0,
    )


def score_second(
    state: PairState,
    pairs: Pairs,
    second: int,
    *,
    explained: Floats,
    excess: Floats,
    smooth: Floats,
) -> PairState:
    """Holds what the response makes of the signal against the ``excess`` demand of ``second``.

    All (pairs,); unknown seconds are NaN. Only seconds in which something happened, or should
    have, count. ``smooth`` is the excess over some seconds.
    """
    noise = state.noise[pairs]
    matters = np.maximum(np.abs(excess), explained) > 3 * noise  # false for NaN
    missed = np.where(matters, np.abs(excess), 0.0)
    erred = np.where(matters, np.abs(excess - explained), 0.0)
    came = state.came[pairs]
    is_in_time = ~(second > state.due[pairs])  # true for NaN: nothing was said yet
    return state.having(
        pairs,
        missed_now=state.missed_now[pairs] + missed,
        erred_now=state.erred_now[pairs] + erred,
        came=np.where(is_in_time, np.fmax(came, smooth), came),
    )


def find_trusted(state: PairState, pairs: Pairs) -> Bools:
    """Pairs whose forecasts are believed, (pairs,)."""
    enough = _ENOUGH_SIGMAS * np.maximum(state.noise[pairs], 1e-9)
    missed, erred = state.missed[pairs], state.erred[pairs]
    missed_now, erred_now = state.missed_now[pairs], state.erred_now[pairs]
    helped = (missed > enough) & (erred < _HELPS * missed)
    confirms = (missed_now > enough) & (erred_now < _CONFIRMS * missed_now)
    refutes = (erred_now > enough) & (erred_now > missed_now)
    trusted: Bools = (state.lessons[pairs] > 0) & (helped | confirms) & ~refutes
    return trusted


def end_episode(state: PairState, pairs: Pairs, weights: Floats) -> PairState:
    """Enters the episode into the pairs' records; ``weights`` (BINS, pairs) are what it taught.

    Places whose signal turned out to bring nothing, or to mislead, are given up.
    """
    known = ~np.isnan(state.calm[pairs])
    had_said = known & (state.lessons[pairs] > 0)
    missed = np.where(had_said, _MEMORY * state.missed[pairs] + state.missed_now[pairs], 0.0)
    erred = np.where(had_said, _MEMORY * state.erred[pairs] + state.erred_now[pairs], 0.0)
    lessons = state.lessons[pairs] + known
    said, came, doubt = state.said[pairs], state.came[pairs], state.doubt[pairs]
    # More than was said is what hurts; less is no reason to say more the next time.
    short = (np.divide(came, said, out=np.ones_like(said), where=said > 0) - 1.0).clip(0.0, 1.0)
    learned = np.sqrt(doubt**2 + _DOUBT_RATE * (short**2 - doubt**2)).clip(*_DOUBT_BOUNDS)
    useless = known & ((gain_of(weights) <= 0) | ((lessons > 3) & (erred > missed)))
    return state.having(
        pairs,
        weights=np.where(known, weights, state.weights[:, *pairs]),
        signal=np.where(useless, np.nan, state.signal[pairs]),
        lessons=lessons,
        missed=missed,
        erred=erred,
        missed_now=0.0,
        erred_now=0.0,
        doubt=np.where(had_said & (said > 0), learned, doubt),
    )


def give_places(
    state: PairState, signal: int, slots: Ints, *, calm: Floats, noise: Floats
) -> tuple[PairState, Pairs]:
    """Lets ``signal`` have a place at each of ``slots`` that has one free or badly used."""
    standing = np.where(
        np.isnan(state.signal[:, slots]),
        -1.0,
        (state.missed[:, slots] - state.erred[:, slots]) / np.maximum(noise, 1e-9),
    )
    places = standing.argmin(axis=0)
    # Never instead of one that has been of use, or has not had its second episode yet.
    at = (places, np.arange(len(slots)))
    usable = (standing[at] < 0) | np.isnan(state.signal[places, slots])
    pairs = Pairs(places[usable], slots[usable])
    fresh = PairState.empty(1)
    blank = {item.name: getattr(fresh, item.name)[..., :1, 0] for item in fields(state)}
    blank |= {"signal": float(signal), "calm": calm[usable], "noise": noise[usable]}
    return state.having(pairs, **blank), pairs


def release_places(state: PairState, signals: Ints) -> PairState:
    """Frees the places of signals that are no longer what they were."""
    held = np.isin(state.signal, signals)
    if not np.count_nonzero(held):
        return state
    return replace(state, signal=np.where(held, np.nan, state.signal))


__all__ = [
    "PLACES",
    "PairState",
    "Pairs",
    "begin_episode",
    "end_episode",
    "find_trusted",
    "give_places",
    "release_places",
    "score_second",
]
