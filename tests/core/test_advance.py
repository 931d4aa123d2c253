"""Laws of seconds passed in one call: nothing comes out that ticks would not have come to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.advance import Advance, advance, quiet_seconds
from capacity_pilot.core.braking import Braking
from capacity_pilot.core.coverage import NO_NEWS, ConsumedMinutes
from capacity_pilot.core.coverage.doubts import doubt_coverage
from capacity_pilot.core.demand import Arrivals
from capacity_pilot.core.events.schedule import NOTHING_COMING
from capacity_pilot.core.fleet import Floats, Ints
from capacity_pilot.core.forecast.upstream import (
    NO_SIGNALS,
    Hints,
    SignalArrivals,
    UpstreamState,
)
from capacity_pilot.core.forecast.upstream.bursts import BurstsState
from capacity_pilot.core.forecast.upstream.hints import respond
from capacity_pilot.core.forecast.upstream.pairs import PLACES
from capacity_pilot.core.forecast.upstream.response import MomentState
from capacity_pilot.core.forecast.upstream.signals import SignalState
from capacity_pilot.core.ladder import Rung
from capacity_pilot.core.tick import Decisions, Inputs, PilotState, tick
from tests.core.scenario import policy
from tests.core.test_tick_laws import START, described, fleet_of, histories, same, seeds, wander

TABLES, LENGTH = 5, 400
SIZE = 2 * TABLES
FLEET = fleet_of(TABLES)
RATES = np.array([20.0, 0.0])
RULES = policy(FLEET, stabilization_s=60.0, reserve_decreases=0.0)
HINTS = replace(Hints.none(SIZE), keys=np.ones((PLACES, SIZE)), lasts_s=np.array([30.0, 0.0]))
HINTS.signals[0, :4] = 0.0
HINTS.weights[:, 0, :2] = respond(0.5, 20.0)[:, None]
"""At the first signal, for some with what it brings; the others were never heard."""


@dataclass(frozen=True)
class History:
    """What comes in, second by second; CloudWatch counts ``unseen`` times what spans tell."""

    told: list[Arrivals]
    minutes: Floats
    unseen: float
    signals: list[SignalArrivals]

    @property
    def rates(self) -> Floats:
        return RATES if self.signals else RATES[:0]

    def news(self, second: int) -> ConsumedMinutes:
        minute, past = divmod(second, 60)
        if past != 5 or minute < 2:
            return NO_NEWS
        slots, of = np.arange(SIZE), np.full(SIZE, int(START) // 60 + minute - 2)
        return ConsumedMinutes(slots, of, self.unseen * self.minutes[minute - 2], np.zeros(SIZE))


def make_history(seed: int, unseen: float, *, has_signals: bool = False) -> History:
    """Spans that are seconds late and now and then a minute, silences, surges, throttles."""
    draw = np.random.default_rng(seed)
    units = wander(seed, LENGTH, SIZE)
    late_s = np.where(draw.random(units.shape) < 0.03, draw.integers(10, 90, units.shape), 0)
    due = np.arange(LENGTH)[:, None] + draw.integers(1, 8, units.shape) + late_s
    is_silent = (draw.random((LENGTH // 20, SIZE)) < 0.3).repeat(20, axis=0)
    is_silent[:160] = is_silent[220:] = False  # while one is not heard there are no runs
    refusals = units * (draw.random(units.shape) < 0.01)
    told = []
    for second in range(LENGTH):
        of, slots = np.nonzero((due == second) & ~is_silent)
        refused = refusals[of, slots]
        told.append(
            Arrivals(slots, int(START) + of, units[of, slots], refused, np.floor(refused / 2))
        )
    seen = np.where(is_silent, 0.0, units)[: LENGTH // 60 * 60]
    signals = make_signals(draw) if has_signals else []
    return History(told, seen.reshape(-1, 60, SIZE).sum(axis=1), unseen, signals)


def make_signals(draw: np.random.Generator) -> list[SignalArrivals]:
    """A route's requests and a push's messages, some seconds late; both may move, and fall silent
    for longer than a lost signal may.
    """
    counts = draw.poisson(RATES, (LENGTH, 2)).astype(np.float64)
    for moved in np.flatnonzero(draw.random(2) < 0.6).tolist():
        at = int(draw.integers(100, LENGTH))
        counts[at : at + 20, moved] += 200.0
    is_told = (counts > 0) & (draw.random(counts.shape) < 0.98)
    silent_from = int(draw.integers(200, 2 * LENGTH))
    is_told[silent_from : silent_from + 140] = False
    due = np.arange(LENGTH)[:, None] + draw.integers(1, 8, counts.shape)
    table_of = np.array([np.nan, float(FLEET.table_of[2])])
    signals = []
    for second in range(LENGTH):
        of, numbers = np.nonzero((due == second) & is_told)
        none = np.zeros(0, dtype=np.int64)
        signals.append(
            SignalArrivals(numbers, int(START) + of, counts[of, numbers], table_of, none)
        )
    return signals


def first_units(seed: int) -> Floats:
    """Too little for some, too much for others, and unknown for a table."""
    provisioned: Floats = np.ceil(10 ** np.random.default_rng(seed).uniform(0.5, 4, SIZE))
    provisioned[-2:] = np.nan
    return provisioned


def inputs(history: History, second: int, provisioned: Floats, arrivals: Arrivals) -> Inputs:
    return Inputs(
        arrivals,
        described(provisioned, START),
        RULES,
        np.linspace(5.0, 60.0, SIZE),
        FLEET.table_of,
        consumed=history.news(second),
        signals=history.signals[second] if history.signals else NO_SIGNALS,
        hints=HINTS,
    )


def follow(provisioned: Floats, decisions: Decisions) -> Floats:
    """The capacity that was decided on, in force at once."""
    return np.where(decisions.action == 0, provisioned, decisions.units)


def join(parts: list[Arrivals]) -> tuple[Arrivals, np.ndarray]:
    joined = Arrivals(*(np.concatenate(values) for values in zip(*parts, strict=True)))
    return joined, np.array([len(part.slots) for part in parts]).cumsum()


def join_signals(parts: list[SignalArrivals]) -> tuple[SignalArrivals, np.ndarray]:
    joined = parts[0]._replace(
        signals=np.concatenate([part.signals for part in parts]),
        seconds=np.concatenate([part.seconds for part in parts]),
        counts=np.concatenate([part.counts for part in parts]),
    )
    return joined, np.array([len(part.signals) for part in parts]).cumsum()


def knowing(rates: Floats) -> PilotState:
    """Nothing is remembered but how often signals are usually counted in a second."""
    state, size = PilotState.empty(SIZE, START), len(rates)
    signals = SignalState.empty(START, size)
    usual = rates[:, None]
    upstream = UpstreamState(
        replace(signals, usual=usual, variance=usual, duty=np.where(usual > 0, 0.9, 0.0)),
        BurstsState.empty(size),
        MomentState.empty(size),
        state.upstream.pairs,
    )
    return replace(state, upstream=upstream)


def tick_through(history: History, seed: int) -> list[tuple[PilotState, Decisions]]:
    state, provisioned, passed = knowing(history.rates), first_units(seed), []
    for second in range(LENGTH):
        given_in = inputs(history, second, provisioned, history.told[second])
        state, decisions = tick(state, given_in, START + second)
        provisioned = follow(provisioned, decisions)
        passed.append((state, decisions))
    return passed


def run_through(
    history: History, seed: int, longest: int
) -> Iterator[tuple[int, PilotState, Decisions]]:
    """By runs of up to so many seconds; after each, its last second and what it came to."""
    draw = np.random.default_rng(seed)
    state, provisioned, second = knowing(history.rates), first_units(seed), 0
    while second < LENGTH:
        until_news = (4 - second) % 60 + 1
        wanted = min(int(draw.integers(1, longest + 1)), until_news, LENGTH - second)
        arrivals, ends = join(history.told[second : second + wanted])
        given_in, now = inputs(history, second, provisioned, arrivals), START + second
        signals, signal_ends = given_in.signals, None
        if history.signals:
            signals, signal_ends = join_signals(history.signals[second : second + wanted])
        most = quiet_seconds(state, given_in._replace(signals=signals), now, wanted)
        # Those due later are handed over, too, and are to be told of again.
        ahead = given_in._replace(signals=signals)
        after = advance(state, ahead, ends[:most], now, signal_ends) if most else None
        if after is not None:
            state, decisions, passed = after.state, after.decisions, after.passed
        else:
            given_in = given_in._replace(arrivals=history.told[second])
            state, decisions = tick(state, given_in, now)
            passed = 1
        provisioned = follow(provisioned, decisions)
        second += passed
        yield second - 1, state, decisions


@histories
@given(
    seed=seeds,
    longest=st.integers(1, 40),
    unseen=st.sampled_from([1.0, 1.4]),
    has_signals=st.booleans(),
)
def test_seconds_passed_at_once_come_to_what_ticks_come_to(
    *, seed: int, longest: int, unseen: float, has_signals: bool
) -> None:
    history = make_history(seed, unseen, has_signals=has_signals)
    ticks = tick_through(history, seed)
    acted = {second for second, (_, decisions) in enumerate(ticks) if decisions.action.any()}
    ends = set()
    for second, state, decisions in run_through(history, seed, longest):
        assert same((state, decisions), ticks[second]), f"after second {second}"
        ends.add(second)
    assert acted
    assert acted <= ends, "a run went on past a change that was due"


@pytest.mark.parametrize(("seed", "has_signals"), [(3, False), (5, True)])
def test_a_history_of_runs_has_few_of_them(*, seed: int, has_signals: bool) -> None:
    """Else the law above would hold of nothing but runs of one second."""
    history = make_history(seed, 1.0, has_signals=has_signals)
    lengths = np.diff([second for second, *_ in run_through(history, seed, 40)])
    assert np.quantile(lengths, 0.9) >= 5
    assert lengths.max() >= 9


def steady(second: int, units: float) -> Arrivals:
    at, nothing = np.full(SIZE, int(START) + second), np.zeros(SIZE)
    return Arrivals(np.arange(SIZE), at, np.full(SIZE, units), nothing, nothing)


def warmed_up(seconds: int, rates: Floats = RATES[:0]) -> tuple[PilotState, Inputs]:
    """A fleet with ample capacity for a steady 100 units, and inputs without arrivals."""
    usual = Inputs(
        Arrivals.none(),
        described(np.full(SIZE, 150.0), START),
        RULES,
        np.full(SIZE, 30.0),
        FLEET.table_of,
    )
    state = knowing(rates)
    for second in range(seconds):
        state, _ = tick(state, usual._replace(arrivals=steady(second - 1, 100.0)), START + second)
    return state, usual


def heard(state: PilotState) -> PilotState:
    """The same with every target's spans heard for long enough."""
    ladder = replace(state.ladder, rung=np.zeros(SIZE, dtype=np.int64))
    return replace(state, ladder=ladder)


