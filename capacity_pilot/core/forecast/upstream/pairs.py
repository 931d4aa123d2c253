"""Which signals lead which target, how surely, and how wrong they have been.

Every slot has a few places for signals that may lead it. A signal gets one when it moved first and
the slot's demand followed. It is trusted once what earlier episodes taught explains a later one,
be it the one under way, and while it goes on doing so: a single coincidence predicts nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final, NamedTuple

import numpy as np

from capacity_pilot.core.fleet import Bools, Floats, Ints
from capacity_pilot.core.forecast.upstream.response import BINS, gain_of
from capacity_pilot.core.upstream_hint import MOST_HINTS

PLACES: Final = MOST_HINTS
"""Signals per slot at most: 960 bytes per slot in all."""

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
    units/s above calm; ``doubt`` is by what part of what was said more usually comes. ``hinted`` is
    1 where a policy's hint is what the place goes by, and no episode has judged it yet. ``heeded``
    (PLACES, n) are the keys of the hints taken up so far, in the policy's order.
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
    hinted: Floats
    heeded: Floats

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
            hinted=zero,
            heeded=unknown,
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
    enough = _enough(state, pairs)
    missed, erred = state.missed[pairs], state.erred[pairs]
    missed_now, erred_now = state.missed_now[pairs], state.erred_now[pairs]
    helped = (missed > enough) & (erred < _HELPS * missed)
    confirms = (missed_now > enough) & (erred_now < _CONFIRMS * missed_now)
    good = helped | confirms | (state.hinted[pairs] > 0)
    trusted: Bools = (state.lessons[pairs] > 0) & good & ~find_refuted(state, pairs)
    return trusted


def find_refuted(state: PairState, pairs: Pairs) -> Bools:
    """Pairs that this episode would have been better explained without, (pairs,)."""
    missed_now, erred_now = state.missed_now[pairs], state.erred_now[pairs]
    refuted: Bools = (erred_now > _enough(state, pairs)) & (erred_now > missed_now)
    return refuted


def find_disproved(state: PairState, pairs: Pairs) -> Bools:
    """Hinted pairs whose hint does not explain the episode that has just been, (pairs,)."""
    missed_now, erred_now = state.missed_now[pairs], state.erred_now[pairs]
    is_told = (state.hinted[pairs] > 0) & (state.lessons[pairs] > 0)
    disproved: Bools = (
        is_told & (erred_now > _enough(state, pairs)) & (erred_now >= _HELPS * missed_now)
    )
    return disproved


def _enough(state: PairState, pairs: Pairs) -> Floats:
    """Units by which something has happened, (pairs,)."""
    enough: Floats = _ENOUGH_SIGMAS * np.maximum(state.noise[pairs], 1e-9)
    return enough


def end_episode(state: PairState, pairs: Pairs, weights: Floats) -> PairState:
    """Enters the episode into the pairs' records; ``weights`` (BINS, pairs) are what it taught.

    Places whose signal turned out to bring nothing, or to mislead, are given up. A hint that did
    not explain what came was no lesson.
    """
    known = ~np.isnan(state.calm[pairs])
    disproved = known & find_disproved(state, pairs)
    had_said = known & (state.lessons[pairs] > 0) & ~disproved
    happened = np.maximum(state.missed_now[pairs], state.erred_now[pairs]) > _enough(state, pairs)
    judged = disproved | (had_said & happened)
    missed = np.where(had_said, _MEMORY * state.missed[pairs] + state.missed_now[pairs], 0.0)
    erred = np.where(had_said, _MEMORY * state.erred[pairs] + state.erred_now[pairs], 0.0)
    lessons = np.where(disproved, 0.0, state.lessons[pairs]) + known
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
        hinted=np.where(judged, 0.0, state.hinted[pairs]),
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
    blank = _blank() | {"signal": float(signal), "calm": calm[usable], "noise": noise[usable]}
    return state.having(pairs, **blank), pairs


def give_hinted_places(
    state: PairState, slots: Ints, signals: Floats, *, weights: Floats
) -> PairState:
    """Lets ``signals`` (slots,) have a place at ``slots`` by the ``weights`` (BINS, slots) of a
    hint. What was learned of them stays, until it was put to the test it is believed as well.
    """
    is_there = state.signal[:, slots] == signals
    is_learned = is_there & (state.lessons[:, slots] > 0)
    worth = np.where(np.isnan(state.signal[:, slots]), -np.inf, state.missed[:, slots])
    worth = np.where(state.hinted[:, slots] > 0, np.inf, worth - state.erred[:, slots])
    places = np.where(is_there, -np.inf, np.where(is_there.any(axis=0), np.inf, worth)).argmin(
        axis=0
    )
    learned = is_learned.any(axis=0)
    pairs = Pairs(places[~learned], slots[~learned])
    told = weights[:, ~learned]
    blank = _blank() | {
        "signal": signals[~learned],
        "weights": told,
        "lessons": (told.sum(axis=0) > 0).astype(np.float64),
    }
    state = state.having(pairs, **blank)
    untried = state.missed[places, slots] <= 0
    return state.having(Pairs(places[untried], slots[untried]), hinted=1.0)


def _blank() -> dict[str, Floats | float]:
    """What a place has that was just given; which hints were taken up is the slot's."""
    fresh = PairState.empty(1)
    names = (item.name for item in fields(fresh) if item.name != "heeded")
    return {name: getattr(fresh, name)[..., :1, 0] for name in names}


def release_places(state: PairState, signals: Ints) -> PairState:
    """Frees the places of signals that are no longer what they were."""
    return free_places(state, np.isin(state.signal, signals))


def free_places(state: PairState, are_gone: Bools) -> PairState:
    """Leaves the places, (PLACES, n), to others."""
    if not np.count_nonzero(are_gone):
        return state
    return replace(
        state,
        signal=np.where(are_gone, np.nan, state.signal),
        hinted=np.where(are_gone, 0.0, state.hinted),
    )


__all__ = [
    "PLACES",
    "PairState",
    "Pairs",
    "begin_episode",
    "end_episode",
    "find_disproved",
    "find_refuted",
    "find_trusted",
    "free_places",
    "give_hinted_places",
    "give_places",
    "release_places",
    "score_second",
]
