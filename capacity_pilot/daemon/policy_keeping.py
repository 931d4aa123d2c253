"""Policies in force, and how others take their place: as one whole between two ticks.

What was read is parsed, checked and spread over the fleet in a thread; the loop only exchanges
one set for another. What is wrong with a new one leaves the old one in force, and is told.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import structlog

from capacity_pilot.adapters.agenda import RunningAgenda
from capacity_pilot.adapters.calendar import PolicyCalendar
from capacity_pilot.adapters.policy_sources.texts import PolicySource
from capacity_pilot.core.errors import PolicyError, RetryableError, SourceError
from capacity_pilot.core.matching import Tags
from capacity_pilot.core.ports import Clock
from capacity_pilot.core.record import RecordKind
from capacity_pilot.core.spread import Spread, choose_fleet, spread
from capacity_pilot.daemon.bookkeeping import Bookkeeper
from capacity_pilot.daemon.control_loop import ControlLoop
from capacity_pilot.daemon.moments import render_time
from capacity_pilot.daemon.policy_versions import PolicyReader, PolicyVersion, keep
from capacity_pilot.web.metrics import Metric

_TRIES = 3
_SHORT = 12

log = structlog.get_logger("capacity_pilot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Followers:
    """What goes by the policies. ``after_change`` is called once others are in force, and begins
    what nobody waits for: tables to be read, and what is to be given back.
    """

    loop: ControlLoop
    agenda: RunningAgenda
    after_change: Callable[[], object]
    is_active: Callable[[], bool]


class PolicyKeeper:
    """Keeps the version in force, and ``follow``s its source until cancelled.

    ``fault`` is why the source's latest is not in force, since ``fault_at``.
    """

    def __init__(
        self,
        version: PolicyVersion,
        *,
        source: PolicySource,
        reader: PolicyReader,
        followers: Followers,
        book: Bookkeeper,
        clock: Clock,
    ) -> None:
        self.version = version
        self.in_force_since = clock.now()
        self.fault = version.fault
        self.fault_at: float | None = None if version.fault is None else clock.now()
        self._source = source
        self._reader = reader
        self._followers = followers
        self._book = book
        self._clock = clock
        self._turn = asyncio.Lock()
        self._tags: Mapping[str, Tags] = {}
        self._outcomes: Counter[str] = Counter()
        self._kept_hash: str | None = version.hash if version.is_kept else None
        self._refused_hash: str | None = None

    async def follow(self) -> None:
        """Reads the source again whenever it may have changed."""
        async for _ in self._source.changes():
            await self.reload_quietly("it changed")

    async def reload_quietly(self, why: str) -> None:
        """What goes wrong is told in the log, ``/status`` and ``/metrics``."""
        try:
            await self.reload(why)
        except (PolicyError, SourceError):
            return

    async def reload(self, why: str) -> dict[str, object]:
        """Reads the source and puts what it says in force; gives what is in force then.

        Raises ``PolicyError`` for policies that cannot be followed, ``SourceError`` where they
        cannot be read.
        """
        async with self._turn:
            try:
                texts = await self._source.read()
                if texts.hash == self.version.hash:
                    return self._stay()
                version = await asyncio.to_thread(
                    self._reader.read, texts, source=self._source.address, now=self._clock.now()
                )
            except SourceError as error:
                self._note_fault("policies_unreadable", str(error), outcome="unreadable")
                raise
            except PolicyError as error:
                self._note_refusal(str(error), texts.hash)
                raise
            await self._adopt(version, why)
            return self.report() | {"is_changed": True}

    async def retag(self, tags: Mapping[str, Tags]) -> None:
        """Puts the same policies in force over tables with these tags, as a whole, too."""
        async with self._turn:
            self._tags = tags
            version, _ = await self._put_in_force(self.version)
            log.info("tags_changed", tables=len(tags), hash=version.hash)
            self._followers.after_change()

    async def save(self) -> None:
        """Has the journal hold the version in force, where that is this pilot's to do."""
        journal = self._book.journal
        if journal is None or self._kept_hash == self.version.hash:
            return
        if not self._followers.is_active():
            return
        version = self.version
        try:
            await keep(version, journal)
        except RetryableError as error:
            log.warning("policies_not_kept", error=str(error), hash=version.hash[:_SHORT])
        else:
            self._kept_hash = version.hash

    def note(self, why: str) -> None:
        """Records the version in force."""
        version = self.version
        body = {
            "hash": version.hash,
            "source": version.source,
            "why": why,
            "read_at": version.read_at,
            "is_kept": version.is_kept,
            "versions": {each.name: each.version for each in version.texts.texts},
            "policies": [policy.name for policy in version.policies.policies],
        }
        self._book.note(RecordKind.POLICIES_ADOPTED, body=body)
        if version.is_kept:
            told = {"source": version.source, "kept": version.hash, "error": version.fault}
            log.error("policies_outdated", **told)

    def report(self) -> dict[str, object]:
        """What the API says of it."""
        version = self.version
        return {
            "hash": version.hash,
            "source": version.source,
            "in_force_since": render_time(self.in_force_since),
            "read_at": render_time(version.read_at),
            "is_kept": version.is_kept,
            "versions": {each.name: each.version for each in version.texts.texts},
            "policies": [policy.name for policy in version.policies.policies],
            "fault": self.fault,
            "fault_since": None if self.fault_at is None else render_time(self.fault_at),
        }

    def measure(self) -> Iterator[Metric]:
        """What ``/metrics`` says of it."""
        version = self.version
        yield Metric(
            name="capacity_pilot_policy_in_force_since_seconds",
            kind="gauge",
            told="When the policies in force took the place of others, Unix seconds.",
            samples=[({"hash": version.hash[:_SHORT]}, self.in_force_since)],
        )
        yield Metric(
            name="capacity_pilot_policy_is_outdated",
            kind="gauge",
            told="1 while the source's policies are refused or cannot be read.",
            samples=[({}, float(self.fault is not None))],
        )
        yield Metric(
            name="capacity_pilot_policy_reloads_total",
            kind="counter",
            told="Times that the source was read after the start, by what came of it.",
            samples=[({"outcome": name}, float(n)) for name, n in sorted(self._outcomes.items())],
        )

    def _stay(self) -> dict[str, object]:
        """The source says what is in force."""
        self._outcomes["unchanged"] += 1
        if self.fault is not None:
            log.info("policies_right_again", hash=self.version.hash)
        self.fault = self.fault_at = self._refused_hash = None
        return self.report() | {"is_changed": False}

    async def _adopt(self, version: PolicyVersion, why: str) -> None:
        version, before = await self._put_in_force(version)
        self.in_force_since = self._clock.now()
        self.fault = self.fault_at = self._refused_hash = None
        self._outcomes["adopted"] += 1
        log.info(
            "policies_adopted",
            hash=version.hash,
            before=before.hash,
            source=version.source,
            why=why,
            policies=[policy.name for policy in version.policies.policies],
        )
        self.note(why)
        await self.save()
        self._followers.after_change()

    async def _put_in_force(self, version: PolicyVersion) -> tuple[PolicyVersion, PolicyVersion]:
        """The version with the tags that are known, and the one before it."""
        version = replace(version, policies=version.policies.knowing(self._tags))
        calendar = await asyncio.to_thread(_open_calendar, version, self._clock.now())
        ready = await self._spread(version)
        before = self.version
        # From here to the last of these lines nothing else runs.
        self._followers.agenda.adopt(calendar)
        self._followers.loop.adopt(ready)
        self.version = version
        return version, before

    async def _spread(self, version: PolicyVersion) -> Spread:
        """Over the fleet that there will be; tables may come and go meanwhile."""
        pilot = self._followers.loop.pilot
        for _ in range(_TRIES):
            resources, limits = pilot.resources, pilot.limits
            listed = self._followers.loop.listed

            def make() -> Spread:
                for table in listed:  # noqa: B023 - is over before the next round
                    version.policies.number_for(table)
                fleet = choose_fleet(version.policies, resources)  # noqa: B023
                return spread(version.policies, fleet, limits)  # noqa: B023

            ready = await asyncio.to_thread(make)
            if pilot.resources == resources and pilot.limits == limits:
                break
        return ready

    def _note_refusal(self, fault: str, refused: str) -> None:
        is_news = refused != self._refused_hash
        self._refused_hash = refused
        self._note_fault("policies_refused", fault, outcome="refused", is_news=is_news)
        if is_news:
            body = {"hash": refused, "source": self._source.address, "errors": fault.splitlines()}
            self._book.note(RecordKind.POLICIES_REFUSED, body=body)

    def _note_fault(self, event: str, fault: str, *, outcome: str, is_news: bool = False) -> None:
        self._outcomes[outcome] += 1
        if is_news or fault != self.fault:
            log.error(
                event,
                source=self._source.address,
                error=fault,
                kept=self.version.hash,
                do="correct it: until then the policies stay as they are",
            )
        if self.fault is None:
            self.fault_at = self._clock.now()
        self.fault = fault


def _open_calendar(version: PolicyVersion, now: float) -> PolicyCalendar:
    """With what comes next worked out."""
    calendar = PolicyCalendar(version.policies)
    calendar.occurrences(now)
    return calendar