def test_a_run_ends_with_the_second_in_which_spans_are_lost() -> None:
    state, usual = warmed_up(112)
    usual = usual._replace(capacity=described(np.full(SIZE, 108.0), START))  # nothing to change
    silence = Arrivals.none()._replace(throttled=np.zeros(0))
    seconds = [steady(111 + n, 100.0) if n < 3 else silence for n in range(20)]
    arrivals, ends = join(seconds)
    after = advanced(state, usual._replace(arrivals=arrivals), ends, START + 112)
    assert 10 < after.passed < 20
    assert (after.state.ladder.rung == Rung.HOLD).all()
    for passed, told in enumerate(seconds[: after.passed]):
        assert not state.ladder.rung.any()
        state, _ = tick(state, usual._replace(arrivals=told), START + 112 + passed)
    assert same(after.state, state)


def test_a_run_ends_with_the_second_in_which_a_change_is_due() -> None:
    state, usual = warmed_up(112)
    seconds = [steady(111 + n, 100.0 if n < 3 else 5000.0) for n in range(8)]
    arrivals, ends = join(seconds)
    after = advanced(state, usual._replace(arrivals=arrivals), ends, START + 112)
    ticked, acts = state, False
    for passed, told in enumerate(seconds, 1):
        ticked, decisions = tick(ticked, usual._replace(arrivals=told), START + 111 + passed)
        acts = bool(decisions.action.any())
        if acts:
            break
    assert acts
    assert 3 < passed < len(seconds)
    assert after.passed == passed
    assert same(after.state, ticked)


