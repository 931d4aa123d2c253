"""The pilots of a replay: the policies' own, and the same at other risks beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.events.declared import Announcement
from capacity_pilot.core.fleet import Ints
from capacity_pilot.core.forecast.scores import HorizonScore
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.core.signal_names import SignalName, SignalsTold
from capacity_pilot.simulator.replay.cast import PILOT, Risks, Rule, policies_of, table_of
from capacity_pilot.simulator.replay.player import PilotPlayer
from capacity_pilot.simulator.replay.scenario import Scenario
from capacity_pilot.simulator.replay.telemetry import Told
from capacity_pilot.simulator.result import Change
from capacity_pilot.simulator.workload import Workload

MakePlayer = Callable[[Sequence[str], PolicySet], PilotPlayer]
"""Has a core drive these tables under these policies."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Pilots by ``names`` that are one core's tables; ``columns`` and ``signals`` are what they are
    told of.
    """

    names: tuple[str, ...]
    columns: slice
    player: PilotPlayer
    signals: tuple[SignalName, ...]


class Pilots:
    """Everything the pilot is told, told to all of them.

    A core ticks over many tables in nearly the time of one. So all share one where that changes no
    decision, and where it might the policies' own has a core to itself.
    """

    def __init__(
        self,
        workloads: Sequence[Workload],
        *,
        rules: Mapping[str, Rule],
        risks: Risks,
        scenario: Scenario,
        make_player: MakePlayer,
    ) -> None:
        self._workloads = tuple(w.name for w in workloads)
        names = tuple(risks)
        is_one = len(names) == 1 or are_told_alike(workloads, scenario)
        count, self._groups = len(workloads), []
        for group in (names,) if is_one else (names[:1], names[1:]):
            player = make_player(
                [table_of(w, name) for name in group for w in self._workloads],
                policies_of(rules, {name: risks[name] for name in group}),
            )
            first = names.index(group[0]) * count
            columns = slice(first, first + len(group) * count)
            signals = tuple(
                (table_of(w.name, name), signal)
                for name in group
                for w in workloads
                for signal in w.signals
            )
            self._groups.append(_Group(group, columns, player, signals))

    @property
    def changes(self) -> dict[tuple[str, str], Sequence[Change]]:
        """What was changed so far, by workload and strategy."""
        return {
            (workload, name): group.player.changes[table_of(workload, name)]
            for group in self._groups
            for name in group.names
            for workload in self._workloads
        }

    def score_forecasts(self) -> dict[str, tuple[HorizonScore, ...]]:
        """How the forecasts of each workload's demand did: the policies' own pilot's."""
        scores = self._groups[0].player.score_forecasts()
        return {workload: scores[table_of(workload, PILOT)] for workload in self._workloads}

    def restart(self) -> None:
        """All forget everything but what AWS tells."""
        for group in self._groups:
            group.player.restart()

    def announce(self, announcement: Announcement) -> None:
        """Takes in what an operator announces."""
        for group in self._groups:
            group.player.announce(announcement)

    def read_cloudwatch(self) -> None:
        """Asks for the minutes that are worth it; once a minute is often enough."""
        for group in self._groups:
            group.player.read_cloudwatch()

    @property
    def are_one(self) -> bool:
        """Whether one core drives them all: only then several seconds are decided at once."""
        return len(self._groups) == 1

    def decide(self, told: Told, ends: Ints, signals: SignalsTold, signal_ends: Ints) -> int:
        """Takes in what arrived, by now up to ``ends[0]`` and so on, and what did of signals, and
        decides until one of them has something to do. Returns how many seconds that took; the last
        is the one to ``act`` in.
        """
        if self.are_one:
            (group,) = self._groups
            return group.player.decide(told, ends, *_spread(signals, signal_ends, group))
        for group in self._groups:
            own = _cut(told.of(slice(ends[0])), group.columns)
            end = np.array([len(own.seconds)])
            group.player.decide(own, end, *_spread(signals, signal_ends[:1], group))
        return 1

    def act(self) -> None:
        """Carries out what was decided."""
        for group in self._groups:
            group.player.act()


def are_told_alike(workloads: Sequence[Workload], scenario: Scenario) -> bool:
    """Whether pilots hear the same of a workload, whatever each of them has provisioned.

    A core knows some things of its fleet as a whole: how late spans are, by how many units come
    when, and whose costs per request of a route are fitted first. Callers that come back, faults
    and unseen demand make such things depend on who else is there.
    """
    is_calm = not scenario.faults and scenario.retries == "none"
    return is_calm and all(not w.signals or w.is_recorded.all() for w in workloads)


def _cut(told: Told, columns: slice) -> Told:
    own = told.of((told.columns >= columns.start) & (told.columns < columns.stop))
    return own._replace(columns=own.columns - columns.start)


def _spread(signals: SignalsTold, ends: Ints, group: _Group) -> tuple[SignalsTold, Ints]:
    """What is counted of a workload, for the table of each of its pilots."""
    if not len(signals.names):
        return signals, ends
    pilots = len(group.names)
    first = len(signals.names) * np.arange(pilots)
    spread = SignalsTold(
        group.signals,
        (signals.columns[: ends[-1], None] + first).ravel(),
        np.repeat(signals.seconds[: ends[-1]], pilots),
        np.repeat(signals.counts[: ends[-1]], pilots),
    )
    return spread, ends * pilots
