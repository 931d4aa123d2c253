"""A surge that begins while a signal moves of which nobody knows anything: stories of first pushes.

A table of 150 units/s with a full bucket; a push goes out over 70 s, and what it brings climbs for
as long. Changes take 30 s.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.climbing import climb_on
from capacity_pilot.core.fleet import Fleet, Floats
from capacity_pilot.core.forecast import Forecast
from capacity_pilot.core.forecast.upstream import NO_SIGNALS, SignalArrivals
from capacity_pilot.core.model import Dimension
from capacity_pilot.core.plan import plan_changes
from capacity_pilot.core.sizing import Sizing
from capacity_pilot.core.tick import Inputs, PilotState, tick
from tests.core.forecast.upstream.stage import LAG_S, brought_by, bursts, noisy
from tests.core.scenario import FEED, MIDNIGHT, Tables, arrivals, policy

CALM, FIRST, LENGTH = 150.0, 600, 840
APPLY_S = 30.0
FLEET = Fleet.of([FEED])
WRITES = FLEET.slot(FEED, Dimension.WRITE) or 0
BUCKET_S = 300.0

PUSH = bursts(LENGTH, FIRST, lasts=70)
CROWD = brought_by(PUSH, gain=0.5)


@dataclass(frozen=True)
class Lived:
    """The ``raises`` as (second, units), and the units that a bucket of 300 s did not bear."""

    raises: list[tuple[int, float]]
    throttled: float

    def first_raise(self, begin: int) -> tuple[int, float]:
        return next(each for each in self.raises if each[0] >= begin)


def live_through(demand: Floats, signal: Floats | None, *, of_another_table: bool = False) -> Lived:
    """What the pilot does while ``demand`` and counts of the ``signal`` are told 6 s late."""
    tables = Tables(FLEET, np.full(2, 160.0), APPLY_S)
    state = PilotState.empty(2, MIDNIGHT)
    full = np.array([0.0, BUCKET_S * 160.0])
    state = replace(state, burst=replace(state.burst, units=full))
    scope = np.array([7.0 if of_another_table else np.nan])
    none = np.zeros(0, dtype=np.int64)
    raises, level, throttled = [], BUCKET_S * 160.0, 0.0
    for second in range(len(demand)):
        now, told = MIDNIGHT + second, second - 1 - LAG_S
        tables.advance(now)
        heard = max(told, 0)
        signals = NO_SIGNALS
        if signal is not None:
            at = np.array([int(MIDNIGHT) + heard])
            signals = SignalArrivals(np.array([0]), at, signal[[heard]], scope, none)
        inputs = Inputs(
            arrivals=arrivals((WRITES, int(MIDNIGHT) + told, demand[heard])),
            capacity=tables.describe(now),
            policy=policy(FLEET, burst_reliance=1.0),
            apply_time_s=np.full(2, APPLY_S),
            table_of=FLEET.table_of,
            signals=signals,
        )
        state, decisions = tick(state, inputs, now)
        if decisions.action[WRITES] > 0:
            raises.append((second, float(decisions.units[WRITES])))
        for plan in plan_changes(FLEET, decisions, now):
            tables.take(plan, now)
        capacity = tables.provisioned[WRITES]
        level = min(level + capacity - demand[second], BUCKET_S * capacity)
        throttled, level = throttled - min(level, 0.0), max(level, 0.0)
    return Lived(raises, throttled)


def test_the_first_push_ever_is_met_where_it_climbs_to() -> None:
    demand = noisy(CALM + CROWD)
    led, alone = live_through(demand, PUSH), live_through(demand, None)
    at, units = led.first_raise(FIRST)
    # By then not half of it is to be seen.
    assert demand[at - LAG_S - 2 : at - LAG_S].mean() < 0.5 * demand.max()
    assert units > demand.max()
    assert led.throttled == 0.0
    # Nothing but the signal told that it would not break off.
    assert alone.first_raise(FIRST)[0] == at
    assert alone.first_raise(FIRST)[1] < 0.8 * demand.max()
    assert alone.throttled > 1000.0


def test_what_moves_of_another_table_brings_this_one_nothing() -> None:
    demand = noisy(CALM + CROWD)
    assert live_through(demand, PUSH, of_another_table=True) == live_through(demand, None)


def test_a_signal_that_has_moved_before_is_no_reason() -> None:
    """Nobody came when it did."""
    demand = noisy(CALM + CROWD)
    twice = PUSH + bursts(LENGTH, 120, lasts=20)
    assert live_through(demand, twice) == live_through(demand, None)


def risen(
    newest: float,
    *,
    least: float,
    moving_s: float,
    caution: float = 1.0,
    provisioned: float = 100.0,
    is_surging: bool = True,
) -> float:
    one = np.full(1, np.nan)
    ahead = Forecast(*([one] * 9), *([np.array([is_surging])] * 3))
    ahead = ahead._replace(newest=np.array([newest]), usual=np.array([100.0]))
    sizing = climb_on(
        Sizing(np.array([least]), one, one, one),
        ahead,
        np.array([moving_s]),
        provisioned=np.array([provisioned]),
        caution=np.array([caution]),
        ahead_s=np.array([32.0]),
        unsettled_s=7.0,
    )
    return float(sizing.least[0])


def test_it_climbs_on_as_it_did_until_the_raise_after_this_one() -> None:
    assert risen(300.0, least=250.0, moving_s=20.0) == 300.0 + 200.0 / 20.0 * (7 + 2 * 32)
    assert risen(300.0, least=250.0, moving_s=np.nan) == 250.0


units = st.floats(1, 1e6)


@given(units, units, st.floats(0, 600), st.floats(0, 2))
def test_it_only_raises_and_to_eightfold_at_most(
    newest: float, least: float, moving_s: float, caution: float
) -> None:
    to = risen(newest, least=least, moving_s=moving_s, caution=caution)
    assert to >= least
    assert to <= max(least, newest * (1 + 7 * caution) * (1 + 1e-12))
    assert risen(newest, least=least, moving_s=moving_s + 5, caution=caution) <= to
    assert risen(newest, least=least, moving_s=moving_s, caution=caution / 2) <= to


@given(units, units, st.floats(0, 600))
def test_what_is_no_surge_or_needs_no_raise_is_left_as_it_is(
    newest: float, least: float, moving_s: float
) -> None:
    assert risen(newest, least=least, moving_s=moving_s, is_surging=False) == least
    assert risen(newest, least=least, moving_s=moving_s, provisioned=least) == least
