"""Seconds on end in which nothing comes up that a tick would have to be made for.

``tick`` decides for one second, whatever may have come up in it. Between two things that come up
there are mostly seconds in which spans tell of demand, and nothing is to be changed. ``advance``
passes those in one call, by the very functions a tick is made of.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from capacity_pilot.core.burst import BurstState, empty_refused, pass_seconds, spend_late
from capacity_pilot.core.climbing import climb_slots
from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.coverage import correct, keep_minutes
from capacity_pilot.core.coverage.doubts import doubt_coverage
from capacity_pilot.core.coverage.minutes import next_close_at
from capacity_pilot.core.demand import LAG_BINS
from capacity_pilot.core.demand.absorbing import take_in
from capacity_pilot.core.demand.freshness import find_fresh
from capacity_pilot.core.events.schedule import NOTHING_COMING
from capacity_pilot.core.fleet import Bools, Floats, Ints
from capacity_pilot.core.forecast import (
    EXCESS,
    EXPECTED,
    FRESH,
    GROWN,
    LEVEL,
    MINUTE_AHEAD,
    NEWEST,
    PANICKING,
    RISE,
    SPIKE,
    SURGING,
    USUAL_AHEAD,
    look_ahead,
)
from capacity_pilot.core.forecast.learning import learn_seconds
from capacity_pilot.core.forecast.means import add_late
from capacity_pilot.core.forecast.members import WINDOW_S, Floats32
from capacity_pilot.core.forecast.quantiles import Turned, learn_windows
from capacity_pilot.core.forecast.recurrence import note_surges
from capacity_pilot.core.forecast.upstream import Announced, UpstreamState, are_heeded, heard_s
from capacity_pilot.core.forecast.upstream.announcing import announce, size_announced
from capacity_pilot.core.forecast.upstream.hints import said_to_last
from capacity_pilot.core.forecast.upstream.learning import DemandRings, learn_signals
from capacity_pilot.core.forecast.upstream.signals import place_counts, watch_seconds
from capacity_pilot.core.forecast.upstream.unheard import find_unheard
from capacity_pilot.core.guards import Draft, decide_slots
from capacity_pilot.core.ladder import Heard, step_ladder
from capacity_pilot.core.reasons import Reasons
from capacity_pilot.core.route_costs import learn_costs
from capacity_pilot.core.settling import SettlingState, find_late, take_up
from capacity_pilot.core.sizing import REACTION_S, raise_together, size_slots
from capacity_pilot.core.stabilization import StabilizationState, watch
from capacity_pilot.core.standing import bound_within, heed
from capacity_pilot.core.tick import Decisions, Inputs, PilotState, compare_units, tell_announced


@dataclass(frozen=True, slots=True)
class Advance:
    """``state`` and ``decisions`` as the tick of the last of the ``passed`` seconds leaves them."""

    state: PilotState
    decisions: Decisions
    passed: int


def quiet_seconds(state: PilotState, inputs: Inputs, now: float, most: int) -> int:
    """How many seconds from ``now`` on, of ``most``, may be passed in one call.

    None may, where the tick has something to do besides: CloudWatch's news, signals that are new or
    lost, events, surges that are due, brakes, targets that are not heard or idle. Where
    CloudWatch is read, a minute is closed by the last of them, or by a tick if that changes what
    coverage is doubted for.
    """
    if inputs.schedule is not NOTHING_COMING or inputs.braking is not None:
        return 0
    if not _are_signals_known(state, inputs) or np.count_nonzero(state.routes.is_used):
        return 0
    if not state.ladder.is_at_rest or not state.idle.is_at_rest or inputs.published is not None:
        return 0
    quiet_s = state.forecast.recurrence.quiet_s(inputs.apply_time_s + REACTION_S, now)
    if len(state.upstream.signals):
        quiet_s = min(quiet_s, heard_s(state.upstream, now, most))
    if inputs.consumed is not None:
        if len(inputs.consumed.slots):
            return 0
        until_close_s = max(np.ceil(next_close_at(state.coverage.minutes) - now), 0)
        if until_close_s < min(quiet_s, most):
            after = doubt_coverage(state.coverage, now + until_close_s)
            quiet_s = until_close_s + np.array_equal(after, state.coverage.doubts)
    return int(min(max(np.ceil(quiet_s), 0), most))


def _are_signals_known(state: PilotState, inputs: Inputs) -> bool:
    signals, told = state.upstream.signals, inputs.signals
    is_known = len(told.table_of) == len(signals) and not len(told.renewed)
    if not len(signals):
        return is_known
    return is_known and are_heeded(state.upstream.pairs, inputs.hints)


def advance(
    state: PilotState, inputs: Inputs, ends: Ints, now: float, signal_ends: Ints | None = None
) -> Advance | None:
    """What as many ticks would come to, from ``now`` on and one second apart.

    ``arrivals`` are those of all seconds, one after the other: of the first up to ``ends[0]``, and
    so on; and so are ``signals`` up to ``signal_ends``. Goes on to the last of them, to the first
    in which capacity is to be changed or spans of a target are lost, or, while all signals are at
    rest, to before the first in which one begins to move: ``None`` if that is the first. There must
    be as many ``quiet_seconds``.
    """
    capacity, policy = inputs.capacity, inputs.policy
    coverage = state.coverage
    told = correct(coverage, inputs.arrivals)
    floor, ceiling = bound_within(capacity.standing, floor=policy.floor, ceiling=policy.ceiling)
    size = len(capacity.provisioned)
    schedule = NOTHING_COMING.over(size)
    is_reading = inputs.consumed is not None
    demand, burst = state.demand.copy(), state.burst
    units, keeps_s, drawn = burst.units.copy(), burst.keeps_s.copy(), burst.drawn.copy()
    learned = state.forecast.copy()
    kept = state.stabilization
    peaks, ends_at, since = kept.peaks.copy(), kept.block_ends_at.copy(), kept.since.copy()
    last_refused = burst.last_refused.copy()
    upstream, signals_told = state.upstream, inputs.signals
    are_moving = not upstream.signals.are_at_rest
    # What is learned of signals is much, and changes only while one of them moves.
    upstream = upstream.copy() if are_moving else upstream.with_signals(upstream.signals.copy())
    recurrence, quantiles = learned.recurrence, state.quantiles.copy()
    (
        passed,
        head,
        settled,
        lag_s,
        known_until,
        turned,
        issued_at,
        ahead,
        sizes,
        drafted,
        reasons,
        watched,
        announced,
        needed,
        has_moved,
    ) = _advance(
        demand.units,
        demand.known,
        demand.last_seen,
        demand.mean_gap,
        demand.news_age,
        demand.last_refused,
        demand.lags,
        demand.head,
        state.settling.known_until,
        state.settling.settled,
        learned.sums,
        learned.weights,
        learned.noise,
        learned.excess.units,
        learned.excess.unseen,
        learned.excess.usual,
        learned.excess.spikes,
        learned.panic_until,
        recurrence.began,
        recurrence.heights,
        recurrence.count,
        recurrence.opened,
        recurrence.due,
        recurrence.foreseen,
        units,
        keeps_s,
        drawn,
        last_refused,
        peaks,
        ends_at,
        since,
        kept.window_s,
        kept.pause_before(now),
        *quantiles.parts,
        quantiles.current.issued_at,
        upstream.arrays,
        are_moving,
        signals_told.table_of,
        said_to_last(inputs.hints, len(upstream.signals)),
        told.slots,
        told.seconds,
        told.units,
        told.refusals,
        ends,
        signals_told.signals,
        signals_told.seconds,
        signals_told.counts,
        np.zeros_like(ends) if signal_ends is None else signal_ends,
        inputs.apply_time_s,
        inputs.table_of,
        capacity.provisioned,
        capacity.is_changeable,
        capacity.decreases_today,
        capacity.last_decrease_at,
        capacity.described_at,
        policy.is_managed,
        floor,
        ceiling,
        policy.caution,
        policy.burst_reliance,
        policy.stabilization_s,
        policy.reserve_decreases,
        schedule.is_near,
        schedule.is_frozen_in,
        schedule.is_frozen_out,
        schedule.reasons,
        coverage.doubts if is_reading else schedule.reasons,
        float(now),
    )
    if has_moved:
        # That second is a tick's. What it has begun to leave behind is given up with the copies.
        if not passed:
            return None
        return advance(state, inputs, ends[:passed], now, signal_ends)
    last = now + passed - 1
    demand = replace(demand, lag_s=lag_s, head=head)
    quantiles = quantiles.turned(turned, issued_at)
    routes, signals = state.routes, upstream.signals
    if len(signals):
        signals = replace(signals, head=max(int(last), signals.head), watched=watched)
        upstream = upstream.with_signals(signals)
    if is_reading:
        coverage = keep_minutes(coverage, demand, inputs.arrivals.until(ends[passed - 1]), last)
        routes, coverage = learn_costs(
            routes, signals, coverage, signals_told, table_of=inputs.table_of, now=last
        )
    # Only in the last second can a target be lost, and then its footing is that it is not fresh.
    heard = Heard(demand, coverage.minutes, inputs.consumed, upstream)
    ladder, _ = step_ladder(
        state.ladder,
        heard,
        policy,
        provisioned=capacity.provisioned,
        has_scaler=None,
        now=last,
    )
    draft = heed(capacity.standing, Draft(drafted, reasons), capacity.provisioned, last)
    reasons = tell_announced(
        draft.reasons, needed, upstream, capacity.provisioned, is_hinted=inputs.hints is not None
    )
    after = PilotState(
        demand=demand,
        settling=SettlingState(known_until, settled),
        forecast=learned,
        burst=BurstState(units, keeps_s, drawn, demand.last_refused),
        stabilization=StabilizationState(peaks, ends_at, since, policy.stabilization_s, last),
        coverage=coverage,
        upstream=upstream,
        quantiles=quantiles,
        routes=routes,
        ladder=ladder,
        idle=state.idle,
    )
    decisions = Decisions(
        units=draft.units,
        action=compare_units(draft.units, capacity.provisioned),
        reasons=reasons,
        provisioned=capacity.provisioned,
        demand=ahead[LEVEL],
        expected=ahead[EXPECTED],
        least=sizes[0],
        sustained=sizes[1],
        resting=sizes[2],
        burst_units=units,
        seconds_to_throttle=sizes[3],
        foreseen=schedule.foreseen,
        coverage=coverage.coverage,
        upstream=Announced(*announced, watched).peak(size),
    )
    return Advance(after, decisions, passed)


@compiled
def moves(units: Floats, provisioned: Floats) -> bool:
    """Whether any slot is to have other than it has; unknown is not other."""
    for slot in range(len(units)):
        if units[slot] > provisioned[slot] or units[slot] < provisioned[slot]:
            return True
    return False


@compiled
def _advance(  # noqa: PLR0913, PLR0915, PLR0917 - compiled code takes no dataclasses
    # What is remembered, in place: of demand,
    units: Floats,
    known: Bools,
    last_seen: Floats,
    mean_gap: Floats,
    news_age: Floats,
    last_refused: Floats,
    lags: Floats,
    head: int,
    # of settling and the forecast,
    known_until: Floats,
    settled: int,
    sums: Floats,
    weights: Floats,
    noise: Floats,
    excess: Floats,
    unseen: Floats,
    usual: Floats,
    spikes: Floats,
    panic_until: Floats,
    # of surges by the clock,
    surges_began: Floats,
    surge_heights: Floats32,
    surge_count: Ints,
    surge_opened: Floats,
    surge_due: Floats,
    foreseen: Floats,
    # of the bucket and of recommendations.
    bucket_units: Floats,
    keeps_s: Floats,
    drawn: Floats,
    refused_before: Floats,
    peaks: Floats,
    ends_at: Floats,
    since: Floats,
    watched_s: Floats,
    pause_s: float,
    # of quantiles: members,
    last: Floats,
    member_sums: Floats,
    member_weights: Floats,
    bins: Floats32,
    bin_sum: Floats,
    bin_count: Floats,
    number: int,
    has_yesterday: bool,  # noqa: FBT001 - compiled code takes no keywords
    # their calibration,
    margins: Floats,
    misses: Floats,
    miss_weights: Floats,
    losses: Floats,
    leader: Ints,
    # how they did,
    scored: Floats,
    scored_demand: Floats,
    exceeded: Floats,
    pinballs: Floats,
    led: Floats,
    # and what was forecast.
    filed_points: Floats32,
    filed_units: Floats32,
    spread: Floats,
    quantile_units: Floats,
    quantiles_ahead_s: Floats,
    window: int,
    issued_at: float,
    # Of signals: what they lead is only written to while one of them moves.
    upstream: UpstreamState,
    are_moving: bool,  # noqa: FBT001
    signal_table: Floats,
    lasts_s: Floats,
    # What is told, second by second up to ``ends``,
    slots: Ints,
    seconds: Ints,
    told: Floats,
    refusals: Floats,
    ends: Ints,
    # and of signals up to ``signal_ends``.
    signal_numbers: Ints,
    signal_seconds: Ints,
    signals_told: Floats,
    signal_ends: Ints,
    # What holds in all seconds.
    apply_time_s: Floats,
    table_of: Ints,
    provisioned: Floats,
    is_changeable: Bools,
    decreases_today: Floats,
    last_decrease_at: Floats,
    described_at: Floats,
    is_managed: Bools,
    floor: Floats,
    ceiling: Floats,
    caution: Floats,
    reliance: Floats,
    stabilization_s: Floats,
    reserve_decreases: Floats,
    is_near: Bools,
    is_frozen_in: Bools,
    is_frozen_out: Bools,
    schedule_reasons: Reasons,
    doubts: Reasons,
    now: float,
) -> tuple[
    int,
    int,
    int,
    int,
    Floats,
    Turned,
    float,
    Floats,
    Floats,
    Floats,
    Reasons,
    int,
    tuple[Ints, Floats],
    Floats,
    bool,
]:
    """Goes on to the second in which something is to be done or spans are lost, or, unless signals
    ``are_moving``, to before the one in which a signal begins to, which is then half done.

    Returns how many it passed, and what is remembered besides arrays.
    """
    size = len(provisioned)
    ahead_s = apply_time_s + REACTION_S
    drafted, reasons = np.empty(size), np.empty(size, dtype=np.int64)
    highest = np.empty(size)
    ahead, sizes = np.empty((0, size)), np.empty((0, size))
    begins, signals_begin, place = 0, 0, 0
    signals = upstream.signals
    watched, signal_head = signals.watched, signals.head
    announced = (np.zeros(0, dtype=np.int64), np.empty((0, 0)))
    needed = np.full(size, np.nan)
    has_moved = False
    while True:
        entries = slice(begins, ends[place])
        begins = ends[place]
        # What is known by now.
        moved_to = max(int(now), head)
        lag_s = take_in(
            units,
            known,
            last_seen,
            mean_gap,
            news_age,
            last_refused,
            lags,
            slots[entries],
            seconds[entries],
            told[entries],
            refusals[entries],
            head,
            moved_to,
            now,
        )
        head = moved_to
        settled_until = int(np.floor(now - lag_s)) - 1
        settled_before, settled = settled, max(settled_until, settled)
        known_before = known_until
        if len(signal_table):
            signals_now = slice(signals_begin, signal_ends[place])
            signals_begin = signal_ends[place]
            signal_before, signal_head = signal_head, max(int(now), signal_head)
            place_counts(
                signals.counts,
                signals.last_told,
                signal_numbers[signals_now],
                signal_seconds[signals_now],
                signals_told[signals_now],
                signal_before,
                signal_head,
            )
            if are_moving:
                rings = DemandRings(units, known, head)
                watched = learn_signals(
                    upstream, watched, settled_until, rings, signal_table, table_of
                )
                announced = announce(upstream, watched, lasts_s, ahead_s, now)
            else:
                watched = watch_seconds(signals, watched, settled_until, known)
                has_moved = not np.isnan(signals.began).all()
                if has_moved:
                    break
        has_late, known_until, taken, is_new, silent_s, before = take_up(
            known_before, known, seconds[entries], head, settled_before, settled
        )
        unsettled_s = max(now - settled, 0.0)
        horizon_s = ahead_s + unsettled_s
        if has_late:
            late_slots, late_units, ages_s = find_late(
                known_before, slots[entries], seconds[entries], told[entries]
            )
            if len(late_slots) > 0:
                add_late(sums, late_slots, late_units, ages_s)
                spend_late(bucket_units, late_slots, late_units)
        learn_seconds(
            sums,
            weights,
            noise,
            excess,
            unseen,
            usual,
            spikes,
            units,
            known,
            last_refused,
            head,
            taken,
            is_new,
            silent_s,
            before,
            horizon_s,
            foreseen,
        )
        ahead, flags = look_ahead(
            sums,
            weights,
            noise,
            excess,
            unseen,
            spikes,
            panic_until,
            units,
            last_seen,
            mean_gap,
            news_age,
            lag_s < LAG_BINS - 1,
            int(now) - settled_until,
            settled,
            head,
            horizon_s,
            now,
        )
        note_surges(
            surges_began,
            surge_heights,
            surge_count,
            surge_opened,
            surge_due,
            foreseen,
            ahead[LEVEL],
            ahead[MINUTE_AHEAD],
            flags[SURGING],
            flags[PANICKING],
            now,
        )
        pass_seconds(
            bucket_units, keeps_s, drawn, units, taken, is_new, silent_s, provisioned, last_refused
        )
        empty_refused(bucket_units, drawn, last_refused, refused_before)
        refused_before[:] = last_refused
        # What is to be done.
        sizes = size_slots(
            ahead[GROWN],
            ahead[EXPECTED],
            ahead[NEWEST],
            ahead[USUAL_AHEAD],
            ahead[MINUTE_AHEAD],
            ahead[RISE],
            ahead[SPIKE],
            ahead[EXCESS:],
            flags[SURGING],
            provisioned,
            bucket_units,
            keeps_s,
            reliance,
            caution,
            apply_time_s,
            unsettled_s,
        )
        if are_moving:
            if flags[SURGING].any():
                climb_slots(
                    sizes[0],
                    find_unheard(upstream, watched, signal_table, table_of),
                    ahead[NEWEST],
                    ahead[USUAL_AHEAD],
                    flags[SURGING],
                    provisioned,
                    caution,
                    unsettled_s + 2.0 * ahead_s,
                )
            slots_announced, course = announced
            needed = size_announced(
                slots_announced,
                course,
                watched,
                provisioned,
                bucket_units * reliance,
                ahead_s,
                now,
            )
            for row in range(3):
                sizes[row] = np.fmax(sizes[row], needed)
        raise_together(sizes[0], flags[SURGING], ahead[EXPECTED], provisioned, table_of)
        watch(
            peaks,
            ends_at,
            since,
            highest,
            sizes[2],
            flags[FRESH],
            stabilization_s,
            watched_s,
            now,
            pause_s,
        )
        watched_s, pause_s = stabilization_s, 0.0
        decide_slots(
            drafted,
            reasons,
            now,
            provisioned,
            sizes[0],
            sizes[1],
            sizes[2],
            highest,
            is_managed,
            floor,
            ceiling,
            flags[FRESH],
            flags[SURGING],
            flags[PANICKING],
            is_changeable,
            last_refused,
            decreases_today,
            last_decrease_at,
            described_at,
            reserve_decreases,
            stabilization_s,
            is_near,
            is_frozen_in,
            is_frozen_out,
            schedule_reasons,
            doubts,
        )
        if (settled + 1) // WINDOW_S - 1 > window:
            issued_at = now
            window, number, has_yesterday = learn_windows(
                last,
                member_sums,
                member_weights,
                bins,
                bin_sum,
                bin_count,
                number,
                has_yesterday,
                margins,
                misses,
                miss_weights,
                losses,
                leader,
                scored,
                scored_demand,
                exceeded,
                pinballs,
                led,
                filed_points,
                filed_units,
                spread,
                quantile_units,
                quantiles_ahead_s,
                window,
                units,
                known,
                head,
                settled,
                apply_time_s,
                now,
            )
        place += 1
        behind_s = int(now) - settled_until
        fresh = find_fresh(last_seen, mean_gap, news_age, behind_s, int(now))
        is_lost = (is_managed & ~fresh).any()
        if place == len(ends) or is_lost or moves(drafted, provisioned):
            break
        now += 1.0
    return (
        place,
        head,
        settled,
        lag_s,
        known_until,
        (window, number, has_yesterday),
        issued_at,
        ahead,
        sizes,
        drafted,
        reasons,
        watched,
        announced,
        needed,
        has_moved,
    )
