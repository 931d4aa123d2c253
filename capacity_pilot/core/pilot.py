"""The pilot without its hands: descriptions and samples in, decisions and plans out.

Holds what the pure functions need between calls. The daemon feeds it from AWS and OTLP, a
replay from its own world; neither clock nor I/O is in here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from capacity_pilot.core.account_quota import AccountQuota, AccountUse
from capacity_pilot.core.advance import advance, quiet_seconds
from capacity_pilot.core.apply_time import NEAR_WARM, ApplyTimes, Reach, learn_apply_time, reach_of
from capacity_pilot.core.blast_radius import MINUTE_S, Past, admit_switch, limit_blast
from capacity_pilot.core.brakes import NO_BRAKES, Brakes
from capacity_pilot.core.braking import Braking, spread_brakes
from capacity_pilot.core.coverage import CoverageState
from capacity_pilot.core.coverage.reading import Readings, Stand
from capacity_pilot.core.deeds import Deeds
from capacity_pilot.core.demand import Arrivals
from capacity_pilot.core.escape.escaped import Escape
from capacity_pilot.core.escape.switching import Switching
from capacity_pilot.core.escape.view import View
from capacity_pilot.core.escape.weighing import Seen
from capacity_pilot.core.events.lookout import EMPTY_AGENDA, Lookout
from capacity_pilot.core.fleet import Fleet, Floats, Ints, carry_over
from capacity_pilot.core.forecast.quantiles import QuantileState
from capacity_pilot.core.forecast.upstream import Hints, Lead, SignalArrivals, list_leads
from capacity_pilot.core.hint_arrays import StatedHints, number_hints
from capacity_pilot.core.idle import IdleState
from capacity_pilot.core.ladder import LadderState, Rung
from capacity_pilot.core.limits import NOTHING_RESERVED
from capacity_pilot.core.memory import PUT_BACK_S, Memory, state_after
from capacity_pilot.core.model import (
    AccountLimits,
    BillingMode,
    CapacityChange,
    ConsumedMinute,
    ConsumptionQuery,
    Dimension,
    Direction,
    Outcome,
    OutcomeKind,
    Plan,
    Resource,
    Sample,
    SampleKey,
    ScalableTarget,
    SignalKey,
    TableDescription,
)
from capacity_pilot.core.modes import Mode
from capacity_pilot.core.plan import NOTHING_WAITS, Waiting, plan_changes
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.core.policy_arrays import PolicyArrays
from capacity_pilot.core.ports import Agenda
from capacity_pilot.core.reasons import Reason
from capacity_pilot.core.reserved import keep_reserved
from capacity_pilot.core.route_costs import RouteCosts
from capacity_pilot.core.signal_names import MOST_SIGNALS, SignalNames, SignalsTold
from capacity_pilot.core.spread import Spread, find_change, spread
from capacity_pilot.core.standing import awaits_minimum, read_standing
from capacity_pilot.core.tick import Capacity, Decisions, Inputs, PilotState, tick

_GIVE_UP_S = 900.0
_NO_SIGNALS: Mapping[SignalKey, float] = MappingProxyType({})
_READ = int(Dimension.READ)  # samples have plain integers, which are compared a lot faster


@dataclass(frozen=True, slots=True)
class Step:
    """What one tick came to, or the last of as many as ``passed``.

    ``unmanaged`` counts samples of targets no policy covers.
    """

    fleet: Fleet
    decisions: Decisions
    plans: tuple[Plan, ...]
    unmanaged: int
    passed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A requested change that is in force, ``after_s`` seconds after it was requested; ``to`` is a
    switch's billing mode.
    """

    table: str
    changes: tuple[CapacityChange, ...]
    after_s: float
    to: BillingMode | None = None


@dataclass(frozen=True, slots=True)
class _Requested:
    changes: tuple[CapacityChange, ...]
    at: float
    to: BillingMode | None
    reach: Reach


