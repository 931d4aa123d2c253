"""The reactive rivals in a replay: each asked once a minute, each with its own table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from capacity_pilot.core.model import Dimension
from capacity_pilot.simulator.physics.refusals import RefusedError
from capacity_pilot.simulator.physics.tables import TableState, Units
from capacity_pilot.simulator.physics.world import World
from capacity_pilot.simulator.replay.cast import table_of
from capacity_pilot.simulator.replay.scenario import CloudWatchGap, Scenario
from capacity_pilot.simulator.replay.world_gateway import Obstruct
from capacity_pilot.simulator.result import Change
from capacity_pilot.simulator.rivals import Minute, Rival, Sight


@dataclass(slots=True)
class Seat:
    """One rival, and the workload its table is asked for."""

    rival: Rival
    workload: str
    strategy: str
    changes: list[Change] = field(default_factory=list)

    @property
    def table(self) -> str:
        return table_of(self.workload, self.strategy)


class Onlookers:
    """Shows CloudWatch to the rivals as it is published, and sends what they decide."""

    def __init__(
        self,
        seats: Sequence[Seat],
        *,
        world: World,
        dimension: Dimension,
        scenario: Scenario,
        obstruct: Obstruct,
        began_at: float,
    ) -> None:
        self.seats = tuple(seats)
        self._tables = [world.table(seat.table) for seat in seats]
        self._slots = [state.table.slot(dimension) for state in self._tables]
        self._world = world
        self._dimension = dimension
        self._scenario = scenario
        self._obstruct = obstruct
        self._began_at = began_at
        self._shown_until = began_at

    def look(self, now: float) -> None:
        """One look of every rival at whatever minutes are out by ``now``."""
        published = self._world.meter.published(now)
        if published is None or published.starts_at < self._shown_until:
            return
        self._shown_until = published.starts_at + 60
        ended = published.starts_at + 60 - self._began_at
        is_missing = any(self._scenario.of(CloudWatchGap, ended))
        consumed = published.consumed[self._slots].tolist()
        throttled = published.throttle_events[self._slots].tolist()
        seats = zip(self.seats, self._tables, consumed, throttled, strict=True)
        for seat, state, units, events in seats:
            minute = Minute(starts_at=published.starts_at, consumed=units, throttle_events=events)
            # DynamoDB sends CloudWatch nothing of a minute without requests, not a zero.
            is_silent = not units and not events
            self._ask(seat, state, () if is_missing or is_silent else (minute,), now)

    def _ask(self, seat: Seat, state: TableState, news: Sequence[Minute], now: float) -> None:
        resource = state.table
        before = resource.units[self._dimension]
        wanted = seat.rival.decide(
            Sight(
                now=now,
                news=news,
                provisioned=before,
                is_changeable=not state.is_in_flux,
            )
        )
        if wanted is None or wanted == before:
            return
        other = resource.units[1 - self._dimension]
        units = Units(wanted, other) if self._dimension is Dimension.READ else Units(other, wanted)
        try:
            if (obstacle := self._obstruct(seat.table, now)) is not None:
                raise obstacle
            self._world.update_table(seat.table, {"": units}, now)
        except RefusedError:
            return  # who still wants it says so again in a minute
        seat.changes.append(Change(at_s=now - self._began_at, before=before, after=wanted))
