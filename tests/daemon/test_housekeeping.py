"""What is done now and then: apscheduler's interval jobs, in real time."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from capacity_pilot.daemon.housekeeping import keep_house


async def test_a_job_comes_again_until_the_house_is_left() -> None:
    runs: asyncio.Queue[int] = asyncio.Queue()
    failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def save() -> None:
        await runs.put(1)

    with keep_house([("save", save, 0.05)], Counter(), failure):
        for _ in range(3):
            await runs.get()
    assert not failure.done()


async def test_a_job_that_fails_is_told_of() -> None:
    failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def prune() -> None:
        raise KeyError("unexpected")

    with (
        pytest.raises(KeyError, match="unexpected"),
        keep_house([("prune", prune, 0.05)], Counter(), failure),
    ):
        await failure


class Watched(Counter[str]):
    """Counts, and says when it has."""

    def __init__(self) -> None:
        super().__init__()
        self.counted = asyncio.Event()

    def __setitem__(self, name: str, count: int) -> None:
        super().__setitem__(name, count)
        self.counted.set()


async def test_a_run_due_while_the_last_one_goes_on_is_counted_and_left_out() -> None:
    counts, begun = Watched(), 0
    failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def save() -> None:
        nonlocal begun
        begun += 1
        await counts.counted.wait()

    with keep_house([("save", save, 0.05)], counts, failure):
        await counts.counted.wait()
        assert begun == 1
    assert counts["save_missed"] == 1
