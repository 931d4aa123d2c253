"""Keeps up with Application Auto Scaling: reads what is registered, suspends, gives back."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

import structlog

from capacity_pilot.adapters.aws.auto_scaling import MOST_RESOURCES
from capacity_pilot.adapters.aws.registrations import Registrations
from capacity_pilot.core.auto_scaling import Registration
from capacity_pilot.core.errors import GatewayError, InputError, RetryableError
from capacity_pilot.core.holds import Hold
from capacity_pilot.core.model import Resource, ScalableTarget
from capacity_pilot.core.modes import Mode, Rivalry
from capacity_pilot.core.pilot import Pilot
from capacity_pilot.core.ports import Clock
from capacity_pilot.core.standing import find_unsuspended, is_bounded

WATCH_S = 5.0
"""Between looks whether something is due to be read."""

_READ_S = 60.0
_CALLS_AT_ONCE = 20
"""Four calls a second on average. AWS publishes no limit of this API; 10,000 tables take 100 s."""

_POLICIES_AT_ONCE = 5
_HAND_BACK_S = 10.0
_PAUSE_S, _LONGEST_PAUSE_S = 10.0, 300.0

log = structlog.get_logger("capacity_pilot")


class ScalingWatch:
    """Call ``look`` every ``WATCH_S``. ``reread`` describes tables anew, so that what is registered
    of them reaches the pilot; ``may_change`` is false in shadow and without the lease.

    ``last_read_at`` is when Application Auto Scaling last answered, ``fault`` why it last did not.
    """

    def __init__(
        self,
        pilot: Pilot,
        registrations: Registrations,
        *,
        clock: Clock,
        counts: Counter[str],
        reread: Callable[[Iterable[str]], Awaitable[None]],
        may_change: Callable[[], bool],
    ) -> None:
        self.last_read_at: float | None = None
        self.fault: str | None = None
        self._pilot = pilot
        self._registrations = registrations
        self._anew: set[str] = set()
        self._clock = clock
        self._counts = counts
        self._reread = reread
        self._may_change = may_change
        self._pause_s = 0.0
        self._paused_until = 0.0
        self._turn = asyncio.Lock()
        self._has_ended = False

    async def take_up(self) -> None:
        """What an earlier holder of the lease has changed is ours to give back from now on.

        Where that cannot be read nothing is changed; ``look`` tries again. What is to be suspended
        waits for the next look alone, not for a minute until it is due to be read.
        """
        holds = self._registrations.holds
        holds.is_loaded = False
        try:
            await holds.load()
        except (RetryableError, InputError) as error:
            self._note_fault(str(error))
        self.recheck(t for t in self._pilot.descriptions if self._find_unsuspended(t))

    async def look(self) -> None:
        """Reads what is due, pauses longer and longer while that fails, and acts on it."""
        async with self._turn:
            if self._clock.now() >= self._paused_until and not self._has_ended:
                await self._look()

    async def _look(self) -> None:
        tables: set[str] = set()
        try:
            for batch in self._choose():
                await self._registrations.read(batch)
                self.last_read_at = self._clock.now()
                tables |= {resource.table for resource in batch}
            if self._may_change():
                await self._keep_promises(tables)
        except (RetryableError, InputError) as error:
            self._pause(error)
        else:
            if tables:
                self._pause_s, self.fault = 0.0, None
            await self._learn_policies()
        for change in self._registrations.take_foreign_changes():
            self._counts["foreign_registrations"] += 1
            log.warning(
                "registration_changed_by_others",
                target=str(change.target),
                before=_render(change.before),
                after=_render(change.after),
            )
        await self._reread(self._find_news(tables))

    def recheck(self, tables: Iterable[str]) -> None:
        """Other policies drive these tables: the next look reads what is registered of them."""
        self._anew |= set(tables)

    async def hand_back(self) -> None:
        """Gives back all that is held: the end. Says so, and of what could not be given back."""
        async with self._turn:
            self._has_ended = True
            held = tuple(self._registrations.holds.all)
            if held and self._may_change():
                await self._give_back_all(held)

    async def _give_back_all(self, held: Sequence[ScalableTarget]) -> None:
        fault: str | None = None
        try:
            async with asyncio.timeout(_HAND_BACK_S):
                await self._registrations.give_back(held)
        except TimeoutError:
            fault = f"not done within {_HAND_BACK_S:g} s"
        except RetryableError as error:
            fault = str(error)
        left = set(self._registrations.holds.all)
        done = [str(target) for target in held if target not in left]
        log.info("auto_scaling_given_back", targets=done)
        if left:
            log.error(
                "auto_scaling_not_given_back",
                error=fault,
                targets=sorted(map(str, left)),
                do="capacity-pilot hand-back, or start again",
            )

    def report(self) -> dict[str, object]:
        """What ``/status`` says of it."""
        holds = self._registrations.holds.all
        return {
            "auto_scaling": {
                "last_read_at": self.last_read_at,
                "fault": self.fault,
                "registered": [
                    {"target": str(r.target), "is_held": r.target in holds, **(_render(r) or {})}
                    for r in self._registrations.known
                ],
            }
        }

    def _choose(self) -> Iterator[list[Resource]]:
        """Batches of resources that are due, the longest unread first."""
        now = self._clock.now()
        described = [r.resource for d in self._pilot.descriptions.values() for r in d.resources]
        self._registrations.forget_others(described)
        read_at = {r: self._registrations.read_at(r) or 0.0 for r in described}
        read_at |= {r: 0.0 for r in described if r.table in self._anew}
        self._anew.clear()
        due = sorted((r for r in described if now - read_at[r] >= _READ_S), key=read_at.__getitem__)
        for first in range(0, min(len(due), _CALLS_AT_ONCE * MOST_RESOURCES), MOST_RESOURCES):
            yield due[first : first + MOST_RESOURCES]

    async def _learn_policies(self) -> None:
        """A few at a time, since AWS reads the alarms of each; nothing is decided by them."""
        known = dict.fromkeys(r.target.resource for r in self._registrations.known)
        awaited = (r for r in known if self._registrations.awaits_policies(r))
        for resource in itertools.islice(awaited, _POLICIES_AT_ONCE):
            try:
                await self._registrations.read_policies(resource)
            except GatewayError as error:
                log.info("scaling_policies_not_read", resource=str(resource), error=str(error))
                return
            self._warn_of_idle(resource)

    def _warn_of_idle(self, resource: Resource) -> None:
        policy = self._pilot.policies.policy_for(resource.table)
        if policy is None or policy.mode is not Mode.FLOOR:
            return
        for r in self._registrations.known:
            if r.target.resource == resource and not r.has_policy:
                log.warning("nothing_scales_in", target=str(r.target), why="no scaling policy")

    async def _keep_promises(self, tables: Iterable[str]) -> None:
        """Changes what is to be changed of tables that were read, and gives back the rest."""
        if not self._registrations.holds.is_loaded:
            await self._registrations.holds.load()
        # First what another mode held, so that what is held next is all the hold is for.
        await self._give_back_unwanted()
        await self._suspend(tables)

    async def _suspend(self, tables: Iterable[str]) -> None:
        """Suspends the scale-in of what is driven itself, where its policy says so."""
        found = [r for table in tables for r in self._find_unsuspended(table)]
        if not found:
            return
        failure = await self._registrations.suspend_scale_in(found)
        await self._registrations.read([r.target.resource for r in found])
        if failure is not None:
            raise failure
        log.info("scale_in_suspended", targets=[str(r.target) for r in found])

    def _find_unsuspended(self, table: str) -> list[Registration]:
        """What is to have its scale-in suspended of a table, by what was last read of it."""
        policy = self._pilot.policies.policy_for(table)
        description = self._pilot.descriptions.get(table)
        if policy is None or policy.mode is not Mode.ACTIVE or description is None:
            return []
        found = find_unsuspended(self._registrations.complete(description), policy)
        return [r for r in found if not self._pilot.is_handed_back(r.target)]

    async def _give_back_unwanted(self) -> None:
        """What another mode held, or a policy that is gone: it is nobody's to change any more. And
        what nothing has been known of for long, until it is again.
        """
        unwanted = [h.target for h in self._registrations.holds.all.values() if not self._wants(h)]
        if unwanted:
            await self._registrations.give_back(unwanted)
            log.info("auto_scaling_given_back", targets=[str(target) for target in unwanted])

    def _wants(self, hold: Hold) -> bool:
        at = hold.target
        policy = self._pilot.policies.policy_for(at.resource.table)
        if policy is None or not is_bounded(policy, at.resource, at.dimension):
            return False
        if self._pilot.is_handed_back(at):
            return False
        if hold.minimum is not None and policy.mode is not Mode.FLOOR:
            return False
        if hold.resumes_scale_in:
            return policy.mode is Mode.ACTIVE and policy.auto_scaling is Rivalry.SUSPEND
        return policy.mode is Mode.FLOOR

    def _find_news(self, tables: Iterable[str]) -> list[str]:
        """The tables of which the pilot knows other registrations than were read."""
        known = self._pilot.descriptions
        return [
            table
            for table in tables
            if table in known
            and known[table].registrations
            != self._registrations.complete(known[table]).registrations
        ]

    def _pause(self, error: RetryableError | InputError) -> None:
        self._pause_s = min(max(2 * self._pause_s, _PAUSE_S), _LONGEST_PAUSE_S)
        self._paused_until = self._clock.now() + self._pause_s
        self._note_fault(str(error), again_in_s=self._pause_s)

    def _note_fault(self, fault: str, **more: object) -> None:
        self.fault = fault
        self._counts["auto_scaling_failures"] += 1
        log.warning("auto_scaling_failed", error=fault, **more)


def _render(registration: Registration | None) -> dict[str, object] | None:
    if registration is None:
        return None
    suspended = registration.suspension
    return {
        "minimum": registration.minimum,
        "maximum": registration.maximum,
        "found_minimum": registration.found_minimum,
        "has_policy": registration.has_policy,
        "scale_in_suspended": suspended.scale_in,
        "scale_out_suspended": suspended.scale_out,
    }