def advanced(state: PilotState, told: Inputs, ends: Ints, now: float) -> Advance:
    after = advance(state, told, ends, now)
    assert after is not None
    return after


def count_route(second: int, requests: float) -> SignalArrivals:
    zero, at = np.zeros(1, dtype=np.int64), np.array([int(START) + second])
    return SignalArrivals(zero, at, np.array([requests]), np.array([np.nan]), zero[:0])


def test_a_run_ends_before_the_second_in_which_a_signal_begins_to_move() -> None:
    state, usual = warmed_up(112, RATES[:1])
    told = usual._replace(arrivals=steady(111, 100.0), signals=count_route(112, 20.0))
    state, _ = tick(state, told, START + 112)
    seconds = [steady(112 + n, 100.0) for n in range(20)]
    signals = [count_route(113 + n, 20.0 if n < 3 else 500.0) for n in range(20)]
    (arrivals, ends), (told_of, signal_ends) = join(seconds), join_signals(signals)
    told = usual._replace(arrivals=arrivals, signals=told_of)
    assert quiet_seconds(state, told, START + 113, 20) == 20
    after = advance(state, told, ends, START + 113, signal_ends)
    assert after is not None
    assert 3 < after.passed < 20
    ticked = state
    for passed in range(after.passed):
        told = usual._replace(arrivals=seconds[passed], signals=signals[passed])
        ticked, _ = tick(ticked, told, START + 113 + passed)
    assert same(after.state, ticked)
    assert after.state.upstream.signals.are_at_rest
    passed = after.passed
    arrivals, ends = join(seconds[passed:])
    told_of, signal_ends = join_signals(signals[passed:])
    told = usual._replace(arrivals=arrivals, signals=told_of)
    assert advance(after.state, told, ends, START + 113 + passed, signal_ends) is None


