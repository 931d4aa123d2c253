"""When the policies' events and freezes come: cron expressions, time zones, public holidays.

Cron means what it means to Debian's: 0 and 7 are Sunday; a day-of-month and a day-of-week that are
both given are either's; what would come in the hour that clocks leave out in spring comes right
after it, and what comes in the hour they repeat in autumn comes once. (An expression with ``*`` as
hour just goes on by real time; Debian's does that for ``*/30 2`` as well, which would then come not
at all in spring and four times in autumn.) A single moment that clocks leave out is when they have
jumped, too, and one that they repeat is the first of the two; a freeze until then goes on until the
second. Hence cronsim rather than apscheduler's trigger, which
counts Monday as 0, wants both days, and repeats in autumn.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from holidays import HolidayBase, country_holidays

from capacity_pilot.adapters.yaml_nodes import Fault, Path
from capacity_pilot.core.errors import PolicyError
from capacity_pilot.core.events.declared import Event, Freeze, Timing
from capacity_pilot.core.events.occurrence import LOOKAHEAD_S, FreezeWindow, Occurrence
from capacity_pilot.core.policy import PolicySet, TablePolicy

_CRON_FIELDS = 5
_DST_SLACK_S = 3 * 3600.0
_SAMPLE = 60
_SAMPLE_YEARS = 5
_SAMPLE_BEGINS = datetime(2024, 1, 1, tzinfo=UTC)
_RENEW_S = 600.0


class PolicyCalendar:
    """Works out what comes next, a while at a time. Raises ``PolicyError`` for what never can."""

    def __init__(self, policies: PolicySet) -> None:
        for fault in find_faults(policies):
            raise PolicyError(f"{'.'.join(map(str, fault.path))}: {fault.message}")
        self.policies = policies
        self._renewed_at = float("inf")
        self._occurrences: tuple[Occurrence, ...] = ()
        self._freezes: tuple[FreezeWindow, ...] = ()

    def occurrences(self, now: float) -> list[Occurrence]:
        """Events that are not over and begin within ``LOOKAHEAD_S``, or shortly after."""
        self._renew(now)
        return [o for o in self._occurrences if now < o.ends_at]

    def freezes(self, now: float) -> list[FreezeWindow]:
        """Freezes in force."""
        self._renew(now)
        return [f for f in self._freezes if f.starts_at <= now < f.ends_at]

    def _renew(self, now: float) -> None:
        if self._renewed_at <= now < self._renewed_at + _RENEW_S:
            return
        until = now + LOOKAHEAD_S + _RENEW_S
        self._occurrences = tuple(self._find_occurrences(now, until))
        self._freezes = tuple(self._find_freezes(now, now + _RENEW_S))
        self._renewed_at = now

    def _find_occurrences(self, since: float, until: float) -> Iterator[Occurrence]:
        named: Counter[str] = Counter()
        for number, policy in enumerate(self.policies.policies):
            for event in policy.events:
                # By name, so that it stays the same when others are written above it.
                source = f"{policy.name}: {event.name}"
                named[source] += 1
                for at in _event_times(event, policy, since, until):
                    yield Occurrence(
                        source=f"{source} #{named[source]}",
                        expected=event,
                        starts_at=at,
                        ends_at=at + event.lasts,
                        policies=frozenset({number}),
                    )

    def _find_freezes(self, since: float, until: float) -> Iterator[FreezeWindow]:
        for number, policy in enumerate(self.policies.policies):
            for freeze in policy.freeze:
                for begins, ends in _freeze_times(freeze, policy, since, until):
                    yield FreezeWindow(
                        policy=number,
                        starts_at=begins,
                        ends_at=ends,
                        directions=frozenset(freeze.directions),
                    )


def find_faults(policies: PolicySet) -> Iterator[Fault]:
    """What of the policies' times can never be, and where it stands."""
    for number, policy in enumerate(policies.policies):
        path = ("policies", number)
        if policy.country is not None:
            yield from doubt_country(policy.country, (*path, "country"))
        timed: dict[str, list[Event | Freeze]] = {
            "events": [*policy.events],
            "freeze": [*policy.freeze],
        }
        for key, timings in timed.items():
            for position, timing in enumerate(timings):
                yield from doubt_timing(timing, (*path, key, position))


def doubt_country(country: str, path: Path) -> Iterator[Fault]:
    """Says so, of the place ``path``, if nobody knows the country's holidays."""
    try:
        _public_holidays(country)
    except (NotImplementedError, KeyError, ValueError):
        message = "no country, or part of one, whose holidays are known: write KR, or DE-BY"
        yield Fault(path, message)


def doubt_timing(timing: Event | Freeze, path: Path) -> Iterator[Fault]:
    """What is wrong with the time zone, the dates or the cron expression at ``path``."""
    try:
        ZoneInfo(timing.timezone)
    except (KeyError, ValueError, OSError):
        message = "no time zone of the IANA database, such as Asia/Seoul"
        yield Fault((*path, "timezone"), message)
        return
    if isinstance(timing, Freeze) and timing.begins and timing.until:
        begins = _resolve(timing.begins, timing.timezone)
        until = _resolve(timing.until, timing.timezone, is_end=True)
        if until <= begins:
            yield Fault((*path, "until"), "not after from")
    if timing.cron is not None and (doubt := _doubt_cron(timing.cron, timing)):
        yield Fault((*path, "cron"), doubt)


