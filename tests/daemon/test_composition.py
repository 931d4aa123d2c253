"""The end of the daemon, as far as it takes no process to see it."""

from __future__ import annotations

import asyncio

import pytest

from capacity_pilot.core.errors import PolicyError
from capacity_pilot.daemon.composition import _let_end, check_modes
from tests.daemon.stage import policies


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


@pytest.mark.parametrize("mode", ["floor", "shadow"])
def test_a_mode_that_cannot_be_kept_is_refused_rather_than_written_over(mode: str) -> None:
    with pytest.raises(PolicyError, match=f"mode {mode} .*cannot be carried out yet"):
        check_modes(policies(mode=mode), is_shadow=False)


@pytest.mark.parametrize("rivalry", ["refuse", "suspend"])
def test_auto_scaling_is_not_said_to_be_watched_when_it_is_not(rivalry: str) -> None:
    with pytest.raises(PolicyError, match=f"auto_scaling {rivalry} cannot be carried out yet"):
        check_modes(policies(auto_scaling=rivalry), is_shadow=True)


def test_a_process_in_shadow_takes_policies_that_drive_and_that_do_not() -> None:
    for mode in ("active", "shadow", "off"):
        check_modes(policies(mode=mode), is_shadow=True)
    check_modes(policies(mode="active"), is_shadow=False)
    check_modes(policies(mode="off"), is_shadow=False)
