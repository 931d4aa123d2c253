"""Onsets: demand that leaves its recent past, and the panic window that follows.

The dual window (a fast rate against a slow one, no scale-in while it lasts) is Knative's panic
mode in spirit; the threshold also asks that noise cannot explain the jump.
"""

from __future__ import annotations

import math

from capacity_pilot.core.compiled import compiled

PANIC_S = 150.0
"""How long after its last sign a surge is reckoned with."""

_JUMP = 1.5
_SIGMAS = 5.0
_SECONDS = 2.0
_LEAST_UNITS = 1.0


@compiled
def is_surge(base: float, fast: float, noise: float, spike: float) -> bool:
    """Whether a ``fast`` rate, or a lower bound of it, is half above ``base`` and beyond noise.

    ``base`` is the mean of the last minute, ``fast`` that of the last seconds or the highest one
    of two neighbouring seconds, whichever is more; ``spike`` is how far two seconds have lately
    stood out from those around them; units/s.
    """
    if not fast > base * _JUMP or not fast > spike:
        return False
    return fast > base + _explain_by_noise(base, noise) + _LEAST_UNITS


@compiled
def _explain_by_noise(base: float, noise: float) -> float:
    """How far above ``base`` noise alone may bring the mean of two seconds, in units/s.

    Bernstein's inequality for sums of calls of ``noise**2 / base`` units each, solved for the
    deviation that is as rare as five standard deviations of a normal distribution's bound: with
    few calls per second the tail is much longer than the normal one.
    """
    if not base > 0:
        return 0.0
    rarity = _SIGMAS**2 / 2
    call_units = noise**2 / max(base, 1e-9)
    linear = rarity * call_units / 3
    return (linear + math.sqrt(linear**2 + 2 * rarity * noise**2 * _SECONDS)) / _SECONDS
