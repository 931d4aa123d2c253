"""What one recipient of an event came to: peak and decay, learned from one occurrence to the next.

An occurrence's rise above what was usual is kept as its highest value in each of a few spans of
time, short ones at first, so that peak and decay are one array. Divided by the audience it is a
gain: units per second per recipient. Without an audience it is per occurrence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.fleet import Fleet, Floats, Ints

SPANS_END_S = np.array([15, 30, 60, 120, 300, 600, 1200, 2400, 4800, 9600, 86_400], dtype=float)
"""Seconds after an event's beginning at which the spans end; the first begins with it."""

SPANS_BEGIN_S = np.concatenate(([0.0], SPANS_END_S[:-1]))

SPANS = len(SPANS_END_S)

_KEPT = 8
_SIGMAS = 1.64  # the 0.95 quantile of a normal distribution
_NORMAL_MAD = 1.4826  # standard deviation over median absolute deviation, of a normal one
_GUESSED_SPREAD = 0.2
_GUESS_WEIGHT = 3.0


def span_of(since_s: float) -> int:
    """The span that a time after the beginning falls into."""
    return min(int(np.searchsorted(SPANS_END_S, since_s, side="right")), SPANS - 1)


@dataclass(frozen=True, slots=True)
class Gains:
    """Gains of one event. ``slots`` (m,) rising; ``samples`` (kept, SPANS, m), newest first, NaN
    where nothing was learned: 700 bytes per slot.
    """

    slots: Ints
    samples: Floats

    @classmethod
    def none(cls) -> Gains:
        return cls.empty(np.zeros(0, dtype=np.int64))

    @classmethod
    def empty(cls, slots: Ints) -> Gains:
        """Nothing learned of these slots."""
        return cls(slots, np.full((_KEPT, SPANS, len(slots)), np.nan))


@dataclass(frozen=True, slots=True)
class Estimate:
    """Gains to expect, all (SPANS, m), NaN where nothing was learned.

    ``expected`` is the middle one, ``high`` what 19 of 20 should stay below, and ``falling`` the
    spans in order of that; ``learned_from`` (m,) is how many occurrences there were.
    """

    expected: Floats
    high: Floats
    falling: Ints
    learned_from: Ints

    @classmethod
    def unknown(cls, size: int) -> Estimate:
        nothing = np.full((SPANS, size), np.nan)
        falling = np.repeat(np.arange(SPANS)[:, None], size, axis=1)
        return cls(nothing, nothing.copy(), falling, np.zeros(size, dtype=np.int64))


def learn_gains(gains: Gains, slots: Ints, observed: Floats) -> Gains:
    """Adds one occurrence's gains, (SPANS, k) of the ``slots`` (k,), where any were seen."""
    told = ~np.isnan(observed).all(axis=0)
    if not told.any():
        return gains
    slots, observed = slots[told], observed[:, told]
    together = np.union1d(gains.slots, slots)
    samples = np.full((_KEPT, SPANS, len(together)), np.nan)
    samples[:, :, np.searchsorted(together, gains.slots)] = gains.samples
    where = np.searchsorted(together, slots)
    samples[1:, :, where] = samples[:-1, :, where]
    samples[0, :, where] = observed.T  # an index array between slices comes first
    return Gains(together, samples)


def estimate_gains(gains: Gains, slots: Ints) -> Estimate:
    """What to expect of the ``slots`` (m,).

    The middle of the samples, the higher one of two, so that an event that did not take place
    does not halve what the next is expected to bring. Its spread is the median absolute deviation,
    and as long as samples are few, mostly a guess of a fifth. A span nobody saw is taken to be as
    high as the highest.
    """
    _, here, there = np.intersect1d(slots, gains.slots, assume_unique=True, return_indices=True)
    samples = gains.samples[:, :, there]
    count = (~np.isnan(samples)).sum(axis=0)
    middle = _middle(samples, count)
    deviation = _NORMAL_MAD * _middle(np.abs(samples - middle), count)
    more = np.maximum(count - 1, 0)
    guess = _GUESS_WEIGHT * _GUESSED_SPREAD * np.abs(middle)
    spread = (guess + more * deviation) / (_GUESS_WEIGHT + more)
    estimate = Estimate.unknown(len(slots))
    high = _fill(np.maximum(middle + _SIGMAS * spread, 0.0))
    estimate.expected[:, here] = _fill(np.maximum(middle, 0.0))
    estimate.high[:, here] = high
    estimate.falling[:, here] = np.argsort(-high, axis=0)
    estimate.learned_from[here] = count.max(axis=0)
    return estimate


def move_gains(gains: Gains, old: Fleet, new: Fleet) -> Gains:
    """The same gains at their targets' slots in another fleet, without those that are gone."""
    targets = (old.target(int(slot)) for slot in gains.slots)
    moved = [new.slot(target.resource, target.dimension) for target in targets]
    stays = np.array([slot is not None for slot in moved], dtype=np.bool_)
    slots = np.array([slot for slot in moved if slot is not None], dtype=np.int64)
    order = np.argsort(slots)
    return Gains(slots[order], gains.samples[:, :, stays][:, :, order])


def _middle(samples: Floats, count: Ints) -> Floats:
    """The (higher) median of ``count`` samples along the first axis, NaN for none."""
    last = np.sort(samples, axis=0)  # NaN last
    middle: Floats = np.take_along_axis(last, np.minimum(count // 2, _KEPT - 1)[None], axis=0)[0]
    return middle


def _fill(values: Floats) -> Floats:
    highest = np.fmax.reduce(values, axis=0)
    return np.where(np.isnan(values), highest, values)
