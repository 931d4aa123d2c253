"""How much capacity the forecast asks for, and how long what is there will last.

Scale-out and scale-in are sized apart. Raising is free and can be repeated, so it waits as long
as the burst bucket carries the excess until the raise after this one could be in force.
Lowering is scarce and should last, so it gives the bucket no credit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from capacity_pilot.core.fleet import Floats, Ints
from capacity_pilot.core.forecast import Forecast

_NOISE_SIGMAS = 2.0
_NOISE_BUFFER_S = 20.0
_LEAST_UNITS = 1e-9  # what is divided by: less than anybody counts
REACTION_S = 5.0
"""From a need arising to the call that answers it: telemetry, tick, refused and repeated calls."""


@dataclass(frozen=True, slots=True)
class Sizing:
    """Units per second, (n,); NaN where there is no forecast.

    ``least`` is the smallest capacity that does not throttle before the next raise could act;
    ``sustained`` carries the forecast without any help from the bucket.
    ``seconds_to_throttle`` is when the bucket runs dry at forecast demand and today's capacity,
    inf if it never does.
    """

    least: Floats
    sustained: Floats
    seconds_to_throttle: Floats


def size_capacity(
    forecast: Forecast,
    *,
    provisioned: Floats,
    burst_units: Floats,
    burst_reliance: Floats,
    apply_time_s: Floats,
) -> Sizing:
    """Sizes each slot for the time until two changes from now could be in force.

    One call is in flight per table, so whoever is under-provisioned after this change waits a
    whole further apply time for the next.
    """
    reliable = burst_units * burst_reliance
    capacity = np.fmax(provisioned, 0.0)  # NaN is none
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
    excess = forecast.high - capacity
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        seconds = np.where(excess > 0, reliable / excess, np.inf)
    sustained = forecast.high + _NOISE_SIGMAS * forecast.noise * exposed
    least = np.maximum(sustained - left / must_last_s, 0.0)
    return Sizing(least=least, sustained=sustained, seconds_to_throttle=seconds)


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
    shares_table = np.bincount(table_of, urgent)[table_of] > 0
    return replace(
        sizing, least=np.where(shares_table, np.fmax(sizing.least, sizing.sustained), sizing.least)
    )
