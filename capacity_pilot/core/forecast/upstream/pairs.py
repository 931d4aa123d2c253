"""Which signals lead which target, how surely, and how wrong they have been.

Every slot has a few places for signals that may lead it. A signal gets one when it moved first and
the slot's demand followed. It is trusted once what earlier episodes taught explains a later one,
be it the one under way, and while it goes on doing so: a single coincidence predicts nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.fleet import ArrayState, Bools, Floats, Ints, name_arrays
from capacity_pilot.core.forecast.upstream.response import BINS
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
_FEW_LESSONS = 3


@dataclass(frozen=True, slots=True)
class PairState(ArrayState):
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


PairStateArrays = name_arrays(PairState)


@compiled
def begin_episode(pairs: PairState, place: int, slot: int, calm: float, noise: float) -> None:
    """A signal begins to move; ``calm`` and ``noise`` are how its slot was before."""
    at = (place, slot)
    pairs.calm[at], pairs.noise[at] = calm, noise
    pairs.products[:, place, slot] = 0.0
    pairs.missed_now[at] = pairs.erred_now[at] = 0.0
    pairs.said[at], pairs.due[at], pairs.came[at] = 0.0, np.nan, 0.0


@compiled
def score_second(
    pairs: PairState,
    place: int,
    slot: int,
    second: int,
    explained: float,
    excess: float,
    smooth: float,
) -> None:
    """Holds what the response makes of the signal against the ``excess`` demand of ``second``.

    NaN where that is unknown. Only seconds in which something happened, or should have, count.
    ``smooth`` is the excess over some seconds.
    """
    at = (place, slot)
    if np.maximum(np.abs(excess), explained) > 3 * pairs.noise[at]:  # false for NaN
        pairs.missed_now[at] += np.abs(excess)
        pairs.erred_now[at] += np.abs(excess - explained)
    if not second > pairs.due[at]:  # true for NaN: nothing was said yet
        pairs.came[at] = np.fmax(pairs.came[at], smooth)


@compiled
def is_trusted(pairs: PairState, place: int, slot: int) -> bool:
    """Whether the pair's forecasts are believed."""
    at = (place, slot)
    enough = _enough(pairs, place, slot)
    missed, missed_now = pairs.missed[at], pairs.missed_now[at]
    helped = missed > enough and pairs.erred[at] < _HELPS * missed
    confirms = missed_now > enough and pairs.erred_now[at] < _CONFIRMS * missed_now
    is_good = helped or confirms or pairs.hinted[at] > 0
    return bool(pairs.lessons[at] > 0 and is_good and not is_refuted(pairs, place, slot))


@compiled
def is_refuted(pairs: PairState, place: int, slot: int) -> bool:
    """Whether this episode would have been better explained without the pair."""
    erred_now = float(pairs.erred_now[place, slot])
    missed_now = float(pairs.missed_now[place, slot])
    return erred_now > _enough(pairs, place, slot) and erred_now > missed_now


@compiled
def is_disproved(pairs: PairState, place: int, slot: int) -> bool:
    """Whether the pair is hinted at, and that does not explain the episode that has just been."""
    at = (place, slot)
    erred_now = pairs.erred_now[at]
    is_told = pairs.hinted[at] > 0 and pairs.lessons[at] > 0
    is_wrong = erred_now > _enough(pairs, place, slot)
    return bool(is_told and is_wrong and erred_now >= _HELPS * pairs.missed_now[at])


@compiled
def _enough(pairs: PairState, place: int, slot: int) -> float:
    """Units by which something has happened."""
    return float(_ENOUGH_SIGMAS * np.maximum(pairs.noise[place, slot], 1e-9))


@compiled
def find_trusted(pairs: PairState) -> Bools:
    """Where a signal is believed, (PLACES, n)."""
    trusted = np.zeros(pairs.signal.shape, dtype=np.bool_)
    for place, slot in np.ndindex(pairs.signal.shape):
        is_held = not np.isnan(pairs.signal[place, slot])
        trusted[place, slot] = is_held and is_trusted(pairs, place, slot)
    return trusted


@compiled
def find_refuted(pairs: PairState) -> Bools:
    """Where a signal brings other than what was said, (PLACES, n)."""
    refuted = np.zeros(pairs.signal.shape, dtype=np.bool_)
    for place, slot in np.ndindex(pairs.signal.shape):
        is_held = not np.isnan(pairs.signal[place, slot])
        refuted[place, slot] = is_held and is_refuted(pairs, place, slot)
    return refuted