def find_past(policies: PolicySet, now: float) -> Iterator[Fault]:
    """Events and freezes of one time that is over: nothing is left of them."""
    for number, policy in enumerate(policies.policies):
        for position, event in enumerate(policy.events):
            if event.at and _resolve(event.at, event.timezone) + event.lasts <= now:
                yield Fault(("policies", number, "events", position, "at"), "is over")
        for position, freeze in enumerate(policy.freeze):
            if freeze.until and _resolve(freeze.until, freeze.timezone, is_end=True) <= now:
                yield Fault(("policies", number, "freeze", position, "until"), "is over")


def _event_times(event: Event, policy: TablePolicy, since: float, until: float) -> Iterator[float]:
    """When the event begins, of the times that are not over at ``since`` and begin by ``until``."""
    if event.at is not None:
        at = _resolve(event.at, event.timezone)
        if since - event.lasts < at <= until:
            yield at
    elif event.cron is not None:
        yield from _cron_times(event, policy.country, since - event.lasts, until)


def _freeze_times(
    freeze: Freeze, policy: TablePolicy, since: float, until: float
) -> Iterator[tuple[float, float]]:
    if freeze.begins is not None and freeze.until is not None:
        begins = _resolve(freeze.begins, freeze.timezone)
        yield begins, _resolve(freeze.until, freeze.timezone, is_end=True)
    elif freeze.lasts is not None:
        for at in _cron_times(freeze, policy.country, since - freeze.lasts, until):
            yield at, at + freeze.lasts


def _cron_times(timing: Timing, country: str | None, since: float, until: float) -> Iterator[float]:
    """The times after ``since`` and up to ``until`` that the expression and the holidays leave."""
    begin = datetime.fromtimestamp(since - _DST_SLACK_S, ZoneInfo(timing.timezone))
    for moment in CronSim(_by_the_clock(timing.cron or ""), begin):
        at = moment.timestamp()
        if at > until:
            return
        if at > since and _is_meant(moment.date(), timing, country):
            yield at


def _is_meant(day: date, timing: Timing, country: str | None) -> bool:
    if timing.holidays is None or country is None:
        return True
    return (day in _public_holidays(country)) == (timing.holidays == "only")


def _by_the_clock(cron: str) -> str:
    """The same expression in words that cronsim takes to mean times of day, not intervals."""
    fields = cron.split()
    if len(fields) != _CRON_FIELDS or fields[1] == "*":
        return cron
    for place, all_of_it in enumerate(("0-59", "0-23")):
        parts = fields[place].split(",")
        fields[place] = ",".join(
            all_of_it + part[1:] if part.startswith("*") else part for part in parts
        )
    return " ".join(fields)


def _resolve(moment: datetime, timezone: str, *, is_end: bool = False) -> float:
    """Unix seconds of a moment that has an offset of its own or means the time zone."""
    if moment.tzinfo:
        return moment.timestamp()
    zone = ZoneInfo(timezone)
    first, second = (moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    at, other = first.timestamp(), second.timestamp()
    if at <= other:
        return other if is_end else at
    # Left out: the two are read with the offset before the jump and with the one after it.
    after = second.utcoffset()
    between = range(int(other), int(at) + 1)
    has_jumped = 1
    jump = bisect_left(
        between, has_jumped, key=lambda t: datetime.fromtimestamp(t, zone).utcoffset() == after
    )
    return float(between[jump])


@lru_cache(maxsize=64)
def _public_holidays(country: str) -> HolidayBase:
    code, _, part = country.partition("-")
    return country_holidays(code, subdiv=part or None)


def _doubt_cron(cron: str, timing: Event | Freeze) -> str | None:
    doubt, least_s = _sample(cron)
    if doubt is not None:
        return doubt
    lead_s = (timing.lead or 0.0) if isinstance(timing, Event) else 0.0
    whole_s = (timing.lasts or 0.0) + lead_s
    if least_s < whole_s:
        return (
            f"comes again after {least_s:g} s while lead and lasts are {whole_s:g} s: "
            "one would run into the next"
        )
    return None


@lru_cache(maxsize=4096)
def _sample(cron: str) -> tuple[str | None, float]:
    """What is wrong with an expression, and the least seconds from one of its times to the next.

    Asked for the same expressions at every change of policies.
    """
    if len(cron.split()) != _CRON_FIELDS:
        return "not five fields: minute, hour, day of month, month, day of week", 0.0
    try:
        times = list(islice(CronSim(cron, _SAMPLE_BEGINS), _SAMPLE))
    except CronSimError as error:
        return f"not a cron expression: {str(error).lower()}", 0.0
    if not times:
        return "never comes", 0.0
    gaps = ((later - earlier).total_seconds() for earlier, later in pairwise(times))
    return None, min(gaps, default=float("inf"))
