"""The pilot in a replay: the daemon's core and hands, moved by the replay's clock."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np

from capacity_pilot.adapters.agenda import RunningAgenda
from capacity_pilot.core.backoff import Backoffs
from capacity_pilot.core.demand import Arrivals
from capacity_pilot.core.errors import InvariantError
from capacity_pilot.core.events.declared import Announcement
from capacity_pilot.core.fleet import Fleet, Ints
from capacity_pilot.core.forecast.scores import HorizonScore, score_target
from capacity_pilot.core.forecast.tally import Tally
from capacity_pilot.core.model import (
    AccountLimits,
    Dimension,
    OutcomeKind,
    Plan,
    Resource,
)
from capacity_pilot.core.pilot import Pilot
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.core.ports import Clock
from capacity_pilot.core.quota import DAY_S
from capacity_pilot.core.signal_names import SignalsTold
from capacity_pilot.simulator.replay.cloudwatch import CloudWatch
from capacity_pilot.simulator.replay.telemetry import Told
from capacity_pilot.simulator.replay.world_gateway import WorldGateway, finish_now
from capacity_pilot.simulator.result import Change

_EXPECTED_APPLY_S = 30.0

_MOST_SIGNALS = 1024
"""Further columns of one demand file, at most: each table has signals of its own."""


class PilotPlayer:
    """Drives one ``Pilot`` over all of ``tables``, once a second."""

    def __init__(
        self,
        tables: Sequence[str],
        *,
        policies: PolicySet,
        limits: AccountLimits,
        dimension: Dimension,
        gateway: WorldGateway,
        clock: Clock,
        cloudwatch: CloudWatch | None,
    ) -> None:
        self.changes: dict[str, list[Change]] = {table: [] for table in tables}
        self._tables = tuple(tables)
        self._policies = policies
        self._limits = limits
        self._dimension = dimension
        self._gateway = gateway
        self._clock = clock
        self._cloudwatch = cloudwatch
        self._began_at = clock.now()
        self._fleet: Fleet | None = None
        self._slots: Ints = np.zeros(0, dtype=np.int64)
        self._tallies: dict[str, Tally] = {}
        self._plans: tuple[Plan, ...] = ()
        self._wake()

    def restart(self) -> None:
        """Forgets everything but what AWS tells."""
        self._tallies = self._sum_tallies()
        self._wake()

    def _wake(self) -> None:
        self._agenda = RunningAgenda(self._policies)
        self._pilot = Pilot(
            self._policies,
            limits=self._limits,
            apply_time_s=_EXPECTED_APPLY_S,
            now=self._clock.now(),
            cloudwatch_usd_per_month=0.0 if self._cloudwatch is None else inf,
            most_signals=_MOST_SIGNALS * len(self._tables),
            agenda=self._agenda,
        )
        self._backoffs = Backoffs()
        self._day = -1.0
        self._turns: dict[str, int] = {}

    def announce(self, announcement: Announcement) -> None:
        """Takes in what an operator announces."""
        self._agenda.announce(announcement, managed=self._tables, now=self._clock.now())

    def read_cloudwatch(self) -> None:
        """Asks for the minutes that are worth it; once a minute is often enough."""
        if self._cloudwatch is not None:
            now = self._clock.now()
            queries = self._pilot.choose_readings(now)
            self._pilot.note_consumed(self._cloudwatch.read_minutes(queries, now))

    def decide(self, told: Told, ends: Ints, signals: SignalsTold, signal_ends: Ints) -> int:
        """Takes in what arrived, by now up to ``ends[0]`` and so on, and what did of signals, and
        decides until there is something to do. Returns how many seconds that took; the last one is
        the one to ``act`` in.
        """
        now = self._clock.now()
        self._describe(now)
        rest_s = self._find_rest_s(now)
        ends, signal_ends = ends[:rest_s], signal_ends[:rest_s]
        arrivals = self._address(told.of(slice(ends[-1])), self._pilot.fit(now))
        step = self._pilot.decide_ahead(
            arrivals, ends, now, signals=signals, signal_ends=signal_ends
        )
        self._plans = step.plans
        return step.passed

    def act(self) -> None:
        """Carries out what was decided at once."""
        now = self._clock.now()
        for plan in self._plans:
            if not self._backoffs.is_due(plan.table, plan.direction, now):
                continue
            self._pilot.begin(plan)
            outcome = finish_now(self._gateway.actuate(plan))
            self._pilot.finish(plan.table, outcome)
            self._backoffs.note(plan.table, plan.direction, outcome, now=now)
            if outcome.kind is OutcomeKind.REQUESTED and outcome.before is not None:
                (sent,), (before, *_) = outcome.sent, outcome.before.resources
                units = [(c.read, c.write)[self._dimension] for c in (before, sent)]
                self.changes[plan.table].append(
                    Change(
                        at_s=now - self._began_at,
                        before=units[0],
                        after=units[1],
                        reasons=plan.reasons,
                    )
                )

    def _find_rest_s(self, now: float) -> int:
        """Seconds until a description may say something else though the world does not change:
        until a day begins, or a change has lasted too long.
        """
        next_at = min((now // DAY_S + 1) * DAY_S, self._pilot.gives_up_at)
        return max(int(np.ceil(next_at - now)), 1)

    def score_forecasts(self) -> dict[str, tuple[HorizonScore, ...]]:
        """How the forecasts of each table's demand did, those from before restarts included."""
        ahead_s = self._pilot.quantiles.current.ahead_s
        scores: dict[str, tuple[HorizonScore, ...]] = dict.fromkeys(self._tables, ())
        for table, tally in self._sum_tallies().items():
            if (slot := self._slot(table)) is not None:
                scores[table] = score_target(tally, ahead_s[:, slot])
        return scores

    def _sum_tallies(self) -> dict[str, Tally]:
        sums = dict(self._tallies)
        for table in self._tables:
            if (slot := self._slot(table)) is not None:
                since = self._pilot.quantiles.calibration.tally.of(slot)
                sums[table] = sums[table] + since if table in sums else since
        return sums

    def _slot(self, table: str) -> int | None:
        return self._pilot.fleet.slot(Resource(table), self._dimension)

    def _describe(self, now: float) -> None:
        """Reads tables when that tells something new.

        The daemon does so every half minute, and every second of those being changed; but here
        nobody else changes them.
        """
        day, self._day = self._day, now // DAY_S
        is_due = day != self._day or now >= self._pilot.gives_up_at
        for table in self._tables if day != self._day else self._pilot.changing:
            turns = self._gateway.turns(table)
            if not is_due and self._turns.get(table) == turns:
                continue
            self._turns[table] = turns
            description = finish_now(self._gateway.describe(table))
            if description is not None:
                self._pilot.observe(description)

    def _address(self, told: Told, fleet: Fleet) -> Arrivals:
        """What was told by table as arrivals by slot."""
        if fleet is not self._fleet:
            self._fleet, self._slots = fleet, self._find_slots(fleet)
        return Arrivals(
            self._slots[told.columns],
            int(self._began_at) + told.seconds,
            told.units,
            told.refusals,
            told.throttled,
        )

    def _find_slots(self, fleet: Fleet) -> Ints:
        found = [fleet.slot(Resource(table), self._dimension) for table in self._tables]
        if None in found:
            missing = self._tables[found.index(None)]
            raise InvariantError(f"the pilot has no slot for {missing}, which it was made for")
        return np.array(found, dtype=np.int64)
