"""How much capacity the forecast asks for, and how long what is there will last.

Scale-out and scale-in are sized apart. Raising is free and can be repeated, so it waits as long
as the burst bucket carries what may come until a raise could be in force: most bursts are over by
then. Once it is due it is sized for the time until the raise after it. Lowering is scarce, so it
goes down to what the last minute needed when the bucket carries what may come on top.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from capacity_pilot.core.burst import BURST_S
from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.fleet import Bools, Floats, Ints
from capacity_pilot.core.forecast import Forecast
from capacity_pilot.core.forecast.excess import BURST, MINUTE, SECOND

REACTION_S = 2.0
"""From a need arising to the call that answers it, besides telemetry: a tick, a repeated call."""

_RESERVE_S = 5.0
"""Seconds of capacity that stay in the reliable part of the bucket."""

_BURST_S = 10.0
_SPARE = 0.03
_PAST = (1.5, 0.65, 0.8)
"""How much of the highest excess of the past to be ready for, per row of ``forecast.excess``.
Excesses of single seconds only count where there is no bucket to level them out."""

_REFILL_S = 520.0
_REFILL_FOR = 2.5
"""How long filling the bucket may take, and for how many times its highest excess."""

_SPIKE_S = 2.0
_SPIKE_REFILL_S = 60.0
"""How long a spike is, and how long filling the bucket for one may take. Capacity that bore it
without a bucket would stand for an hour, for seconds that come once a day."""

_LASTING = 0.92
"""Of what seconds show demand to go to, how much a raise is sized for: bursts break off."""

_LEAST_STEP = 1.02
"""A raise keeps the table busy for an apply time, so that it should be worth it."""

_VERDICT_S = 10.0
"""How long it takes at most until seconds that stand out have become a surge, part of what is
expected, or a thing of the past."""

_HEADROOM = 1.02

_RISE_S = 6.0
"""How much longer a surge is reckoned to rise as it does, at most to double, where not even the
whole bucket would bear that."""


class Sizing(NamedTuple):
    """Units per second, (n,); NaN where there is no forecast.

    ``least`` is the smallest capacity that does not throttle before the next raise could act, and
    where that is more than there is, what to raise to; no more than there is while seconds tell
    whether a surge has begun, as long as the bucket bears that. ``sustained`` carries the forecast
    without any help from the bucket. ``resting`` is what to come down to: with the bucket's help it
    carries what demand is now. ``seconds_to_throttle`` is when the bucket runs dry at forecast
    demand and today's capacity, inf if it never does and NaN where capacity is unknown.
    """

    least: Floats
    sustained: Floats
    resting: Floats
    seconds_to_throttle: Floats


class Bucket(NamedTuple):
    """The burst bucket as far as it is known, (n,): ``units`` in it when the last settled second
    was over, ``keeps_s`` how many seconds of capacity fit in, and the ``reliance`` of the policy.
    """

    units: Floats
    keeps_s: Floats
    reliance: Floats


def size_capacity(
    forecast: Forecast,
    *,
    provisioned: Floats,
    bucket: Bucket,
    caution: Floats,
    apply_time_s: Floats,
    unsettled_s: float,
) -> Sizing:
    """Sizes each slot for the time until two changes from now could be in force.

    The last settled second was over ``unsettled_s`` ago. ``caution`` (n,) is 1 at a risk of 10 ppm
    and scales what is bought on suspicion. One call is in flight per table, so whoever is
    under-provisioned after this change waits a whole further apply time for the next.
    """
    return Sizing(
        *size_slots(
            forecast.grown,
            forecast.expected,
            forecast.newest,
            forecast.usual,
            forecast.minute,
            forecast.rise,
            forecast.spike,
            forecast.excess,
            forecast.is_surging,
            provisioned,
            bucket.units,
            bucket.keeps_s,
            bucket.reliance,
            caution,
            apply_time_s,
            float(unsettled_s),
        )
    )


def provide(sizing: Sizing, needed: Floats) -> Sizing:
    """No less, and nothing lower to come down to, than what is ``needed`` (n,) for demand that is
    on its way, NaN where none is.
    """
    return sizing._replace(
        least=np.fmax(sizing.least, needed),
        resting=np.fmax(sizing.resting, needed),
        sustained=np.fmax(sizing.sustained, needed),
    )


def size_together(
    sizing: Sizing, forecast: Forecast, *, provisioned: Floats, table_of: Ints
) -> Sizing:
    """In a surge, no target of a table waits for its own bucket once one of them cannot.

    The call for that one keeps the table busy for an apply time, and what it leaves out is
    throttled until the next. ``table_of`` (n,) is the same number for all slots of a table.
    """
    if not np.count_nonzero(forecast.is_surging):
        return sizing
    least = sizing.least.copy()
    raise_together(least, forecast.is_surging, forecast.expected, provisioned, table_of)
    return sizing._replace(least=least)


@compiled
def raise_together(
    least: Floats, is_surging: Bools, expected: Floats, provisioned: Floats, table_of: Ints
) -> None:
    """``size_together``, in place."""
    is_urgent = is_surging & (least > provisioned)
    if not is_urgent.any():
        return
    is_urgent_in = np.zeros(table_of.max() + 1, dtype=np.bool_)
    for slot in range(len(least)):
        if is_urgent[slot]:
            is_urgent_in[table_of[slot]] = True
    for slot in range(len(least)):
        if is_urgent_in[table_of[slot]] and not is_urgent[slot]:
            least[slot] = np.fmax(least[slot], expected[slot])


class _Need(NamedTuple):
    """What a target must be ready for; units per second, the last two in units.

    The first three are demand for a second, for 10 s and until a change is in force. ``spike`` and
    ``refill`` are what should be in the bucket before the next spike and before the next rise.
    """

    second: float
    burst: float
    minute: float
    usual: float
    until_then_s: float
    spike: float
    refill: float


@compiled
def size_slots(  # noqa: PLR0913, PLR0917 - compiled code takes no dataclasses
    grown: Floats,
    expected: Floats,
    newest: Floats,
    usual: Floats,
    minute: Floats,
    rise: Floats,
    spike: Floats,
    excess: Floats,
    is_surging: Bools,
    provisioned: Floats,
    bucket_units: Floats,
    keeps_s: Floats,
    reliance: Floats,
    caution: Floats,
    apply_time_s: Floats,
    unsettled_s: float,
) -> Floats:
    """The fields of ``Sizing`` as rows, (4, n)."""
    sizes = np.empty((4, len(grown)))
    for slot in range(len(grown)):
        capacity = np.fmax(provisioned[slot], 0.0)  # NaN is none
        until_then_s = unsettled_s + apply_time_s[slot] + REACTION_S
        ahead = grown[slot] + caution[slot] * (expected[slot] - grown[slot] + _SPARE * usual[slot])
        trusted = reliance[slot] * bucket_units[slot]
        reliable = np.maximum(trusted - _RESERVE_S * capacity, 0.0)
        full = reliance[slot] * keeps_s[slot] * usual[slot]
        second = usual[slot] + caution[slot] * _PAST[SECOND] * excess[SECOND, slot]
        burst = usual[slot] + caution[slot] * _PAST[BURST] * excess[BURST, slot]
        risen_to = usual[slot] + caution[slot] * _PAST[MINUTE] * excess[MINUTE, slot]
        rise_units = caution[slot] * _REFILL_FOR * excess[MINUTE, slot] * until_then_s
        need = _Need(
            np.maximum(second, ahead),
            np.maximum(burst, ahead),
            np.maximum(risen_to, ahead),
            usual[slot],
            until_then_s,
            np.minimum(caution[slot] * _PAST[SECOND] * _SPIKE_S * spike[slot], full),
            np.minimum(rise_units, full),
        )
        least = _least_with(reliable, need)
        if least > capacity:
            # What the bucket is down to when this change is in force must last until the next one.
            # A surge that climbs on leaves nothing of it.
            left = 0.0
            if not is_surging[slot]:
                left = _leave(reliable, grown[slot], capacity, until_then_s)
            again_s = until_then_s + apply_time_s[slot] + REACTION_S
            lasting = _LASTING * ahead
            # Where no bucket bears that, none of it breaks off, and climbing goes on as it does.
            lack = 1.0 - keeps_s[slot] / BURST_S
            climb = expected[slot] - grown[slot]
            lasting += caution[slot] * lack * (ahead - lasting + climb)
            lasting -= left / again_s
            if is_surging[slot]:
                # It may well come to what earlier rises came to.
                lasting = np.maximum(lasting, risen_to - left / again_s)
            if rise[slot] > 0:
                # Without a bucket the newest second counts, not its mean with the one before.
                seen = np.maximum(ahead, newest[slot] + lack * rise[slot] / 2.0)
                risen = seen + caution[slot] * np.minimum(_RISE_S * rise[slot], seen)
                left = _leave(bucket_units[slot], risen, capacity, until_then_s)
                lasting = np.maximum(lasting, risen - left / again_s)
            least = np.maximum(np.maximum(least, lasting), _LEAST_STEP * capacity)
            stands_out = newest[slot] > np.maximum(least, ahead) and not is_surging[slot]
            if stands_out and reliable >= _VERDICT_S * (newest[slot] - capacity):
                # If a surge is what begins, this raise would keep the table from the right one.
                least = capacity
        # Of what is in the bucket, no more stays than fits into the one of a capacity at usual
        # demand.
        fits = np.minimum(reliable, _HEADROOM * full)
        beyond = ahead - capacity
        sizes[0, slot] = least
        sizes[1, slot] = ahead
        sizes[2, slot] = np.maximum(_HEADROOM * minute[slot], _least_with(fits, need))
        sizes[3, slot] = trusted / beyond if beyond > 0 else np.inf
        if np.isnan(provisioned[slot]):
            sizes[3, slot] = np.nan
    return sizes


@compiled
def _leave(units: float, demand: float, capacity: float, seconds: float) -> float:
    """What is left of ``units`` in the bucket after so many seconds."""
    return float(np.maximum(units - np.maximum(demand - capacity, 0.0) * seconds, 0.0))


@compiled
def _least_with(units: float, need: _Need) -> float:
    """The least capacity that with ``units`` in the bucket does not throttle."""
    # A spike is left to the bucket, and where that is low it is filled again.
    borne = np.maximum(units, need.spike)
    least = np.maximum(need.second - borne, need.burst - borne / _BURST_S)
    least = np.maximum(least, need.usual + (need.spike - units) / _SPIKE_REFILL_S)
    least = np.maximum(least, need.minute - units / need.until_then_s)
    # A bucket low for what this target has done before is filled again, slowly.
    least = np.maximum(least, need.usual + (need.refill - units) / _REFILL_S)
    return float(np.maximum(least, 0.0))