@compiled
def end_episode(pairs: PairState, place: int, slot: int, weights: Floats) -> None:
    """Enters the episode into the pair's records; ``weights`` (BINS,) are what it taught.

    A place whose signal turned out to bring nothing, or to mislead, is given up. A hint that did
    not explain what came was no lesson. An episode before which demand was unknown teaches nothing.
    """
    at = (place, slot)
    known = not np.isnan(pairs.calm[at])
    disproved = known and is_disproved(pairs, place, slot)
    had_said = known and pairs.lessons[at] > 0 and not disproved
    missed_now, erred_now = pairs.missed_now[at], pairs.erred_now[at]
    happened = np.maximum(missed_now, erred_now) > _enough(pairs, place, slot)
    pairs.missed_now[at] = pairs.erred_now[at] = 0.0
    if had_said:
        pairs.missed[at] = _MEMORY * pairs.missed[at] + missed_now
        pairs.erred[at] = _MEMORY * pairs.erred[at] + erred_now
    else:
        pairs.missed[at] = pairs.erred[at] = 0.0
    said, doubt = pairs.said[at], pairs.doubt[at]
    if had_said and said > 0:
        # More than was said is what hurts; less is no reason to say more the next time.
        short = min(max(pairs.came[at] / said - 1.0, 0.0), 1.0)
        learned = np.sqrt(doubt**2 + _DOUBT_RATE * (short**2 - doubt**2))
        pairs.doubt[at] = min(max(learned, _DOUBT_BOUNDS[0]), _DOUBT_BOUNDS[1])
    if disproved or (had_said and happened):
        pairs.hinted[at] = 0.0
    if not known:
        return
    pairs.lessons[at] = 1.0 if disproved else pairs.lessons[at] + 1
    pairs.weights[:, place, slot] = weights
    misleads = pairs.lessons[at] > _FEW_LESSONS and pairs.erred[at] > pairs.missed[at]
    if weights.sum() <= 0 or misleads:
        pairs.signal[at] = np.nan


@compiled
def take_place(pairs: PairState, slot: int, signal: int, calm: float, noise: float) -> int:
    """Gives ``signal`` a place at ``slot`` that is free or badly used, -1 if there is none.

    Never instead of one that has been of use, or has not had its second episode yet.
    """
    standing = np.empty(PLACES)
    for place in range(PLACES):
        standing[place] = pairs.missed[place, slot] - pairs.erred[place, slot]
        if np.isnan(pairs.signal[place, slot]):
            standing[place] = -np.inf
    best = int(standing.argmin())
    if standing[best] >= 0:
        return -1
    clear_place(pairs, best, slot)
    pairs.signal[best, slot] = signal
    pairs.calm[best, slot], pairs.noise[best, slot] = calm, noise
    return best


@compiled
def clear_place(pairs: PairState, place: int, slot: int) -> None:
    """Forgets all that is known of the place; which hints were taken up is the slot's."""
    at = (place, slot)
    pairs.weights[:, place, slot] = pairs.products[:, place, slot] = 0.0
    pairs.signal[at] = pairs.calm[at] = pairs.noise[at] = pairs.due[at] = np.nan
    pairs.lessons[at] = pairs.missed[at] = pairs.erred[at] = 0.0
    pairs.missed_now[at] = pairs.erred_now[at] = pairs.said[at] = pairs.came[at] = 0.0
    pairs.doubt[at], pairs.hinted[at] = _FIRST_DOUBT, 0.0


@compiled
def give_hinted_place(pairs: PairState, slot: int, signal: float, weights: Floats) -> None:
    """Lets ``signal`` have a place at ``slot`` by the ``weights`` (BINS,) of a hint. What was
    learned of it stays, and until that was put to the test it is believed as well.
    """
    best, lowest = 0, np.inf
    for place in range(PLACES):
        worth = pairs.missed[place, slot] - pairs.erred[place, slot]
        if pairs.hinted[place, slot] > 0:
            worth = np.inf
        if np.isnan(pairs.signal[place, slot]):
            worth = -np.inf
        if pairs.signal[place, slot] == signal:
            best = place
            break
        if worth < lowest:
            best, lowest = place, worth
    if pairs.signal[best, slot] != signal or pairs.lessons[best, slot] <= 0:
        clear_place(pairs, best, slot)
        pairs.signal[best, slot] = signal
        pairs.weights[:, best, slot] = weights
        pairs.lessons[best, slot] = 1.0 if weights.sum() > 0 else 0.0
    if pairs.missed[best, slot] <= 0:
        pairs.hinted[best, slot] = 1.0


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
