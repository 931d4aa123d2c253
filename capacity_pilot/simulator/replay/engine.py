"""One pass through time: pilots and rivals on the same demand, each with its own table."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.fleet import Ints
from capacity_pilot.core.forecast.scores import HorizonScore
from capacity_pilot.core.model import Dimension, Resource, ScalableTarget
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.simulator.physics.clock import ManualClock
from capacity_pilot.simulator.physics.refusals import RefusedError
from capacity_pilot.simulator.physics.tables import KeySchema, TableSpec, Units
from capacity_pilot.simulator.physics.world import World
from capacity_pilot.simulator.replay.announcing import plan_announcements
from capacity_pilot.simulator.replay.cast import PILOT, Rule, limits_of, risks_of, table_of
from capacity_pilot.simulator.replay.cloudwatch import CloudWatch
from capacity_pilot.simulator.replay.ledger import Account, Ledger
from capacity_pilot.simulator.replay.onlookers import Onlookers, Seat
from capacity_pilot.simulator.replay.pilots import Pilots
from capacity_pilot.simulator.replay.player import PilotPlayer
from capacity_pilot.simulator.replay.retries import Retries
from capacity_pilot.simulator.replay.scenario import (
    RefusedUpdates,
    Restart,
    Scenario,
    SlowApplies,
)
from capacity_pilot.simulator.replay.service import Service
from capacity_pilot.simulator.replay.settings import ReplaySettings
from capacity_pilot.simulator.replay.signal_feed import SignalFeed
from capacity_pilot.simulator.replay.telemetry import Telemetry, Told
from capacity_pilot.simulator.replay.world_gateway import WorldGateway
from capacity_pilot.simulator.result import Change
from capacity_pilot.simulator.rivals import Bounds
from capacity_pilot.simulator.rivals.registry import (
    FIXED,
    REACTIVE,
    Strategy,
    fixed_units,
    make_rival,
)
from capacity_pilot.simulator.workload import Workload

Progress = Callable[[int], None]
"""Told how many seconds of how many workloads were just replayed (their product)."""

_TELL_EVERY_S = 3600


@dataclass(frozen=True, slots=True)
class Passage:
    """What a pass came to. Columns of the ledger's arrays and of ``account`` are in order of
    ``columns``: (workload's name, strategy's name). ``forecasts`` are the pilot's scores by
    workload.
    """

    columns: tuple[tuple[str, str], ...]
    ledger: Ledger
    account: Account
    changes: Mapping[tuple[str, str], Sequence[Change]]
    forecasts: Mapping[str, tuple[HorizonScore, ...]]


class Replay:
    """Workloads of equal length side by side. ``run`` goes once through all their seconds."""

    def __init__(
        self,
        workloads: Sequence[Workload],
        *,
        rules: Mapping[str, Rule],
        strategies: Sequence[Strategy],
        settings: ReplaySettings,
        scenario: Scenario,
    ) -> None:
        if len({w.seconds for w in workloads}) != 1:
            raise InputError("workloads replayed side by side must be equally long")
        self._workloads = tuple(workloads)
        self._rules = rules
        self._settings = settings
        self._scenario = scenario
        self._seconds = workloads[0].seconds
        self._look_at = int(np.ceil(settings.cloudwatch_lag_s)) % 60
        self._world = World(settings.world())
        self._clock = ManualClock(settings.start_at)
        played = [s for s in strategies if s.kind in REACTIVE | FIXED]
        self._risks = risks_of(strategies)
        self._columns = tuple(
            (w.name, name) for name in (*self._risks, *(s.name for s in played)) for w in workloads
        )
        self._own_tables = {table_of(w.name, name) for w in workloads for name in self._risks}
        self._create_tables({s.name: s for s in played})
        self._ledger = Ledger(seconds=self._seconds, slots=len(self._columns))
        self._service = Service(
            workloads,
            world=self._world,
            ledger=self._ledger,
            slots=self._find_slots(),
            pilots=len(self._risks),
            retries=_make_retries(scenario, len(self._columns)),
            began_at=settings.start_at,
        )
        self._signals = SignalFeed(
            workloads, scenario, lag_s=settings.telemetry_lag_s, began_at=settings.start_at
        )
        others = [name for name in self._risks if name != PILOT]
        self._announcements = plan_announcements(
            scenario.announcements,
            {w.name: [table_of(w.name, name) for name in others] for w in workloads},
            settings.start_at,
        )
        self._pilots = Pilots(
            workloads,
            rules=rules,
            risks=self._risks,
            scenario=scenario,
            make_player=self._make_player,
        )
        self._is_eventful = bool(scenario.faults) or not self._pilots.are_one
        self._onlookers = self._seat_rivals([s for s in played if s.kind in REACTIVE])
        self._telemetry = Telemetry(
            scenario,
            lag_s=settings.telemetry_lag_s,
            draws=[
                np.random.default_rng((settings.seed, 1, zlib.crc32(w.name.encode())))
                for _ in self._risks
                for w in workloads
            ],
        )

    def run(self, on_progress: Progress = lambda _: None) -> Passage:
        """Changes take force, whoever decides decides, demand is served: second by second, or
        in runs of seconds in which the same would come out.
        """
        second = 0
        while second < self._seconds:
            is_away = self._meet_faults(second)
            is_changing = self._world.next_change_at <= self._clock.now()
            if is_changing or self._is_worth_serving(second):
                self._serve_until(second)
            if not is_away:
                for announcement in self._announcements.get(second, ()):
                    self._pilots.announce(announcement)
            began, second = second, second + (1 if is_away else self._decide(second))
            self._telemetry.pass_until(second - 1)
            self._signals.pass_until(second - 1)
            if (second - 1) % 60 == self._look_at:
                self._serve_until(second - 1)
                self._onlookers.look(self._clock.now())
                self._pilots.read_cloudwatch()
            self._clock.pass_seconds(1.0)
            if second // _TELL_EVERY_S > began // _TELL_EVERY_S:
                on_progress(_TELL_EVERY_S * len(self._workloads))
        self._serve_until(self._seconds)
        on_progress(self._seconds % _TELL_EVERY_S * len(self._workloads))
        return Passage(
            self._columns,
            self._ledger,
            self._ledger.close(),
            self._collect_changes(),
            self._pilots.score_forecasts(),
        )

    def _decide(self, second: int) -> int:
        """Has the pilots decide from ``second`` on, and returns for how many seconds they did."""
        end = self._find_end(second)
        observed_until = end - self._telemetry.usual_s
        is_served = observed_until <= self._service.served
        ahead = Told.none() if is_served else self._service.foretell(observed_until)
        told, ends = self._telemetry.arrivals(second, end, ahead)
        passed = self._pilots.decide(told, ends, *self._signals.arrivals(second, end))
        self._clock.pass_seconds(passed - 1)
        self._pilots.act()
        return passed

    def _is_worth_serving(self, second: int) -> bool:
        """All that was asked for makes the longest run; where there are none, seconds wait for
        each other until one is to be told of.
        """
        return not self._is_eventful or second >= self._service.served + self._telemetry.usual_s

    def _find_end(self, second: int) -> int:
        """The second up to which nothing comes up for the pilots but what they decide.

        Until then their tables' capacity stays as it is, so that what will be told of is certain
        before it is served: only a run's last second can ask for changes.
        """
        if self._is_eventful:
            return second + 1
        change_at = self._world.next_change_of(self._own_tables) - self._settings.start_at
        end = min(
            self._seconds,
            second + (self._look_at - second) % 60 + 1,
            int(np.ceil(min(change_at, self._seconds))),
        )
        if self._scenario.retries != "none":  # what comes back is known once it is served
            end = min(end, self._service.served + self._telemetry.usual_s)
        announced = (at for at in range(second + 1, end) if at in self._announcements)
        return next(announced, end)

    def _serve_until(self, second: int) -> None:
        """Serves what was not served yet of the seconds before: together, which costs least.

        That is soon enough before anybody hears of them. Changes that are due by ``second`` take
        force once all before them is served.
        """
        began_at = self._settings.start_at
        while (change := self._world.next_change_at - began_at) <= second:
            self._telemetry.observe(self._service.serve_until(int(np.ceil(change))))
            self._world.advance(began_at + np.ceil(change))
        self._telemetry.observe(self._service.serve_until(second))

    def _meet_faults(self, second: int) -> bool:
        """Returns whether the pilots are away."""
        if not self._scenario.faults:
            return False
        factor = 1.0
        for slow in self._scenario.of(SlowApplies, second):
            factor *= slow.factor
        self._world.slow_down(factor)
        if any(f.at <= second < f.at + 1 for f in self._scenario.of(Restart, second)):
            self._pilots.restart()
        return any(self._scenario.of(Restart, second))

    def _obstruct(self, _table: str, now: float) -> RefusedError | None:
        since_start_s = now - self._settings.start_at
        refused = next(self._scenario.of(RefusedUpdates, since_start_s), None)
        return None if refused is None else RefusedError(refused.code, refused.message)

    def _create_tables(self, strategies: Mapping[str, Strategy]) -> None:
        demands = {w.name: w.demand for w in self._workloads}
        for workload, name in self._columns:
            rule, strategy = self._rules[workload], strategies.get(name)
            units = rule.start
            if strategy is not None and strategy.kind in FIXED:
                units = fixed_units(strategy, demands[workload], bounds=_bounds(rule))
            both = (units, 1) if self._settings.dimension is Dimension.READ else (1, units)
            spec = TableSpec(name=table_of(workload, name), key=KeySchema("id"), units=Units(*both))
            # What differs between pilots is their risk, so that their luck is the same.
            luck = workload if name in self._risks else spec.name
            self._world.create_table(spec, self._settings.start_at, luck=luck)
        self._world.advance(self._settings.start_at)

    def _find_slots(self) -> Ints:
        targets = (
            ScalableTarget(Resource(table_of(*column)), self._settings.dimension)
            for column in self._columns
        )
        return np.array([self._world.slot(target) for target in targets], dtype=np.int64)

    def _make_player(self, tables: Sequence[str], policies: PolicySet) -> PilotPlayer:
        return PilotPlayer(
            tables,
            policies=policies,
            limits=limits_of(self._rules),
            dimension=self._settings.dimension,
            gateway=WorldGateway(self._world, clock=self._clock, obstruct=self._obstruct),
            clock=self._clock,
            cloudwatch=self._open_cloudwatch(),
        )

    def _open_cloudwatch(self) -> CloudWatch | None:
        if not self._settings.reads_cloudwatch:
            return None
        began_at = self._settings.start_at
        return CloudWatch(self._world, scenario=self._scenario, began_at=began_at)

    def _seat_rivals(self, strategies: Sequence[Strategy]) -> Onlookers:
        seats = [
            Seat(make_rival(strategy, bounds=_bounds(rule)), workload, strategy.name)
            for strategy in strategies
            for workload, rule in ((w.name, self._rules[w.name]) for w in self._workloads)
        ]
        return Onlookers(
            seats,
            world=self._world,
            dimension=self._settings.dimension,
            scenario=self._scenario,
            obstruct=self._obstruct,
            began_at=self._settings.start_at,
        )

    def _collect_changes(self) -> dict[tuple[str, str], Sequence[Change]]:
        rivals = {(s.workload, s.strategy): s.changes for s in self._onlookers.seats}
        nothing: dict[tuple[str, str], Sequence[Change]] = dict.fromkeys(self._columns, ())
        return nothing | self._pilots.changes | rivals


def _make_retries(scenario: Scenario, columns: int) -> Retries | None:
    mode = scenario.retries
    return None if mode == "none" else Retries(mode, columns)


def _bounds(rule: Rule) -> Bounds:
    return Bounds(least=rule.least, most=rule.most)
