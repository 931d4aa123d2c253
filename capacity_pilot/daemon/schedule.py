"""Runs the periodic jobs of a daemon, each at its fixed slots.

By the event loop's clock, which only goes on: the machine's may be put back, and whoever waited
for a time of day would stand still until it comes again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

Job = Callable[[], Coroutine[Any, Any, None]]


@contextmanager
def run_jobs(
    jobs: Iterable[tuple[str, Job, float]], counts: Counter[str]
) -> Iterator[asyncio.Future[None]]:
    """Runs jobs (name, what, seconds) meanwhile; the future fails with whatever one of them raised.

    A slot that comes while the last one still runs, or that is noticed too late, is counted and
    left out: a tick made up for would decide on the same data.
    """
    loop = asyncio.get_running_loop()
    failure: asyncio.Future[None] = loop.create_future()
    slots = [_Slots(*job, counts=counts, failure=failure) for job in jobs]
    runners = [loop.create_task(each.run()) for each in slots]
    try:
        yield failure
    finally:
        for runner in runners:
            runner.cancel()
        for each in slots:
            each.stop()


class _Slots:
    """One job, every so many seconds from now on."""

    def __init__(
        self,
        name: str,
        job: Job,
        seconds: float,
        *,
        counts: Counter[str],
        failure: asyncio.Future[None],
    ) -> None:
        self._name = name
        self._job = job
        self._seconds = seconds
        self._counts = counts
        self._failure = failure
        self._running: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        began_at, slot = loop.time(), 0
        while True:
            self._begin(loop)
            passed = int((loop.time() - began_at) // self._seconds)
            self._counts[f"{self._name}_missed"] += max(passed - slot, 0)
            slot = max(passed, slot) + 1
            await asyncio.sleep(began_at + slot * self._seconds - loop.time())

    def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._running is not None and not self._running.done():
            self._counts[f"{self._name}_missed"] += 1
            return
        self._running = loop.create_task(self._job(), name=self._name)
        self._running.add_done_callback(self._note_end)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not self._failure.done():
            self._failure.set_exception(error)
