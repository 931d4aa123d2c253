"""Raises what nobody looks after any more to the level its policy calls safe.

It decides as a pilot does that has heard nothing for longer than its policies bear: by the same
ladder, guards, brakes, limits and calls. Only decreases are out of the question.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import numpy as np
import structlog

from capacity_pilot.core.errors import JournalError, LeaseError, PolicyError
from capacity_pilot.core.model import ScalableTarget
from capacity_pilot.core.pilot import Pilot, Step
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.core.ports import Clock, Journal
from capacity_pilot.core.reasons import Reason, name_reasons
from capacity_pilot.daemon.control_loop import ControlLoop
from capacity_pilot.daemon.policy_versions import DOCUMENT as POLICIES
from capacity_pilot.daemon.policy_versions import parse_kept

ACTIVE = b"active"

_DOCUMENT = "process-mode"
_MOST_TICKS = 120
_CUT = frozenset(name_reasons((Reason.LARGEST_STEP | Reason.ACCOUNT_QUOTA).value))
_PASSING = (Reason.UPDATE_IN_FLIGHT | Reason.TABLES_PER_MINUTE | Reason.CAPACITY_UNKNOWN).value

log = structlog.get_logger("capacity_pilot")


async def keep_mode(journal: Journal | None, mode: str) -> None:
    """Has whoever comes after a death know whether the process changed anything at all."""
    if journal is None:
        return
    try:
        await journal.save(_DOCUMENT, mode.encode())
    except (JournalError, LeaseError) as error:
        log.warning("mode_not_kept", error=str(error))


async def load_policies_in_force(journal: Journal | None) -> PolicySet | None:
    """What the last pilot that changed tables went by; ``None`` where there was none, or it kept
    nothing. Raises ``JournalError``.
    """
    if journal is None or await journal.load(_DOCUMENT) != ACTIVE:
        return None
    content = await journal.load(POLICIES)
    try:
        return None if content is None else parse_kept(content)
    except PolicyError as error:
        log.warning("kept_policies_left_aside", error=str(error))
        return None


async def raise_to_safe(
    loop: ControlLoop, *, clock: Clock, pause: Callable[[], Awaitable[None]]
) -> tuple[ScalableTarget, ...]:
    """The targets that were raised. ``loop`` has discovered its tables, and what is registered of
    them is known; ``pause`` lets a second pass and every call that was begun end.
    """
    pilot = loop.pilot
    pilot.give_up(clock.now())
    for _ in range(_MOST_TICKS):
        await loop.tick()
        await pause()
        if loop.last_step is None or not any(_list_awaited(pilot, loop.last_step)):
            break
        await loop.describe_due()
    return tuple(sorted(set(_list_raised(pilot))))


def _list_raised(pilot: Pilot) -> Iterator[ScalableTarget]:
    for table in pilot.descriptions:
        for deed in pilot.deeds.of(table):
            if deed.is_taken:
                yield from deed.plan.moving


def _list_awaited(pilot: Pilot, step: Step) -> Iterator[str]:
    """Tables that are still to be raised, and may be soon."""
    reasons = step.decisions.reasons
    for slot in np.flatnonzero(reasons & Reason.SAFE_LEVEL.value).tolist():
        table = step.fleet.target(slot).resource.table
        deed = pilot.deeds.last(table)
        is_held = step.decisions.action[slot] == 0 and not reasons[slot] & _PASSING
        is_whole = deed is not None and deed.is_taken and _CUT.isdisjoint(deed.plan.reasons)
        if not is_held and not is_whole:
            yield table


async def pause_for(tasks: set[asyncio.Task[None]]) -> None:
    """A second, and the end of every call."""
    await asyncio.sleep(1.0)
    await asyncio.gather(*tasks)
