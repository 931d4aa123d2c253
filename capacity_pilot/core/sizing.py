"""How much capacity the forecast asks for, and how long what is there will last.

Scale-out and scale-in are sized apart. Raising is free and can be repeated, so it waits as long
as the burst bucket carries the excess until a raise ordered a tick later could be in force: most
bursts are over by then. A surge is not waited out. Lowering is scarce, so it goes down to what
means over seconds to minutes need when the bucket carries what is above them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from capacity_pilot.core.burst import BURST_S
from capacity_pilot.core.fleet import Floats, Ints
from capacity_pilot.core.forecast import Forecast
from capacity_pilot.core.forecast.means import SCALES_S, USUAL

_NOISE_SIGMAS = 2.0
_NOISE_BUFFER_S = 20.0
_LEAST_UNITS = 1e-9  # what is divided by: less than anybody counts
_RESERVE_S = 20.0
"""Seconds of capacity that stay in the reliable part of the bucket, for noise and for bursts."""

_CALL_S = 2.0
"""A tick later, and a refused call made again."""

_LEAST_STEP = 1.02
"""A raise keeps the table busy for an apply time, so that it should be worth it."""

_HEADROOM = 1.02
_SURGE_STEP = 1.3
REACTION_S = 5.0
"""From a need arising to the call that answers it: telemetry, tick, refused and repeated calls."""


@dataclass(frozen=True, slots=True)
class Sizing:
    """Units per second, (n,); NaN where there is no forecast.

    ``least`` is the smallest capacity that does not throttle before the next raise could act;
    ``sustained`` carries the forecast without any help from the bucket. ``resting`` is what to
    come down to: with the bucket's help it carries what demand has been of late.
    ``seconds_to_throttle`` is when the bucket runs dry at forecast demand and today's capacity,
    inf if it never does.
    """

    least: Floats
    sustained: Floats
    resting: Floats
    seconds_to_throttle: Floats


def size_capacity(
    forecast: Forecast,
    *,
    provisioned: Floats,
    burst_units: Floats,
    burst_reliance: Floats,
    apply_time_s: Floats,
    unsettled_s: float,
) -> Sizing:
    """Sizes each slot for the time until two changes from now could be in force.

    ``burst_units`` are what was in the bucket ``unsettled_s`` seconds ago.
    One call is in flight per table, so whoever is under-provisioned after this change waits a
    whole further apply time for the next.
    """
    capacity = np.fmax(provisioned, 0.0)  # NaN is none
    trusted = burst_units * burst_reliance
    reliable = np.maximum(trusted - _RESERVE_S * capacity, 0.0)
    # What the bucket is down to when a change ordered now is in force.
    drained = np.maximum(forecast.level - capacity, 0.0) * apply_time_s
    left = np.maximum(reliable - drained, 0.0)
    must_last_s = apply_time_s + REACTION_S
    if np.count_nonzero(forecast.is_panicking):
        # Nobody knows how high a surge goes: the bucket must outlast a second change as well.
        must_last_s = np.where(forecast.is_panicking, must_last_s + apply_time_s, must_last_s)
    # Second-to-second noise only throttles where the bucket cannot level it out.
    buffer = np.maximum(_NOISE_BUFFER_S * forecast.noise, _LEAST_UNITS)
    exposed = np.maximum(1.0 - left / buffer, 0.0)
    sustained = forecast.high + _NOISE_SIGMAS * forecast.noise * exposed
    excess = forecast.high - capacity
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        seconds = np.where(excess > 0, trusted / excess, np.inf)
    least = np.maximum(sustained - left / must_last_s, 0.0)
    if np.count_nonzero(forecast.is_surging):
        # What is seen of a surge and a step more is bought at once: the bucket is for the rest.
        seen = np.minimum(_SURGE_STEP * forecast.level, sustained)
        least = np.where(forecast.is_surging, np.maximum(least, seen), least)
    worthwhile = np.minimum(_LEAST_STEP * capacity, sustained)
    least = np.where(least > capacity, np.maximum(least, worthwhile), least)
    until_then_s = unsettled_s + apply_time_s + _CALL_S
    can_wait = ((sustained - capacity) * until_then_s <= reliable) & ~forecast.is_surging
    return Sizing(
        least=np.where(can_wait, np.minimum(least, capacity), least),
        sustained=sustained,
        resting=_size_rest(
            forecast,
            sustained,
            trusted=trusted,
            burst_reliance=burst_reliance,
            until_then_s=until_then_s,
        ),
        seconds_to_throttle=seconds,
    )


def _size_rest(
    forecast: Forecast,
    sustained: Floats,
    *,
    trusted: Floats,
    burst_reliance: Floats,
    until_then_s: Floats,
) -> Floats:
    """The least capacity c under which means m over L seconds fit: m * L <= c * (L + bucket).

    The bucket holds ``BURST_S`` seconds of c when full. What is usual is carried without it, and
    what is forecast must not have the table raised again at once: it can wait, by the rule for
    raises, with the ``trusted`` units that are in the bucket now and fit into the new one.
    """
    carried = forecast.means / (1.0 + BURST_S * burst_reliance / SCALES_S)
    carried[USUAL] = _HEADROOM * forecast.means[USUAL]
    spare = np.maximum(trusted - _RESERVE_S * sustained, 0.0)
    soon = np.maximum(
        sustained - spare / until_then_s,
        sustained / (1.0 + BURST_S * burst_reliance / until_then_s),
    )
    # NaN, where nothing is forecast, stays NaN.
    resting: Floats = np.minimum(np.maximum(carried.max(axis=0), soon), sustained)
    return resting


def size_together(
    sizing: Sizing, forecast: Forecast, *, provisioned: Floats, table_of: Ints
) -> Sizing:
    """In a surge, no target of a table waits for its own bucket once one of them cannot.

    The call for that one keeps the table busy for an apply time, and what it leaves out is
    throttled until the next. ``table_of`` (n,) is the same number for all slots of a table.
    """
    urgent = forecast.is_surging & (sizing.least > provisioned)
    if not np.count_nonzero(urgent):
        return sizing
    shares_table = (np.bincount(table_of, urgent)[table_of] > 0) & ~urgent
    return replace(
        sizing, least=np.where(shares_table, np.fmax(sizing.least, sizing.sustained), sizing.least)
    )