def led(second: int) -> tuple[Arrivals, SignalArrivals]:
    """A route's burst from second 118 on, and what it brings to the first two."""
    units = np.full(SIZE, 100.0)
    units[:2] += 20.0 * -np.expm1(-max(second - 117, 0) / 20.0)
    requests = count_route(second, 60.0 if second >= 118 else 20.0)
    return steady(second, 100.0)._replace(units=units), requests


def moving() -> tuple[PilotState, Inputs]:
    """Seconds into a route's burst, of which is hinted that it brings units to some."""
    state, usual = warmed_up(112, RATES[:1])
    provisioned = np.full(SIZE, 108.0)
    provisioned[:2] = 150.0
    hints = replace(HINTS, lasts_s=HINTS.lasts_s[:1])
    usual = usual._replace(hints=hints, capacity=described(provisioned, START))
    for second in range(112, 128):
        arrivals, signals = led(second - 1)
        told = usual._replace(arrivals=arrivals, signals=signals)
        state, _ = tick(state, told, START + second)
    assert not state.upstream.signals.are_at_rest
    return state, usual


def tell(
    of: Callable[[int], tuple[Arrivals, SignalArrivals]], first: int, seconds: int, usual: Inputs
) -> tuple[list[Inputs], Inputs, np.ndarray, np.ndarray]:
    """Inputs second by second, and those of a run: joined, with the ends of their seconds."""
    arrivals, signals = map(list, zip(*[of(first + n) for n in range(seconds)], strict=True))
    (all_arrivals, ends), (all_signals, signal_ends) = join(arrivals), join_signals(signals)
    by_second = [
        usual._replace(arrivals=a, signals=s) for a, s in zip(arrivals, signals, strict=True)
    ]
    return by_second, usual._replace(arrivals=all_arrivals, signals=all_signals), ends, signal_ends


def test_a_run_goes_on_while_a_signal_moves_and_hears_what_that_announces() -> None:
    state, usual = moving()
    seconds, told, ends, signal_ends = tell(led, 127, 20, usual)
    assert quiet_seconds(state, told, START + 128, 20) == 20
    after = advance(state, told, ends, START + 128, signal_ends)
    assert after is not None
    assert after.passed > 5
    for passed in range(after.passed):
        state, decisions = tick(state, seconds[passed], START + 128 + passed)
        assert decisions.upstream[0] > 110
    assert same((after.state, after.decisions), (state, decisions))


def flooded(second: int) -> tuple[Arrivals, SignalArrivals]:
    """A route's first burst from second 118 on, and a surge of the first two that climbs on."""
    units = np.full(SIZE, 100.0)
    units[:2] += 25.0 * max(second - 122, 0)
    requests = count_route(second, 60.0 if second >= 118 else 20.0)
    return steady(second, 100.0)._replace(units=units), requests


