"""Onsets: demand that leaves its recent past, and the panic window that follows.

The dual window (a fast rate against a slow one, no scale-in while it lasts) is Knative's panic
mode in spirit; the threshold also asks that noise cannot explain the jump.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.fleet import Bools, Floats

PANIC_S = 150.0
"""How long after its last sign a surge is reckoned with."""

_JUMP = 1.5
_SIGMAS = 5.0
_SECONDS = 2.0
_LEAST_UNITS = 1.0


@dataclass(frozen=True, slots=True)
class SurgeState:
    """``panic_until`` in Unix seconds, -inf for never; both (n,)."""

    is_surging: Bools
    panic_until: Floats

    @classmethod
    def empty(cls, size: int) -> SurgeState:
        return cls(np.zeros(size, dtype=np.bool_), np.full(size, -np.inf))


def watch_surges(
    state: SurgeState,
    *,
    base: Floats,
    level: Floats,
    peak: Floats,
    noise: Floats,
    is_watched: Bools,
    now: float,
) -> SurgeState:
    """A surge is a fast rate, or a lower bound of it, half above the base rate and beyond noise.

    ``base`` is the mean of the last minute, ``level`` of the last seconds, ``peak`` the highest
    one of two neighbouring seconds, units/s. Whoever is not watched neither starts nor ends one.
    """
    fast = np.fmax(level, peak)
    surging = is_watched & (fast > base * _JUMP)
    if not np.count_nonzero(surging):
        return SurgeState(surging, state.panic_until)
    surging &= fast > base + _explain_by_noise(base, noise) + _LEAST_UNITS
    return SurgeState(surging, np.where(surging, now + PANIC_S, state.panic_until))


def _explain_by_noise(base: Floats, noise: Floats) -> Floats:
    """How far above ``base`` noise alone may bring the mean of two seconds, in units/s.

    Bernstein's inequality for sums of calls of ``noise**2 / base`` units each, solved for the
    deviation that is as rare as five standard deviations of a normal distribution's bound: with
    few calls per second the tail is much longer than the normal one.
    """
    rarity = _SIGMAS**2 / 2
    call_units = noise**2 / np.maximum(base, 1e-9)
    linear = rarity * call_units / 3
    deviation = linear + np.sqrt(linear**2 + 2 * rarity * noise**2 * _SECONDS)
    return np.where(base > 0, deviation / _SECONDS, 0.0)
