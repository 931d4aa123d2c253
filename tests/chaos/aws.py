"""AWS as a pilot's client meets it: the physics behind botocore's calls, and what goes wrong there.

What a call does to the account happens there whether or not its sender still lives to see it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.random import Generator

from capacity_pilot.simulator.physics.auto_scaling import SCALING_OPERATIONS, ScalingRegistry
from capacity_pilot.simulator.physics.database import Database
from capacity_pilot.simulator.physics.refusals import RefusedError
from capacity_pilot.simulator.physics.table_operations import TABLE_OPERATIONS
from capacity_pilot.simulator.physics.world import World
from tests.chaos import state_table
from tests.chaos.cloudwatch import CloudWatch
from tests.chaos.mishaps import Course, Mishap, go_well
from tests.chaos.virtual_time import VirtualLoop

Units = dict[str, tuple[int, int]]
"""(read, write) by index name; the table is ``""``."""


@dataclass(slots=True)
class Call:
    """One call, as an omniscient observer sees it. Times are the loop's.

    ``had`` is the table's capacity when the call reached it, ``answer`` what a read gave.
    """

    process: int
    operation: str
    parameters: Mapping[str, Any]
    begun_at: float
    reached_at: float | None = None
    ended_at: float | None = None
    refusal: RefusedError | None = None
    had: Units = field(default_factory=dict)
    was_settled: bool = True
    answer: Mapping[str, Any] | None = None
    error: Exception | None = None

    @property
    def table(self) -> str:
        return str(self.parameters.get("TableName", ""))

    @property
    def is_accepted(self) -> bool:
        return self.reached_at is not None and self.refusal is None

    @property
    def asked(self) -> Units:
        """What an UpdateTable call asks for."""
        asked: Units = {}
        if throughput := self.parameters.get("ProvisionedThroughput"):
            asked[""] = _pair(throughput)
        for update in self.parameters.get("GlobalSecondaryIndexUpdates", ()):
            if changed := update.get("Update"):
                asked[changed["IndexName"]] = _pair(changed["ProvisionedThroughput"])
        return asked


class Account:
    """One account of AWS: its world, every call about it, and who meddles with it.

    ``epoch`` is the Unix time at which the loop's time began; ``mishaps`` are asked for each call
    in turn, and the first that has something decides how it goes. Whoever is in ``on_arrival`` sees
    a call just before it is carried out. ``calls`` leaves out those to the state table, of which
    ``store`` has the items.
    """

    def __init__(
        self,
        world: World,
        loop: VirtualLoop,
        *,
        epoch: float,
        draw: Generator,
        registry: ScalingRegistry | None = None,
        cloudwatch: CloudWatch | None = None,
    ) -> None:
        self.world = world
        self.registry = registry or ScalingRegistry(world)
        self.store = state_table.make_store(epoch)
        self.calls: list[Call] = []
        self.changed_at: dict[str, list[float]] = defaultdict(list)  # by anybody, by table
        self.mishaps: list[Callable[[Call], Mishap | None]] = []
        self.on_arrival: list[Callable[[Call], None]] = []
        self.epoch = epoch
        self._loop = loop
        self._database = Database(world)
        self._draw = draw
        self._cloudwatch = cloudwatch
        self._other_draw = np.random.default_rng(0)  # another service's luck is another

    @property
    def now(self) -> float:
        """Unix seconds, as AWS has them."""
        return self.epoch + self._loop.time()

    def note_call(self, call: Call) -> None:
        """Somebody has begun a call."""
        if call.operation not in state_table.OPERATIONS:
            self.calls.append(call)

    def course_of(self, call: Call) -> Course:
        draw = self._other_draw if self._is_of_cloudwatch(call.operation) else self._draw
        for mishap in self.mishaps:
            if (go := mishap(call)) is not None:
                return go(draw)
        return go_well(draw)

    def perform(self, call: Call) -> dict[str, Any]:
        """Carries the call out now. Raises ``RefusedError`` where the physics does."""
        self.world.advance(self.now)
        call.reached_at = self._loop.time()
        for watch in self.on_arrival:
            watch(call)
        if call.operation == "UpdateTable":
            call.had, call.was_settled = self._look_at(call.table)
        try:
            answer = self._carry_out(call.operation, dict(call.parameters))
        except RefusedError as refusal:
            call.refusal = refusal
            raise
        if call.operation == "UpdateTable":
            self.note_change(call.table)
        return answer

    def _carry_out(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        if (of_tables := TABLE_OPERATIONS.get(operation)) is not None:
            return of_tables(self._database, parameters, self.now)
        if (of_scaling := SCALING_OPERATIONS.get(operation)) is not None:
            return of_scaling(self.registry, parameters, self.now)
        if self._cloudwatch is not None and self._is_of_cloudwatch(operation):
            return self._cloudwatch.operations[operation](parameters, self.now)
        self.store.world.advance(self.now)
        return state_table.OPERATIONS[operation](self.store, parameters, self.now)

    def _is_of_cloudwatch(self, operation: str) -> bool:
        return self._cloudwatch is not None and operation in self._cloudwatch.operations

    def note_change(self, table: str) -> None:
        """Somebody has changed the table."""
        self.changed_at[table].append(self._loop.time())

    def _look_at(self, table: str) -> tuple[Units, bool]:
        try:
            state = self.world.table(table)
        except RefusedError:
            return {}, True
        units = {index: (r.units.read, r.units.write) for index, r in state.resources.items()}
        return units, state.describe(self.now).is_settled


def _pair(throughput: Mapping[str, int]) -> tuple[int, int]:
    return throughput.get("ReadCapacityUnits", 0), throughput.get("WriteCapacityUnits", 0)
