"""The end of the daemon, as far as it takes no process to see it."""

from __future__ import annotations

import asyncio

from capacity_pilot.daemon.composition import _let_end


async def test_calls_may_end_but_not_hold_up_the_end() -> None:
    ended: list[str] = []

    async def call(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        ended.append(name)

    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        calls = [tasks.create_task(call("short", 0.0)), tasks.create_task(call("long", 60.0))]
        await _let_end(calls, grace_s=0.1)
    assert ended == ["short"]


async def test_without_calls_the_end_comes_at_once() -> None:
    await _let_end(set(), grace_s=60.0)
