"""One run of the demo: watches everyone, samples the world once a second, shows it."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

import aiohttp

from capacity_pilot.core.errors import GatewayError
from capacity_pilot.demo.options import DemoOptions
from capacity_pilot.demo.recording import FeedReport, Recording, read_state, read_status
from capacity_pilot.demo.stage import Stage, open_stage
from capacity_pilot.demo.summary import Summary, summarize

_FRAMES_PER_S = 4
_LEAD_S = 1.0
_ANSWER_WITHIN_S = 5.0


class Audience(Protocol):
    """Who is shown the run: a terminal, a pipe, or nobody."""

    def tell(self, text: str) -> None:
        """What is being prepared."""
        ...

    def show(self, recording: Recording, now: float) -> None:
        """Called a few times a second, also before the first snapshot."""
        ...


async def perform(options: DemoOptions, audience: Audience) -> Summary:
    """Runs the demo to its end; raises ``ChildError`` as soon as a process of it fails."""
    async with open_stage(options, audience.tell) as stage:
        recording = _begin(stage, options)
        playing = asyncio.create_task(_play(stage, recording, audience))
        await _await_end(playing, stage)
    lost_s = options.collector_lost_s
    lost_at = None if lost_s is None else recording.start_at + lost_s
    return summarize(recording, options.timeline, lost_at=lost_at)


def _begin(stage: Stage, options: DemoOptions) -> Recording:
    """Sets the start and tells both feeds: from here on everything has a time."""
    start_at = time.time() + _LEAD_S
    recording = Recording(
        start_at=start_at,
        push_at=start_at + options.timeline.push_s,
        feeds={table: FeedReport() for table in stage.feeds},
    )
    stage.pilot.hear = recording.hear_pilot
    for table, feed in stage.feeds.items():
        feed.hear = partial(recording.hear_feed, table)
        feed.say(repr(start_at))
    return recording


async def _play(stage: Stage, recording: Recording, audience: Audience) -> None:
    """Samples and shows at fixed slots until both feeds have finished."""
    timeout = aiohttp.ClientTimeout(total=_ANSWER_WITHIN_S)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        for slot in itertools.count():
            due_at = recording.start_at + slot / _FRAMES_PER_S
            await asyncio.sleep(max(due_at - time.time(), 0.0))
            is_over = all(report.is_finished for report in recording.feeds.values())
            if slot % _FRAMES_PER_S == 0 or is_over:
                recording.snapshots.append(read_state(await _fetch(http, stage.state_url)))
                recording.readings.append(read_status(await _fetch(http, stage.status_url)))
            audience.show(recording, time.time())
            if is_over:
                return


async def _fetch(http: aiohttp.ClientSession, url: str) -> Mapping[str, Any]:
    try:
        async with http.get(url, raise_for_status=True) as response:
            answer: Mapping[str, Any] = await response.json()
            return answer
    except (aiohttp.ClientError, TimeoutError) as error:
        raise GatewayError(f"{url} did not answer: {error}") from error


async def _await_end(playing: asyncio.Task[None], stage: Stage) -> None:
    """Returns when the play is over; a process that ends before is the error to tell."""
    ends = {child.watching: child for child in stage.children}
    feeds = {feed.watching for feed in stage.feeds.values()}
    pending: set[asyncio.Task[None]] = {playing, *ends}
    try:
        while playing in pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            if playing in done and playing.exception() is not None:
                # Whoever does not answer may just be dying: that says more.
                more, pending = await asyncio.wait(pending, timeout=1.0)
                done |= more
            for ended in done - {playing}:
                ended.result()
                if ended not in feeds:
                    raise ends[ended].tell_end("ended before the demo was over")
    finally:
        playing.cancel()
        await asyncio.wait({playing})
    playing.result()
