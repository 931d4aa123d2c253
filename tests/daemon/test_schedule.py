"""Periodic jobs, in virtual time: the machine's clock stands still all the while."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from capacity_pilot.daemon.schedule import run_jobs
from tests.chaos.virtual_time import VirtualLoop, run_virtually

Story = Callable[[VirtualLoop], Coroutine[Any, Any, None]]


def tell(story: Story) -> None:
    run_virtually(story)


def test_jobs_come_at_their_slots_whatever_the_machines_clock_says() -> None:
    async def story(loop: VirtualLoop) -> None:
        ticked_at: list[float] = []
        counts: Counter[str] = Counter()

        async def tick() -> None:
            ticked_at.append(round(loop.time(), 6))
            await asyncio.sleep(0.3)

        with run_jobs([("tick", tick, 1.0)], counts):
            await asyncio.sleep(4.5)
        assert ticked_at == [0.0, 1.0, 2.0, 3.0, 4.0]
        assert counts["tick_missed"] == 0
        await asyncio.sleep(5)
        assert len(ticked_at) == 5, "none is begun once it is over"

    tell(story)


def test_a_slot_that_comes_while_the_last_job_still_runs_is_counted_and_left_out() -> None:
    async def story(loop: VirtualLoop) -> None:
        begun: list[float] = []
        counts: Counter[str] = Counter()

        async def read() -> None:
            begun.append(round(loop.time(), 6))
            await asyncio.sleep(2.5)

        with run_jobs([("read", read, 1.0)], counts):
            await asyncio.sleep(6.5)
        assert begun == [0.0, 3.0, 6.0]
        assert counts["read_missed"] == 4

    tell(story)


def test_slots_that_nobody_was_there_to_notice_are_not_made_up_for() -> None:
    async def story(loop: VirtualLoop) -> None:
        begun: list[float] = []
        counts: Counter[str] = Counter()

        async def tick() -> None:
            begun.append(round(loop.time(), 6))
            if len(begun) == 2:
                loop._elapsed_s += 3.5  # the process was stopped, or computed for so long

        with run_jobs([("tick", tick, 1.0)], counts):
            await asyncio.sleep(7.5)
        assert begun == [0.0, 1.0, 4.5, 5.0, 6.0, 7.0]
        assert counts["tick_missed"] == 2

    tell(story)


def test_a_job_that_fails_is_told_of_and_one_that_still_runs_is_ended() -> None:
    async def story(_: VirtualLoop) -> None:
        ended = asyncio.Event()

        async def fail() -> None:
            raise KeyError("unexpected")

        async def hang() -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                ended.set()

        jobs = [("fail", fail, 1.0), ("hang", hang, 1.0)]
        with (
            pytest.raises(KeyError, match="unexpected"),
            run_jobs(jobs, Counter()) as failure,
        ):
            await failure
        await asyncio.sleep(0)
        assert ended.is_set()

    tell(story)