def test_a_run_reckons_with_a_surge_in_a_signals_first_burst_that_climbs_on() -> None:
    state, usual = warmed_up(112, RATES[:1])
    for second in range(112, 122):
        arrivals, signals = flooded(second - 1)
        state, _ = tick(state, usual._replace(arrivals=arrivals, signals=signals), START + second)
    assert not state.upstream.signals.are_at_rest
    seconds, told, ends, signal_ends = tell(flooded, 121, 20, usual)
    assert quiet_seconds(state, told, START + 122, 20) == 20
    after = advance(state, told, ends, START + 122, signal_ends)
    assert after is not None
    assert after.passed > 2
    upstream = state.upstream
    heard_of = replace(upstream, bursts=replace(upstream.bursts, bursts=np.ones((9, 1, 1))))
    unmoved = replace(state, upstream=heard_of)
    for passed in range(after.passed):
        state, decisions = tick(state, seconds[passed], START + 122 + passed)
        unmoved, without = tick(unmoved, seconds[passed], START + 122 + passed)
    assert same((after.state, after.decisions), (state, decisions))
    assert (decisions.units[:2] > 1.5 * without.units[:2]).all()


def test_a_run_leaves_what_it_was_given_as_it_was() -> None:
    state, usual = warmed_up(60)
    before = deepcopy(state)
    arrivals, ends = join([steady(59 + n, 100.0) for n in range(8)])
    advanced(state, usual._replace(arrivals=arrivals), ends, START + 60)
    assert same(state, before)
    state, usual = moving()
    before = deepcopy(state)
    _, told, ends, signal_ends = tell(led, 127, 8, usual)
    assert advance(state, told, ends, START + 128, signal_ends) is not None
    assert same(state, before)


def test_a_tick_leaves_what_it_was_given_as_it_was() -> None:
    state, usual = moving()
    before = deepcopy(state)
    arrivals, signals = led(127)
    told = usual._replace(arrivals=arrivals, signals=signals)
    after, _ = tick(state, told, START + 128)
    assert same(state, before)
    assert not same(after.upstream, before.upstream)


def test_what_only_a_tick_can_do_is_left_to_ticks() -> None:
    state, usual = warmed_up(1)
    now = START + 1
    nobody, nothing = np.zeros(SIZE, dtype=np.bool_), np.full(SIZE, np.nan)
    counted = ConsumedMinutes(
        np.array([0]), np.array([int(START) // 60]), np.array([1.0]), np.array([0.0])
    )
    number, table = np.zeros(1, dtype=np.int64), np.zeros(1)
    signals = SignalArrivals(number, number, np.ones(1), table_of=table, renewed=number)
    assert quiet_seconds(state, usual, now, 9) == 0, "nobody was heard for long enough"
    state = heard(state)
    assert quiet_seconds(state, usual, now, 9) == 9
    assert quiet_seconds(state, usual._replace(consumed=counted), now, 9) == 0
    assert quiet_seconds(state, usual._replace(signals=signals), now, 9) == 0
    braking = Braking(nobody, nobody, nothing, nobody)
    assert quiet_seconds(state, usual._replace(braking=braking), now, 9) == 0
    near = replace(NOTHING_COMING.over(SIZE), is_near=~nobody)
    assert quiet_seconds(state, usual._replace(schedule=near), now, 9) == 0
    used = replace(state, routes=replace(state.routes, is_used=~nobody))
    assert quiet_seconds(used, usual, now, 9) == 0


@pytest.mark.parametrize(("second", "quiet"), [(1, 110), (109, 2), (110, 1), (130, 1)])
def test_where_cloudwatch_is_read_a_run_ends_with_the_second_that_closes_a_minute(
    second: int, quiet: int
) -> None:
    """Its spans are all here 50 s after it is over."""
    state, usual = heard(PilotState.empty(SIZE, START)), warmed_up(0)[1]
    reading, now = usual._replace(consumed=NO_NEWS), START + second
    assert quiet_seconds(state, reading, now, 1000) == quiet
    assert quiet_seconds(state, reading, now, 1) == 1


@pytest.mark.parametrize(("lasts_s", "quiet"), [(110, 9), (111, 10)])
def test_a_minute_whose_close_ends_a_doubt_is_closed_by_a_tick(lasts_s: int, quiet: int) -> None:
    """A change of coverage is news for 600 s."""
    state, usual = heard(PilotState.empty(SIZE, START)), warmed_up(0)[1]
    coverage = replace(state.coverage, changed_at=np.full(SIZE, START + lasts_s - 600.0))
    coverage = replace(coverage, doubts=doubt_coverage(coverage, START + 101))
    state = replace(state, coverage=coverage)
    assert quiet_seconds(state, usual._replace(consumed=NO_NEWS), START + 101, 1000) == quiet
