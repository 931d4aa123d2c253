"""Who is sent next: the most urgent, and in the end everybody."""

from __future__ import annotations

import asyncio
import math

import pytest

from capacity_pilot.core.model import Direction, Plan
from capacity_pilot.daemon.turns import Turns
from capacity_pilot.simulator.physics.clock import ManualClock


def plan(table: str, urgent_s: float = math.inf, direction: Direction = Direction.OUT) -> Plan:
    return Plan(
        table=table,
        direction=direction,
        changes=(),
        decided_at=0.0,
        expires_at=5.0,
        urgent_s=urgent_s,
    )


class Office:
    """One turn at a time, which lasts until ``end`` is called; who had one, in order."""

    def __init__(self) -> None:
        self.clock = ManualClock(1000.0)
        self.turns = Turns(1, self.clock)
        self.served: list[str] = []
        self._ends = asyncio.Event()

    async def send(self, wanted: Plan) -> None:
        async with self.turns.turn(wanted):
            self.served.append(wanted.table)
            await self._ends.wait()
            self._ends.clear()

    async def ask(self, *wanted: Plan) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(self.send(p)) for p in wanted]
        await settle()
        return tasks

    async def end(self) -> None:
        self._ends.set()
        await settle()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_most_urgent_is_next_whenever_it_came_and_decreases_are_last() -> None:
    office = Office()
    lower = plan("lower", direction=Direction.IN)
    tasks = await office.ask(plan("first"), lower, plan("calm"), plan("soon", 40.0))
    tasks += await office.ask(plan("now", 2.0))
    for _ in tasks:
        await office.end()
    await asyncio.gather(*tasks)
    assert office.served == ["first", "now", "soon", "calm", "lower"]


async def test_whoever_waits_has_a_turn_in_the_end() -> None:
    """More urgent ones come every second, and plans get too old and are made again."""
    office = Office()
    await office.ask(plan("first", 1.0))
    for second in range(60):
        (patient,) = await office.ask(plan("patient", 45.0))
        await office.ask(plan(f"urgent {second}", 1.0))
        office.clock.pass_seconds(1.0)
        await office.end()
        if "patient" in office.served:
            break
        patient.cancel()
        await settle()
    assert 40 <= second <= 50


async def test_a_wait_given_up_costs_nobody_a_turn() -> None:
    office = Office()
    first, second, third = await office.ask(plan("first"), plan("second", 1.0), plan("third", 2.0))
    second.cancel()
    await settle()
    await office.end()
    assert office.served == ["first", "third"]
    await office.end()
    await asyncio.gather(first, third)
    with pytest.raises(asyncio.CancelledError):
        await second
    (last,) = await office.ask(plan("last"))
    await office.end()
    await last
    assert office.served[-1] == "last"
