"""Whose plan is sent next, where only so many calls may be under way at once."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from capacity_pilot.core.model import Direction, Plan
from capacity_pilot.core.ports import Clock

_MOST_URGENT_S = 3600.0
"""What does not run dry within an hour is not told apart by when it does."""

_FORGOTTEN_S = 15.0
"""Three times as long as a plan is good for: what was not asked for again has got over it."""

Order = tuple[bool, float, int]


class Turns:
    """As many turns at once as given, the most urgent plan's first, increases before decreases.

    Every second a table has waited counts as a second of urgency, also over plans that got too old
    waiting. So whoever waits has a turn in the end, however many come that are more urgent.
    """

    def __init__(self, at_once: int, clock: Clock) -> None:
        self._free = at_once
        self._clock = clock
        self._queue: list[tuple[Order, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._waits: dict[tuple[str, Direction], tuple[float, float]] = {}

    @asynccontextmanager
    async def turn(self, plan: Plan) -> AsyncIterator[None]:
        """Waits for the plan's turn, and has it until the end of the block."""
        await self._wait(plan)
        try:
            yield
        finally:
            self._pass_on()

    def settle(self, plan: Plan) -> None:
        """The plan was sent, or need not be: its table waits for nothing any more."""
        self._waits.pop((plan.table, plan.direction), None)

    async def _wait(self, plan: Plan) -> None:
        order = self._order(plan)
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._queue, (order, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_on()  # it came just then
            raise

    def _order(self, plan: Plan) -> Order:
        now, key = self._clock.now(), (plan.table, plan.direction)
        since, asked_at = self._waits.get(key, (now, now))
        if not 0 <= now - asked_at <= _FORGOTTEN_S:
            since = now
        self._waits[key] = since, now
        # All that waits grows more urgent at the same pace: the order stays as it is.
        urgency = min(plan.urgent_s, _MOST_URGENT_S) + since
        return plan.direction is Direction.IN, urgency, next(self._numbers)

    def _pass_on(self) -> None:
        while self._queue:
            _, turn = heapq.heappop(self._queue)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
