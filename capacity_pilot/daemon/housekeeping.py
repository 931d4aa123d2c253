"""Runs what a daemon does now and then, by the time of day: nothing that a decision waits for.

What decisions wait for goes by the event loop's clock instead (``schedule``). While the machine's
clock is put back, apscheduler waits until it has caught up.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC

from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    JobEvent,
)
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from capacity_pilot.daemon.schedule import Job


@contextmanager
def keep_house(
    jobs: Iterable[tuple[str, Job, float]],
    counts: Counter[str],
    failure: asyncio.Future[None],
) -> Iterator[None]:
    """Runs jobs (name, what, seconds) meanwhile; ``failure`` fails with whatever one of them
    raised.

    A run that is due while the last one still goes on, or that is noticed too late, is counted and
    left out.
    """

    def note(event: JobEvent) -> None:
        if event.code != EVENT_JOB_ERROR:
            counts[f"{event.job_id}_missed"] += 1
        elif not failure.done():
            failure.set_exception(event.exception)

    scheduler = AsyncIOScheduler(timezone=UTC)
    scheduler.add_listener(note, EVENT_JOB_ERROR | EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
    for name, job, seconds in jobs:
        scheduler.add_job(
            job,
            "interval",
            id=name,
            seconds=seconds,
            misfire_grace_time=max(1, int(seconds)),
            coalesce=True,
            max_instances=1,
        )
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)