class Pilot:
    """Keeps the fleet in step with what is described, and decides once per ``step``."""

    def __init__(
        self,
        policies: PolicySet,
        *,
        limits: AccountLimits,
        apply_time_s: float,
        now: float,
        cloudwatch_usd_per_month: float = 0.0,
        most_signals: int = MOST_SIGNALS,
        agenda: Agenda = EMPTY_AGENDA,
    ) -> None:
        self.lookout = Lookout(agenda, policy_number=policies.number_for, now=now)
        self.signals = SignalNames(most_signals)
        self.deeds = Deeds()
        self.switching = Switching()
        self._quota = AccountQuota(limits)
        self._initial_apply_time_s = apply_time_s
        self._descriptions: dict[str, TableDescription] = {}
        self._requested: dict[str, _Requested] = {}
        self._in_flight: set[str] = set()
        self._fleet = Fleet(())
        self._table_of = self._fleet.table_of
        self._state = PilotState.empty(0, now)
        self._apply_times = ApplyTimes.expecting(0, apply_time_s)
        self._apply_time_s: Floats | None = None  # not since what it hangs on has changed
        self._spread = spread(policies, self._fleet, limits)
        self._hints: tuple[StatedHints | None, Floats, Hints | None] = (None, np.zeros(0), None)
        self._capacity = Capacity.unknown(0)
        self._is_capacity_given = False  # a tick keeps what it was given: written to as a copy
        self._unread: set[str] = set()
        self._overtaken: dict[str, Mode] = {}
        self._is_fleet_stale = False
        self._ticked_at = now
        self._readings = Readings(cloudwatch_usd_per_month, now)
        self._reasons = np.zeros(0, dtype=np.int64)
        self._brakes = NO_BRAKES
        self._braking: tuple[Brakes, Fleet, Braking | None] = (NO_BRAKES, self._fleet, None)

    @property
    def state(self) -> PilotState:
        """What is remembered since the last step, by slot."""
        return self._state

    @property
    def capacity(self) -> Capacity:
        """What the tables were last described as, by slot; not to be written to."""
        return self._capacity

    @property
    def bounds(self) -> PolicyArrays:
        """What the policies say, by slot."""
        return self._spread.by_slot

    @property
    def apply_time_s(self) -> Floats:
        """Seconds within which nearly all changes are in force, (n,)."""
        if self._apply_time_s is None:
            warm = np.nan if (standing := self._capacity.standing) is None else standing.warm
            is_near_warm = self._capacity.provisioned > NEAR_WARM * warm  # false for NaN
            self._apply_time_s = self._apply_times.high_s(is_near_warm)
        return self._apply_time_s

    @property
    def brakes(self) -> Brakes:
        """What operators have ordered."""
        return self._brakes

    @property
    def coverage(self) -> CoverageState:
        """What the last step knew of coverage, by slot."""
        return self._state.coverage

    @property
    def routes(self) -> RouteCosts:
        """What requests of routes cost, by slot."""
        return self._state.routes

    @property
    def ladder(self) -> LadderState:
        """How much was heard of each target by the last step, by slot."""
        return self._state.ladder

    @property
    def idle(self) -> IdleState:
        """Who was known to be idle by the last step, by slot."""
        return self._state.idle

    def rungs(self) -> dict[ScalableTarget, Rung]:
        """Where each target that is the pilot's stands."""
        slots = np.flatnonzero(self._spread.by_slot.is_managed)
        stand = self._state.ladder.rung[slots]
        return {
            self._fleet.target(n): Rung(r)
            for n, r in zip(slots.tolist(), stand.tolist(), strict=True)
        }

    def is_handed_back(self, target: ScalableTarget) -> bool:
        """True while nothing has been known of a target for longer than its policy bears."""
        slot = self._fleet.slot(target.resource, target.dimension)
        return slot is not None and self._state.ladder.rung[slot] == Rung.HAND_BACK

    @property
    def fleet(self) -> Fleet:
        return self._fleet

    @property
    def descriptions(self) -> Mapping[str, TableDescription]:
        """The managed tables as last described."""
        return self._descriptions

    @property
    def resources(self) -> tuple[Resource, ...]:
        """Those of the managed tables, as last described."""
        return tuple(r.resource for d in self._descriptions.values() for r in d.resources)

    @property
    def described_at(self) -> float | None:
        """As of when any table was last read, Unix seconds, ``None`` for never."""
        return max((d.described_at for d in self._descriptions.values()), default=None)

    @property
    def policies(self) -> PolicySet:
        return self._spread.policies

    @property
    def limits(self) -> AccountLimits:
        return self._quota.limits

    @property
    def quantiles(self) -> QuantileState:
        """What is forecast of the fleet's demand, and how true that was; arrays by its slots."""
        return self._state.quantiles

    @property
    def leads(self) -> list[Lead]:
        """What has been learned of upstream signals; their numbers are those of ``signals``."""
        return list_leads(self._state.upstream)

    def covers(self, table: str) -> bool:
        """True if a policy that is not off applies to a table of this name."""
        return self.mode_for(table) is not Mode.OFF

    def mode_for(self, table: str) -> Mode:
        """What the table's policy asks for; off where there is none."""
        return self.policies.mode_for(table)

    def is_changing(self, table: str) -> bool:
        """True while a change of ours is requested and not yet seen in force."""
        return table in self._requested

    def is_in_motion(self, table: str) -> bool:
        """True if a reading of the table is outdated soon: it changes, or is about to."""
        description, policy = self._descriptions.get(table), self.policies.policy_for(table)
        if description is None or policy is None or not description.is_in_service:
            return False
        is_settled = description.is_settled and not self.is_changing(table)
        return not is_settled or awaits_minimum(description, policy)

    @property
    def changing(self) -> tuple[str, ...]:
        """The tables of which ``is_changing`` is true."""
        return tuple(self._requested)

    @property
    def gives_up_at(self) -> float:
        """When the oldest change of ours is waited for no longer, inf for none."""
        oldest = min((requested.at for requested in self._requested.values()), default=np.inf)
        return oldest + _GIVE_UP_S

    def observe(self, description: TableDescription) -> Applied | None:
        """Takes a table as it is now; says so if a change of ours came into force.

        Tables no policy covers, and on-demand ones that are so by nobody's doing here, have no
        slots.
        """
        table = description.table
        self.switching.see(description)
        is_on_demand = description.billing_mode is BillingMode.PAY_PER_REQUEST
        if (is_on_demand and not self.has_escaped(table)) or not self.covers(table):
            self._drop(table)
            return None
        before = self._descriptions.get(table)
        if before is not None and before.described_at > description.described_at:
            return None  # a slower answer to an earlier question
        self._descriptions[table] = description
        was_unread = table in self._unread
        self._unread.discard(table)
        if before is None or _resources(before) != _resources(description):
            self._is_fleet_stale = True
        was_changing = table in self._requested
        applied = self._settle(description)
        if self._is_fleet_stale:
            return applied
        if before is not None and not was_unread and was_changing == (table in self._requested):
            is_news = replace(before, described_at=description.described_at) != description
        else:
            is_news = True
        if is_news:
            self._read_capacity(description)
        else:
            self._note_described(description)
        return applied

    def has_escaped(self, table: str) -> bool:
        """True of a table that is this pilot's while it is on-demand."""
        return self.switching.owns(table) and self.may_escape(table)

    def may_escape(self, table: str) -> bool:
        """True of a table whose policy lets it be switched to on-demand."""
        policy = self.policies.policy_for(table)
        return policy is not None and policy.on_demand_escape is not None

    def forget(self, table: str) -> None:
        """The table is gone."""
        self.switching.forget(table)
        self._drop(table)

    def _drop(self, table: str) -> None:
        """The table is no longer ours to drive."""
        if self._descriptions.pop(table, None) is not None:
            self._is_fleet_stale = True
        self._requested.pop(table, None)
        self._unread.discard(table)
        self.deeds.forget(table)

    def remember(self, now: float) -> Memory:
        """What was learned so far; nothing in it changes later."""
        return Memory(
            taken_at=now,
            fleet=self._fleet,
            state=self._state,
            apply_times=self._apply_times,
            signals=self.signals.remember(),
            gains=dict(self.lookout.state.gains),
            watches=self.lookout.notes,
        )

    def recall(self, memory: Memory, now: float) -> None:
        """Takes up what an earlier pilot learned; whose tables are still there is seen later."""
        fleet = memory.fleet
        self._state, self._apply_times = state_after(memory, now), memory.apply_times
        self._apply_time_s = None
        self._spread = spread(self.policies, fleet, self._quota.limits)
        self._capacity, self._is_capacity_given = Capacity.unknown(len(fleet)), False
        self._reasons = np.zeros(len(fleet), dtype=np.int64)
        self._readings.refit(old=self._fleet, new=fleet, now=now)
        self.signals.recall(memory.signals)
        self.lookout.recall(fleet, memory.gains, memory.watches, now)
        self._fleet, self._table_of = fleet, fleet.table_of
        self._is_fleet_stale = True

    def resume(
        self,
        table: str,
        changes: tuple[CapacityChange, ...],
        at: float,
        to: BillingMode | None = None,
    ) -> None:
        """A change that an earlier pilot requested then is still under way."""
        self._note_requested(table, changes, at, to)
        self._reread(table)

    def recall_switches(self, table: str, times: Iterable[float], escape: Escape | None) -> None:
        """When earlier pilots switched a table to on-demand, and what it is to come back to."""
        self.switching.recall(table, times, escape)

    def give_up(self, now: float) -> None:
        """Nothing has been known of any target for longer than its policy bears."""
        self.fit(now)
        ladder = self._state.ladder
        last = np.full_like(ladder.rung, Rung.HAND_BACK)
        self._state = replace(self._state, ladder=replace(ladder, rung=last))

    def heed(self, brakes: Brakes) -> None:
        """What operators have ordered, in place of all that they had before."""
        self._brakes = brakes

    def obey(self, limits: AccountLimits) -> None:
        """AWS's quotas, in place of those known before."""
        self._quota.limits = limits
        self._is_fleet_stale = True  # the policies' maxima are cut to them

    def adopt(self, ready: Spread, now: float) -> tuple[str, ...]:
        """Puts other policies in force, as a whole; the agenda has to be theirs by now.

        What was learned stays, of tables that are the pilot's before and after. A table that is
        driven in another way than before is left as it is until it was read again, since another
        gateway shows it: these are named. Least is left to do where ``ready`` is spread over the
        fleet that its policies make of ``resources``.
        """
        change = find_change(self.policies, ready.policies, self._descriptions)
        self._spread = ready
        for table in change.gone:
            self._drop(table)
        for table, was in change.moved.items():
            self._change_way(table, was)
        self.lookout.adopt(ready.policies.number_for, now)
        if self._is_fleet_stale or ready.fleet != self._fleet or ready.limits != self.limits:
            self._refit(now)
        else:
            self._refit_switching()
            for table in change.edited:
                self._read_capacity(self._descriptions[table])
        return tuple(change.moved)

    def _change_way(self, table: str, was: Mode) -> None:
        self._unread.add(table)
        if table in self._in_flight:
            self._overtaken[table] = was
        if was is Mode.SHADOW:
            self._requested.pop(table, None)  # was only imagined
            self.switching.forget(table)

    def weigh_account(self, now: float) -> tuple[AccountUse, AccountUse]:
        """What the account has of its quota, reads and writes."""
        return self._quota.use(self._commit(), now)

    def begin(self, plan: Plan) -> None:
        """A plan is on its way: until ``finish`` no other is made for the table."""
        self._in_flight.add(plan.table)
        self.deeds.begin(plan, self._descriptions.get(plan.table))
        self._reread(plan.table)

    def finish(self, table: str, outcome: Outcome | None) -> None:
        """The plan came to ``outcome``; ``None`` when it was certainly not sent."""
        self._in_flight.discard(table)
        self.deeds.finish(table, outcome)
        was = self._overtaken.pop(table, None)
        if was is Mode.SHADOW:
            outcome = None  # nothing was sent, and what was imagined is not so
        if outcome is not None:
            self.switching.finish(outcome)
            if outcome.before is not None and was is None:
                self.observe(outcome.before)
            if outcome.reserved is not None:
                self._quota.note(outcome.reserved, self._commit(), outcome.ended_at)
            if outcome.kind in (OutcomeKind.REQUESTED, OutcomeKind.UNKNOWN):
                self._note_requested(table, outcome.sent, outcome.ended_at, outcome.plan.to)
        self._reread(table)

    def _note_requested(
        self, table: str, changes: tuple[CapacityChange, ...], at: float, to: BillingMode | None
    ) -> None:
        reach = reach_of(changes, self._descriptions.get(table))
        self._requested[table] = _Requested(changes, at, to, reach)

    def choose_readings(self, now: float) -> tuple[ConsumptionQuery, ...]:
        """Whose minutes to ask CloudWatch for now, if any; they count as asked for."""
        policy, state = self._spread.by_slot, self._state
        stand = Stand(
            held=self._reasons,
            is_managed=policy.is_managed,
            has_idle_rule=policy.has_idle_rule,
            is_lowered=state.idle.is_lowered,
        )
        return self._readings.choose(self._fleet, state.coverage, state.demand, stand, now)

    def note_consumed(self, minutes: Iterable[ConsumedMinute]) -> None:
        """What CloudWatch answered; the next step takes it in."""
        self._readings.note(minutes)

    def step(
        self,
        samples: Mapping[SampleKey, Sample],
        now: float,
        *,
        signals: Mapping[SignalKey, float] = _NO_SIGNALS,
        waiting: Waiting = NOTHING_WAITS,
    ) -> Step:
        """One tick over the whole fleet; ``signals`` are counts of upstream signals, ``waiting``
        what will not be sent now.
        """
        self.fit(now)
        arrivals, unmanaged = self._address(samples)
        return self.decide(arrivals, now, signals=signals, unmanaged=unmanaged, waiting=waiting)

    def fit(self, now: float) -> Fleet:
        """The fleet as last described: whose slots ``decide`` is to be told by."""
        if self._is_fleet_stale:
            self._refit(now)
        return self._fleet

    def decide(
        self,
        arrivals: Arrivals,
        now: float,
        *,
        signals: Mapping[SignalKey, float] = _NO_SIGNALS,
        unmanaged: int = 0,
        waiting: Waiting = NOTHING_WAITS,
    ) -> Step:
        """One tick by slots of the fleet that ``fit`` returned, without any names."""
        told = SignalsTold.of(signals)
        return self.decide_ahead(
            arrivals,
            np.array([len(arrivals.slots)]),
            now,
            signals=told,
            signal_ends=np.array([len(told.columns)]),
            unmanaged=unmanaged,
            waiting=waiting,
        )

    def decide_ahead(
        self,
        arrivals: Arrivals,
        ends: Ints,
        now: float,
        *,
        signals: SignalsTold,
        signal_ends: Ints,
        unmanaged: int = 0,
        waiting: Waiting = NOTHING_WAITS,
    ) -> Step:
        """Ticks of as many seconds as there are ``ends``, or fewer: at least one.

        Goes on from ``now`` while nothing else comes up than ``arrivals``, which are those of the
        first second up to ``ends[0]``, and so on, and ``signals`` up to ``signal_ends``.
        """
        if now < self._ticked_at - PUT_BACK_S:
            self._put_back(now)
        seconds = self.signals.count_seconds(signals, signal_ends, now)
        inputs = self._gather(arrivals, signals.until(signal_ends[seconds - 1]), now)
        most = self._may_pass(inputs, seconds, now)
        after = advance(self._state, inputs, ends[:most], now, signal_ends) if most else None
        if after is not None:
            self._state, decisions, passed = after.state, after.decisions, after.passed
        else:
            inputs = inputs._replace(
                arrivals=arrivals.until(ends[0]), signals=inputs.signals.until(signal_ends[0])
            )
            self._state, decisions = tick(self._state, inputs, now)
            passed = 1
        self._ticked_at = last = now + passed - 1
        self.lookout.learn(self._state.demand, last)
        if self._spread.radius is not None:
            past = self._recall_past(waiting, last)
            decisions = limit_blast(self._spread.radius, decisions, past)
        if (reserved := self.policies.reserved) != NOTHING_RESERVED:
            decisions = keep_reserved(reserved, decisions, self._commit())
        if np.count_nonzero(decisions.action > 0):
            decisions = self._quota.hold(
                self._fleet, decisions, self._commit(), waiting=waiting, now=last
            )
        plans = plan_changes(self._fleet, decisions, last, waiting=waiting)
        if not self.switching.is_idle:
            decisions, plans = self._switch(decisions, plans, inputs, waiting, last)
        self._reasons = decisions.reasons
        return Step(self._fleet, decisions, plans, unmanaged, passed)

    def _switch(
        self,
        decisions: Decisions,
        plans: tuple[Plan, ...],
        inputs: Inputs,
        waiting: Waiting,
        now: float,
    ) -> tuple[Decisions, tuple[Plan, ...]]:
        """With the switches of billing modes that are due."""
        past = self._recall_past(waiting, now)
        past = replace(past, changed={**past.changed, **{p.table: p.direction for p in plans}})
        radius = self._spread.radius

        def admit(table: str, direction: Direction, more_usd: float) -> Reason:
            if radius is None:
                return Reason.STEADY
            return admit_switch(radius, past, table, direction, more_usd)

        return self.switching.decide(
            View(
                now=now,
                seen=Seen(
                    self._fleet,
                    decisions,
                    self.bounds,
                    self._state.ladder.rung,
                    self.apply_time_s,
                ),
                plans=plans,
                descriptions=self._descriptions,
                capacity=inputs.capacity,
                schedule=inputs.schedule.over(len(self._fleet)),
                braking=inputs.braking,
                waiting=waiting,
                limits=self._quota.limits,
                account_left=self._quota.left(past.committed, now),
                admit=admit,
            )
        )

    def _address_hints(self, signals: SignalArrivals) -> Hints | None:
        """Made anew only when policies, fleet or the signals that have numbers are others."""
        stated, numbered, hints = self._hints
        if stated is not self._spread.hints or numbered is not signals.table_of:
            stated = self._spread.hints
            hints = None if stated is None else number_hints(stated, self.signals)
            self._hints = (stated, signals.table_of, hints)
        return hints

    def _gather(self, arrivals: Arrivals, signals: SignalsTold, now: float) -> Inputs:
        self._is_capacity_given = True
        stated = self._spread.hints
        self.signals.keep(frozenset() if stated is None else stated.names)
        numbered = self.signals.address(signals, self._fleet, now)
        return Inputs(
            arrivals=arrivals,
            capacity=self._capacity,
            policy=self._spread.by_slot,
            apply_time_s=self.apply_time_s,
            table_of=self._table_of,
            consumed=self._readings.take(self._fleet),
            published=self._readings.take_published(self._fleet),
            signals=numbered,
            hints=self._address_hints(numbered),
            schedule=self.lookout.look(
                self._state.demand,
                now,
                apply_time_s=self.apply_time_s,
                burst_units=self._state.burst.units * self._spread.by_slot.burst_reliance,
            ),
            braking=self._brake(now),
        )

    def _may_pass(self, inputs: Inputs, seconds: int, now: float) -> int:
        """How many of so many ``seconds`` need no tick by themselves, if more than one."""
        if seconds <= 1 or not self.switching.is_idle:
            return 0
        quiet = quiet_seconds(self._state, inputs, now, seconds)
        if quiet <= 1 or not self.lookout.is_idle(now, now + quiet - 1, self.apply_time_s):
            return 0
        return quiet

    def _put_back(self, now: float) -> None:
        """The clock was: what happened at times that are yet to come has happened by now."""
        self._state = state_after(self.remember(self._ticked_at), now)
        for table, description in self._descriptions.items():
            described_at = min(description.described_at, now)
            self._descriptions[table] = replace(description, described_at=described_at)
        for table, requested in self._requested.items():
            self._requested[table] = replace(requested, at=min(requested.at, now))

    def _recall_past(self, waiting: Waiting, now: float) -> Past:
        """What was changed lately, and what is provisioned once all that is under way is."""
        changed = self.deeds.changed_since(now - MINUTE_S)
        return Past(
            changed=changed,
            committed=self._commit(),
            waiting=waiting,
            on_demand_usd=self.switching.usd_per_hour,
        )

    def _commit(self) -> Floats:
        """What is provisioned once all that is under way is, (n,)."""
        committed = self._capacity.provisioned.copy()
        changes = [c for requested in self._requested.values() for c in requested.changes]
        for table in self._in_flight:
            deed = self.deeds.last(table)
            changes += () if deed is None else deed.plan.changes
        for change in changes:
            for dimension, units in zip(Dimension, (change.read, change.write), strict=True):
                slot = self._fleet.slot(change.resource, dimension)
                if slot is not None:
                    committed[slot] = np.fmax(committed[slot], units)
        return committed

    def _brake(self, now: float) -> Braking | None:
        """The brakes in force by slot; made anew only when they or the fleet have changed."""
        in_force = self._brakes = self._brakes.in_force(now)
        brakes, fleet, braking = self._braking
        if in_force is not brakes or self._fleet is not fleet:
            braking = spread_brakes(in_force, self._fleet)
            self._braking = (in_force, self._fleet, braking)
        return braking

    def _address(self, samples: Mapping[SampleKey, Sample]) -> tuple[Arrivals, int]:
        """Samples by name to arrivals by slot; those without a slot are counted."""
        first_slot = self._fleet.first_slot
        slots, seconds, placed = [], [], []
        for (table, index, dimension, second), sample in samples.items():
            first = first_slot(table, index)
            if first is None and dimension == _READ:
                # An index that DescribeTable does not list among the global ones is a local one,
                # read at its table's expense. A span that states only a total cannot say so.
                first = first_slot(table, "")
            if first is not None:
                slots.append(first + dimension)
                seconds.append(second)
                placed.append(sample)
        arrivals = Arrivals(
            np.array(slots, dtype=np.int64),
            np.array(seconds, dtype=np.int64),
            np.array([sample.units for sample in placed], dtype=np.float64),
            np.array([sample.refusals for sample in placed], dtype=np.float64),
            np.array([sample.throttled for sample in placed], dtype=np.float64),
        )
        return arrivals, len(samples) - len(placed)

    def _settle(self, description: TableDescription) -> Applied | None:
        """Closes a requested change once it is in force, and learns how long it took."""
        table = description.table
        requested = self._requested.get(table)
        if requested is None or description.described_at <= requested.at:
            return None
        took_s = description.described_at - requested.at
        units = {r.resource: (r.read, r.write) for r in description.resources}
        in_force = all(units.get(c.resource) == (c.read, c.write) for c in requested.changes)
        if requested.to is not None:
            in_force = description.billing_mode is requested.to
        if description.is_settled and in_force:
            del self._requested[table]
            if requested.to is not None:
                # How long switches take says nothing of changes.
                return self._note_in_force(table, requested, took_s)
            slots = [
                slot + d
                for c in requested.changes
                if (slot := self._fleet.slot(c.resource, Dimension.READ)) is not None
                for d in Dimension
            ]
            # One call covers the table and its indexes, and they wait for each other.
            self._apply_times = learn_apply_time(
                self._apply_times, np.array(slots, dtype=np.int64), took_s, requested.reach
            )
            self._apply_time_s = None
            return self._note_in_force(table, requested, took_s)
        if description.is_settled or took_s > _GIVE_UP_S:
            # Settled on something else: overtaken by a third party, or never taken.
            del self._requested[table]
        return None

    def _note_in_force(self, table: str, requested: _Requested, took_s: float) -> Applied:
        self.deeds.note_in_force(table, took_s)
        return Applied(table=table, changes=requested.changes, after_s=took_s, to=requested.to)

    def _refit(self, now: float) -> None:
        old = self._fleet
        new = Fleet.of(self.resources)
        size = len(new)
        self._state = carry_over(self._state, fresh=PilotState.empty(size, now), old=old, new=new)
        expecting = ApplyTimes.expecting(size, self._initial_apply_time_s)
        self._apply_times = carry_over(self._apply_times, fresh=expecting, old=old, new=new)
        self._apply_time_s = None
        if self._spread.fleet != new or self._spread.limits != self._quota.limits:
            self._spread = spread(self.policies, new, self._quota.limits)
        self._capacity, self._is_capacity_given = Capacity.unknown(size), False
        self._readings.refit(old=old, new=new, now=now)
        self.lookout.refit(new)
        self._fleet, self._table_of = new, new.table_of
        self._refit_switching()
        self._is_fleet_stale = False
        for description in self._descriptions.values():
            self._read_capacity(description)

    def _refit_switching(self) -> None:
        self.switching.refit(self._fleet, self.bounds, self.policies.policy_for)

    def _reread(self, table: str) -> None:
        description = self._descriptions.get(table)
        if description is not None and not self._is_fleet_stale:
            self._read_capacity(description)

    def _read_capacity(self, description: TableDescription) -> None:
        table = description.table
        is_changeable = (
            description.is_settled
            and table not in self._in_flight
            and table not in self._requested
            and table not in self._unread
        )
        is_on_demand = description.billing_mode is BillingMode.PAY_PER_REQUEST  # without capacity
        capacity = self._write_capacity()
        for r in description.resources:
            slot = self._fleet.slot(r.resource, Dimension.READ)
            if slot is None:
                continue
            pair = slice(slot, slot + 2)
            capacity.provisioned[pair] = (np.nan, np.nan) if is_on_demand else (r.read, r.write)
            capacity.is_changeable[pair] = is_changeable
            capacity.decreases_today[pair] = r.decreases_today
            capacity.last_decrease_at[pair] = (
                np.nan if r.last_decrease_at is None else r.last_decrease_at
            )
            capacity.described_at[pair] = description.described_at
        self._apply_time_s = None  # it hangs on what is provisioned and on what is warm
        if capacity.standing is not None and (policy := self.policies.policy_for(table)):
            read_standing(capacity.standing, description, policy, self._fleet)

    def _note_described(self, description: TableDescription) -> None:
        """The table is as it was."""
        described_at = self._write_capacity().described_at
        for r in description.resources:
            slot = self._fleet.slot(r.resource, Dimension.READ)
            if slot is not None:
                described_at[slot : slot + 2] = description.described_at

    def _write_capacity(self) -> Capacity:
        """A capacity that no tick keeps, to be written to."""
        if self._is_capacity_given:
            self._capacity, self._is_capacity_given = self._capacity.copy(), False
        return self._capacity


def _resources(description: TableDescription) -> frozenset[Resource]:
    return frozenset(r.resource for r in description.resources)
