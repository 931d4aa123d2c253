"""Application Auto Scaling over one world: it scales, within the bounds that are registered.

Registering pulls capacity into the bounds, and each minute the alarms of a target tracking policy
at 70 % ask for what brings the last one to target, out after two minutes and in after fifteen. Of
those, the quarter of an hour before the run has gone by already, at the run's first demand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from capacity_pilot.core.model import ScalableTarget
from capacity_pilot.simulator.physics.auto_scaling import ScalingRegistry, name_target
from capacity_pilot.simulator.physics.refusals import RefusedError
from capacity_pilot.simulator.physics.tables import Units
from capacity_pilot.simulator.physics.world import World
from capacity_pilot.simulator.rivals import Bounds, Minute, Sight
from capacity_pilot.simulator.rivals.aws_auto_scaling import MINUTES_IN, AwsAutoScaling
from tests.chaos.schedule import Schedule

_TARGET_PERCENT: Final = 70.0
_FIRST_S: Final = 30


class Scaler:
    """``advance`` it every second, after the world.

    ``operators`` are the minimums that are not a pilot's, with when they were set, newest last.
    """

    def __init__(self, schedule: Schedule, world: World) -> None:
        self.registry = ScalingRegistry(world)
        self.operators: dict[ScalableTarget, list[tuple[float, int]]] = {}
        self._schedule = schedule
        self._world = world
        self._policies: dict[ScalableTarget, AwsAutoScaling] = {}
        self._wanted: dict[ScalableTarget, int] = {}
        self._minute: float | None = None
        for target in sorted(schedule.scaled):
            least = schedule.floor[target.resource.table]
            self.set_minimum(target, least, schedule.began_at)
            self._policies[target] = AwsAutoScaling(
                target=_TARGET_PERCENT, bounds=Bounds(least=least, most=schedule.ceiling)
            )
        self._look(schedule.began_at, dict(self._recall()))

    def set_minimum(self, target: ScalableTarget, minimum: int, now: float) -> None:
        """As its operator does."""
        bounds = {"MinCapacity": minimum, "MaxCapacity": self._schedule.ceiling}
        self.registry.register({**name_target(target), **bounds}, now)
        self.operators.setdefault(target, []).append((now, minimum))

    def minimum(self, target: ScalableTarget) -> int:
        return self.registry.find(target).minimum

    def is_pulled_up(self, target: ScalableTarget) -> bool:
        """True of a target that is registered and has its minimum in force."""
        if target not in self._policies:
            return False
        try:
            return self._units(target)[target.dimension] >= self.minimum(target)
        except (KeyError, RefusedError):
            return False

    def is_suspended(self, target: ScalableTarget) -> bool:
        return any(self.registry.find(target).suspended.values())

    def advance(self, now: float) -> None:
        self.registry.advance(now)
        published = self._world.meter.published(now)
        if published is not None and published.starts_at != self._minute:
            self._minute = published.starts_at
            consumed = {t: published.consumed[slot] for t, slot in self._slots()}
            self._look(
                now,
                {
                    target: [Minute(starts_at=self._minute, consumed=units, throttle_events=0.0)]
                    for target, units in consumed.items()
                    if units > 0  # AWS publishes nothing of no requests
                },
            )
        for target, units in list(self._wanted.items()):
            if self._set(target, units, now):
                del self._wanted[target]

    def _look(self, now: float, news: dict[ScalableTarget, list[Minute]]) -> None:
        """The alarms are evaluated, and what they ask for is wanted until the next time."""
        self._wanted.clear()
        for target, _ in self._slots():
            policy = self._policies[target]
            policy.bounds = Bounds(least=self.minimum(target), most=self._schedule.ceiling)
            provisioned = self._units(target)[target.dimension]
            sight = Sight(
                now=now, news=news.get(target, []), provisioned=provisioned, is_changeable=True
            )
            if (units := policy.decide(sight)) is not None:
                self._wanted[target] = units

    def _set(self, target: ScalableTarget, units: int, now: float) -> bool:
        """False where the table takes no change yet. A spent quota is met again next minute."""
        resource = target.resource
        try:
            changed = [*self._units(target)]
            changed[target.dimension] = units
            self._world.update_table(resource.table, {resource.index: Units(*changed)}, now)
        except RefusedError as refusal:
            return refusal.code not in {"ResourceInUseException", "ThrottlingException"}
        return True

    def _slots(self) -> Iterator[tuple[ScalableTarget, int]]:
        """Of the targets whose tables are there."""
        for target in self._policies:
            try:
                yield target, self._world.slot(target)
            except RefusedError:
                continue

    def _units(self, target: ScalableTarget) -> Units:
        return self._world.table(target.resource.table).resources[target.resource.index].units

    def _recall(self) -> Iterator[tuple[ScalableTarget, list[Minute]]]:
        demand = {target.resource: target.demand for target in self._schedule.targets}
        for target in self._policies:
            usual = float(demand[target.resource][target.dimension, :_FIRST_S].mean())
            began = self._schedule.began_at
            yield (
                target,
                [
                    Minute(starts_at=began - 60.0 * ago, consumed=60 * usual, throttle_events=0.0)
                    for ago in range(MINUTES_IN + 1, 1, -1)
                ],
            )
