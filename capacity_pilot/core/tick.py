"""One evaluation slot: what came in, what to expect, what is needed, what may be done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from capacity_pilot.core.braking import Braking, brake
from capacity_pilot.core.burst import BurstState, reckon_burst
from capacity_pilot.core.climbing import climb_on
from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.coverage import (
    ConsumedMinutes,
    CoverageState,
    correct,
    keep_minutes,
    learn_coverage,
)
from capacity_pilot.core.demand import Arrivals, DemandState, absorb, settled_until
from capacity_pilot.core.events.schedule import NOTHING_COMING, Schedule, provide_for
from capacity_pilot.core.fleet import ArrayState, Bools, Floats, Ints
from capacity_pilot.core.forecast import ForecastState, forecast
from capacity_pilot.core.forecast.quantiles import QuantileState, learn_quantiles
from capacity_pilot.core.forecast.recurrence import size_due
from capacity_pilot.core.forecast.upstream import (
    NO_SIGNALS,
    Hints,
    SignalArrivals,
    UpstreamState,
    find_doubtful,
    find_unheard,
    foresee,
    size_announced,
)
from capacity_pilot.core.guards import Situation, decide
from capacity_pilot.core.idle import Evidence, IdleState, Published, admit, bend, rest, watch_idle
from capacity_pilot.core.ladder import Heard, LadderState, step_ladder
from capacity_pilot.core.policy_arrays import PolicyArrays
from capacity_pilot.core.reasons import Reason, Reasons
from capacity_pilot.core.route_costs import RouteCosts, learn_costs, reckon
from capacity_pilot.core.settling import SettlingState, settle
from capacity_pilot.core.sizing import (
    REACTION_S,
    Bucket,
    provide,
    size_capacity,
    size_together,
)
from capacity_pilot.core.stabilization import StabilizationState, stabilize
from capacity_pilot.core.standing import Standing, bound_within, heed


@dataclass(frozen=True, slots=True)
class Capacity(ArrayState):
    """What DescribeTable last said, per slot, (n,).

    ``provisioned`` is NaN where nothing was read; ``is_changeable`` is false while the table or
    any index of it is changing. The rest as in ``guards``; without a ``standing`` everything may
    be done.
    """

    provisioned: Floats
    is_changeable: Bools
    decreases_today: Floats
    last_decrease_at: Floats
    described_at: Floats
    standing: Standing | None = None

    @classmethod
    def unknown(cls, size: int) -> Capacity:
        return cls(
            provisioned=np.full(size, np.nan),
            is_changeable=np.zeros(size, dtype=np.bool_),
            decreases_today=np.zeros(size),
            last_decrease_at=np.full(size, np.nan),
            described_at=np.zeros(size),
            standing=Standing.free(size),
        )


class Inputs(NamedTuple):
    """All a tick may know besides its state and ``now``.

    ``apply_time_s`` in seconds and ``table_of``, a number the slots of a table share, are (n,).
    ``schedule`` is what is known to come, ``signals`` what was told of upstream signals.
    ``consumed`` is CloudWatch's news, ``None`` where CloudWatch is not read; ``braking`` is what
    operators ordered, ``None`` where nothing. ``published`` is for which targets CloudWatch has
    told all there is, ``None`` where it was not asked. ``hints`` are what policies say of signals,
    ``None`` where they say nothing.
    """

    arrivals: Arrivals
    capacity: Capacity
    policy: PolicyArrays
    apply_time_s: Floats
    table_of: Ints
    schedule: Schedule = NOTHING_COMING
    consumed: ConsumedMinutes | None = None
    signals: SignalArrivals = NO_SIGNALS
    braking: Braking | None = None
    published: Published | None = None
    hints: Hints | None = None


@dataclass(frozen=True, slots=True)
class PilotState:
    """Everything remembered from tick to tick; arrays end in the slot axis."""

    demand: DemandState
    settling: SettlingState
    forecast: ForecastState
    burst: BurstState
    stabilization: StabilizationState
    coverage: CoverageState
    upstream: UpstreamState
    quantiles: QuantileState
    routes: RouteCosts
    ladder: LadderState
    idle: IdleState

    @classmethod
    def empty(cls, size: int, now: float) -> PilotState:
        return cls(
            demand=DemandState.empty(size, now),
            settling=SettlingState.empty(size, now),
            forecast=ForecastState.empty(size),
            burst=BurstState.empty(size),
            stabilization=StabilizationState.empty(size),
            coverage=CoverageState.empty(size, now),
            upstream=UpstreamState.empty(size, now),
            quantiles=QuantileState.empty(size, now),
            routes=RouteCosts.empty(size, now),
            ladder=LadderState.empty(size, now),
            idle=IdleState.empty(size),
        )


class Decisions(NamedTuple):
    """What every slot should have, and why; HOLD included. All (n,), units per second.

    ``action`` is +1 for scale-out, -1 for scale-in, 0 for hold. ``units`` is NaN where capacity
    is unknown, ``foreseen`` where no event is near, ``upstream`` where no signal announces demand.
    ``coverage`` is the share of units spans tell of, for which ``demand`` is corrected.
    """

    units: Floats
    action: npt.NDArray[np.int8]
    reasons: Reasons
    provisioned: Floats
    demand: Floats
    expected: Floats
    least: Floats
    sustained: Floats
    resting: Floats
    burst_units: Floats
    seconds_to_throttle: Floats
    foreseen: Floats
    coverage: Floats
    upstream: Floats


def tick(state: PilotState, inputs: Inputs, now: float) -> tuple[PilotState, Decisions]:
    """Decides for every slot. Pure: the same arguments give the same decisions."""
    capacity, policy = inputs.capacity, inputs.policy
    is_reading = inputs.consumed is not None
    coverage, known = learn_coverage(state.coverage, state.demand, inputs.consumed, now)
    routes, arrivals = reckon(state.routes, inputs.arrivals, inputs.signals)
    corrected = correct(coverage, arrivals)
    demand = absorb(known, corrected, now)
    coverage = keep_minutes(coverage, demand, arrivals, now) if is_reading else coverage
    ahead_s = inputs.apply_time_s + REACTION_S
    settling, news = settle(state.settling, demand, corrected, until=settled_until(demand, now))
    settled, unsettled_s = settling.settled, max(now - settling.settled, 0.0)
    forecasting, ahead = forecast(
        state.forecast, demand, news, settled=settled, ahead_s=ahead_s, now=now
    )
    quantiles = learn_quantiles(
        state.quantiles,
        demand,
        settled=settled,
        apply_time_s=inputs.apply_time_s,
        now=now,
    )
    signalled, announced = foresee(
        state.upstream,
        inputs.signals,
        demand,
        hints=inputs.hints,
        table_of=inputs.table_of,
        ahead_s=ahead_s,
        now=now,
    )
    if is_reading:
        routes, coverage = learn_costs(
            routes, signalled.signals, coverage, inputs.signals, table_of=inputs.table_of, now=now
        )
    burst = reckon_burst(state.burst, demand, news, capacity.provisioned)
    sizing = size_capacity(
        ahead,
        provisioned=capacity.provisioned,
        bucket=Bucket(burst.units, burst.keeps_s, policy.burst_reliance),
        caution=policy.caution,
        apply_time_s=inputs.apply_time_s,
        unsettled_s=unsettled_s,
    )
    if not signalled.signals.are_at_rest and np.count_nonzero(ahead.is_surging):
        sizing = climb_on(
            sizing,
            ahead,
            find_unheard(
                signalled.arrays,
                signalled.signals.watched,
                inputs.signals.table_of,
                inputs.table_of,
            ),
            provisioned=capacity.provisioned,
            caution=policy.caution,
            ahead_s=ahead_s,
            unsettled_s=unsettled_s,
        )
    idle, idling = watch_idle(
        state.idle,
        Evidence(demand, coverage, inputs.consumed, inputs.published),
        policy,
        provisioned=capacity.provisioned,
        now=now,
    )
    policy = bend(policy, idling)
    ahead, sizing = rest(idling, ahead, sizing, capacity.provisioned)
    upstream = None
    if len(announced.slots):
        upstream = size_announced(
            announced.slots,
            announced.course,
            announced.settled,
            capacity.provisioned,
            burst.units * policy.burst_reliance,
            ahead_s,
            now,
        )
        sizing = provide(sizing, upstream)
    due = size_due(
        forecasting.recurrence,
        trusted_units=burst.units * policy.burst_reliance,
        ahead_s=ahead_s,
        now=now,
    )
    if due is not None:
        sizing = provide(sizing, due)
    sizing = size_together(
        sizing, ahead, provisioned=capacity.provisioned, table_of=inputs.table_of
    )
    sizing = provide_for(sizing, inputs.schedule)
    ladder, footing = step_ladder(
        state.ladder,
        Heard(demand, coverage.minutes, inputs.consumed, signalled),
        policy,
        provisioned=capacity.provisioned,
        has_scaler=None if capacity.standing is None else capacity.standing.has_scaler,
        now=now,
    )
    if footing is not None:
        sizing = sizing._replace(least=np.fmax(sizing.least, footing.least))
    stabilization, stabilized = stabilize(
        state.stabilization,
        sizing.resting,
        is_known=ahead.is_fresh,  # seconds nobody told of are no evidence that demand was low
        window_s=policy.stabilization_s,
        now=now,
    )
    schedule = inputs.schedule.over(len(stabilized))
    floor, ceiling = bound_within(capacity.standing, floor=policy.floor, ceiling=policy.ceiling)
    situation = Situation(
        now=now,
        provisioned=capacity.provisioned,
        least=sizing.least,
        sustained=sizing.sustained,
        resting=sizing.resting,
        stabilized=stabilized,
        is_managed=policy.is_managed,
        floor=floor,
        ceiling=ceiling,
        is_fresh=ahead.is_fresh if footing is None else ahead.is_fresh & footing.is_heard,
        is_surging=ahead.is_surging,
        is_panicking=ahead.is_panicking,
        is_changeable=capacity.is_changeable,
        last_refused=demand.last_refused,
        decreases_today=capacity.decreases_today,
        last_decrease_at=capacity.last_decrease_at,
        described_at=capacity.described_at,
        reserve_decreases=policy.reserve_decreases,
        stabilization_s=policy.stabilization_s,
        schedule=schedule,
        coverage_doubts=coverage.doubts if is_reading else None,
    )
    situation = admit(idling, situation)
    draft = decide(situation)
    if inputs.braking is not None:
        draft = brake(inputs.braking, draft, situation)
    draft = heed(capacity.standing, draft, capacity.provisioned, now)
    reasons = draft.reasons if footing is None else draft.reasons | footing.reasons
    reasons = reasons if idling is None else reasons | idling.reasons
    reasons = tell_announced(
        reasons, upstream, signalled, capacity.provisioned, is_hinted=inputs.hints is not None
    )
    reasons = _tell_need(reasons, due, capacity.provisioned, Reason.RECURRING)
    decisions = Decisions(
        units=draft.units,
        action=compare_units(draft.units, capacity.provisioned),
        reasons=reasons,
        provisioned=capacity.provisioned,
        demand=ahead.level,
        expected=ahead.expected,
        least=sizing.least,
        sustained=sizing.sustained,
        resting=sizing.resting,
        burst_units=burst.units,
        seconds_to_throttle=sizing.seconds_to_throttle,
        foreseen=schedule.foreseen,
        coverage=coverage.coverage,
        upstream=announced.peak(len(draft.units)),
    )
    after = PilotState(
        demand=demand,
        settling=settling,
        forecast=forecasting,
        burst=burst,
        stabilization=stabilization,
        coverage=coverage,
        upstream=signalled,
        quantiles=quantiles,
        routes=routes,
        ladder=ladder,
        idle=idle,
    )
    return after, decisions


def tell_announced(
    reasons: Reasons,
    needed: Floats | None,
    upstream: UpstreamState,
    provisioned: Floats,
    *,
    is_hinted: bool,
) -> Reasons:
    """With the reasons for what signals announce: more is ``needed`` (n,), ``None`` for nowhere."""
    reasons = _tell_need(reasons, needed, provisioned, Reason.UPSTREAM)
    return _tell_hints(upstream, reasons) if is_hinted else reasons


def _tell_need(
    reasons: Reasons, needed: Floats | None, provisioned: Floats, reason: Reason
) -> Reasons:
    """With the ``reason`` where more is ``needed`` than there is, ``None`` for nowhere."""
    return reasons if needed is None else reasons | (needed > provisioned) * reason.value


def _tell_hints(upstream: UpstreamState, reasons: Reasons) -> Reasons:
    """What is announced by a policy's word alone, and where that turns out to be wrong."""
    hinted, refuted = find_doubtful(upstream.pairs, upstream.signals.running())
    by_hint = hinted & (reasons & Reason.UPSTREAM.value > 0)
    reasons = reasons ^ by_hint * (Reason.UPSTREAM | Reason.HINTED).value
    return reasons | refuted * Reason.HINT_REFUTED.value


@compiled
def compare_units(units: Floats, provisioned: Floats) -> npt.NDArray[np.int8]:
    """+1 where ``units`` are more, -1 where they are less."""
    action = np.zeros(len(units), dtype=np.int8)
    for slot in range(len(units)):
        action[slot] = int(units[slot] > provisioned[slot]) - int(units[slot] < provisioned[slot])
    return action
