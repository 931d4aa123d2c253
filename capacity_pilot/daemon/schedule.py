"""Runs the periodic jobs of a daemon, each at its fixed slots."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    JobEvent,
)
from apscheduler.schedulers.asyncio import AsyncIOScheduler

Job = Callable[[], Coroutine[Any, Any, None]]


@contextmanager
def run_jobs(
    jobs: Iterable[tuple[str, Job, float]], counts: Counter[str]
) -> Iterator[asyncio.Future[None]]:
    """Runs jobs (name, what, seconds) meanwhile; the future fails with whatever one of them raised.

    A slot that comes while the last one still runs, or that is noticed too late, is counted and
    left out: a tick made up for would decide on the same data.
    """
    failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

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
            start_date=datetime.now(UTC).replace(microsecond=0),
            misfire_grace_time=None if seconds < 1 else max(1, int(seconds)),
            coalesce=True,
            max_instances=1,
        )
    scheduler.start()
    try:
        yield failure
    finally:
        scheduler.shutdown(wait=False)
