"""Has people told of what is in the log and worth it, beside everything else.

Events are heard where they are logged, so that what is told is what the log says. Nothing waits
for a notice: it is put into a queue, of so many at most, and told by a task of its address.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import structlog

from capacity_pilot.adapters.notices import name_webhook
from capacity_pilot.core.errors import InputError, RetryableError
from capacity_pilot.core.notices import Notice, Notification, Occasion, Quiet, read_event
from capacity_pilot.core.ports import Clock
from capacity_pilot.web.metrics import Metric

MOST_WAITING = 50
"""For each address."""

_PAUSES_S = (2.0, 10.0, 60.0)
_PARTING_S = 3.0
_ALWAYS = frozenset({Occasion.LEASE_LOST})

log = structlog.get_logger("capacity_pilot")


class Messenger(Protocol):
    """Who tells; raises ``RetryableError`` or ``InputError``."""

    async def tell(self, notification: Notification, notice: Notice, /) -> None: ...


class Notifier:
    """Give its ``hear`` every event of the log; ``close`` in the end.

    Without the lease only its loss is told of: whoever has it tells of the tables.
    """

    def __init__(
        self,
        messenger: Messenger,
        *,
        notifications: Callable[[], Sequence[Notification]],
        is_active: Callable[[], bool],
        clock: Clock,
    ) -> None:
        self.outcomes: Counter[str] = Counter()
        self._messenger = messenger
        self._notifications = notifications
        self._is_active = is_active
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._quiet = Quiet()
        self._queues: dict[str, asyncio.Queue[tuple[Notification, Notice]]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def hear(self, event: Mapping[str, Any]) -> None:
        """Queues what is to be told of it, soon; any thread may call it."""
        self._loop.call_soon_threadsafe(self._take_in, dict(event))

    def _take_in(self, event: Mapping[str, Any]) -> None:
        notifications = self._notifications()
        if not notifications or (notice := read_event(event, self._clock.now())) is None:
            return
        if not self._is_active() and notice.occasion not in _ALWAYS:
            return
        for notification in notifications:
            if notice.occasion in notification.when:
                self._queue(notification, notice)

    async def close(self) -> None:
        """Gives what waits a little time yet."""
        await asyncio.sleep(0)  # for what was heard last
        waiting = [queue.join() for queue in self._queues.values()]
        if waiting:
            _, late = await asyncio.wait(
                [asyncio.ensure_future(each) for each in waiting], timeout=_PARTING_S
            )
            for each in late:
                each.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def measure(self) -> Iterator[Metric]:
        """What ``/metrics`` says of it."""
        yield Metric(
            name="capacity_pilot_notices_total",
            kind="counter",
            told="Notices by what became of them: told, kept quiet, lost, failed, refused.",
            samples=[({"outcome": name}, float(n)) for name, n in sorted(self.outcomes.items())],
        )

    def _queue(self, notification: Notification, notice: Notice) -> None:
        repeats = self._quiet.admit(notification, notice)
        if repeats is None:
            self.outcomes["quiet"] += 1
            return
        queue = self._queues.get(notification.address)
        if queue is None:
            queue = self._queues[notification.address] = asyncio.Queue(MOST_WAITING)
            self._tasks.append(asyncio.create_task(self._tell_on(queue)))
        try:
            queue.put_nowait((notification, replace(notice, repeats=repeats)))
        except asyncio.QueueFull:
            self.outcomes["lost"] += 1

    async def _tell_on(self, queue: asyncio.Queue[tuple[Notification, Notice]]) -> None:
        while True:
            notification, notice = await queue.get()
            try:
                await self._tell(notification, notice)
            finally:
                queue.task_done()

    async def _tell(self, notification: Notification, notice: Notice) -> None:
        told = {"to": name_webhook(notification.address), "occasion": notice.occasion.value}
        for pause_s in (*_PAUSES_S, None):
            try:
                await self._messenger.tell(notification, notice)
            except InputError as error:
                self._give_up("refused", error, told)
                return
            except RetryableError as error:
                if pause_s is None:
                    self._give_up("failed", error, told)
                    return
                log.warning("notice_delayed", error=str(error), again_in_s=pause_s, **told)
                await asyncio.sleep(pause_s)
            else:
                self.outcomes["told"] += 1
                return

    def _give_up(self, outcome: str, error: Exception, told: Mapping[str, str]) -> None:
        self.outcomes[outcome] += 1
        log.error("notice_not_told", error=str(error), outcome=outcome, **told)
