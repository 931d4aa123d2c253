"""What operators say of load to come: a policy's events and freezes, announcements over the API.

Cron expressions, time zones and countries are checked by whoever reads the calendar
(``adapters/calendar``); here is what may be said and what it means.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from capacity_pilot.core.model import Direction
from capacity_pilot.core.quantities import (
    AnyDuration,
    Duration,
    Moment,
    Multiplier,
    Strict,
    Words,
)

_DAY_S = 86_400
_MOST_AUDIENCE = 10_000_000_000

Name = Annotated[str, Field(min_length=1, max_length=100)]
"""Of an event or an announcement. Occurrences of one name teach each other what to expect."""

EventLength = Annotated[AnyDuration, Field(gt=0, le=_DAY_S)]
_FreezeLength = Annotated[AnyDuration, Field(gt=0, le=366 * _DAY_S)]
Audience = Annotated[int, Field(ge=1, le=_MOST_AUDIENCE)]


class Load(Strict):
    """What a target has to carry while an event lasts; the highest of what is given holds."""

    at_least: int | None = Field(default=None, ge=1, le=10_000_000)
    """Units per second."""

    multiplier: Multiplier | None = None
    """A multiple of what is usual just before."""

    per_recipient: float | None = Field(default=None, gt=0, le=1e6)
    """The peak's units per second for each recipient, until that was learned."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.at_least is None and self.multiplier is None and self.per_recipient is None:
            raise ValueError("says no load: name at_least, multiplier or per_recipient")
        return self


class Loads(Strict):
    """The load of each dimension; nothing is said of one that is left out."""

    read: Load | None = None
    """Reads to carry."""

    write: Load | None = None
    """Writes to carry."""


class Expected(Loads):
    """What is expected of an event or an announcement."""

    name: Name
    """Occurrences of one name teach each other what to expect."""

    lead: Duration | None = None
    """How long before it begins its capacity is ordered at the latest; two apply times before it
    is ordered anyway.
    """

    audience: Audience | None = None
    """How many recipients there are; what one of them brings is learned."""

    indexes: dict[str, Loads] = Field(default_factory=dict)
    """Loads of indexes, by shell pattern; the others have the table's."""

    def of(self, index: str) -> Loads:
        """The loads of a table (``""``) or an index, which takes those of the first pattern that
        fits, dimension by dimension, else the table's.
        """
        if index:
            for pattern, named in self.indexes.items():
                if fnmatchcase(index, pattern):
                    return Loads(read=named.read or self.read, write=named.write or self.write)
        return self

    @model_validator(mode="after")
    def _has_recipients(self) -> Self:
        named: list[Loads] = [self, *self.indexes.values()]
        loads = (load for loads in named for load in (loads.read, loads.write) if load is not None)
        if self.audience is None and any(load.per_recipient is not None for load in loads):
            raise ValueError("per_recipient needs an audience")
        return self


class Timing(Strict):
    """When: again and again by ``cron``, in ``timezone``, or once."""

    cron: str | None = Field(default=None, max_length=200)
    """Minute, hour, day of month, month, day of week, as in 0 8 * * MON-FRI."""

    timezone: str = Field(default="UTC", max_length=100)
    """Of the IANA database, such as Asia/Seoul; daylight saving is kept to."""

    holidays: Literal["skip", "only"] | None = None
    """What of cron's days to leave out by the public holidays of the policy's country."""

    @model_validator(mode="after")
    def _knows_holidays_by_cron(self) -> Self:
        if self.cron is None and self.holidays is not None:
            raise ValueError("holidays goes with cron: a single date is what it is")
        return self


class Event(Timing, Expected):
    """A load known beforehand, from ``cron`` or from the one moment ``at`` on."""

    at: Moment | None = None
    """When, if it comes once; without an offset from UTC, in the time zone."""

    lasts: EventLength = 1800.0
    """How long what it brings has to be carried, and nothing is lowered."""

    @model_validator(mode="after")
    def _has_one_time(self) -> Self:
        if (self.cron is None) == (self.at is None):
            raise ValueError("when? name either cron or at")
        return self


class Freeze(Timing):
    """A time in which capacity is not moved: by ``cron`` and ``lasts``, or ``from`` ``until``.

    Only decreases are held unless ``directions`` says otherwise: to hold increases is to throttle.
    """

    lasts: _FreezeLength | None = None
    """How long it lasts from each of cron's times on."""

    begins: Moment | None = Field(default=None, alias="from")
    """When it begins, if it comes once."""

    until: Moment | None = None
    """When it ends, if it comes once."""

    directions: tuple[Direction, ...] = Field(default=(Direction.IN,), min_length=1)
    """What is held: decreases (in), increases (out), or both."""

    @model_validator(mode="after")
    def _has_one_time(self) -> Self:
        by_cron = (self.cron is not None, self.lasts is not None)
        by_dates = (self.begins is not None, self.until is not None)
        if {by_cron, by_dates} != {(True, True), (False, False)}:
            raise ValueError("when? name either cron and lasts, or from and until")
        return self


class Told(Expected):
    """What is announced. Unlike a policy's event it has to say something of the load: whoever
    announces a moment alone would expect more of it than that nothing is lowered.
    """

    lasts: EventLength = 1800.0
    """How long what it brings has to be carried, and nothing is lowered."""

    @model_validator(mode="after")
    def _says_what_comes(self) -> Self:
        if self.audience is None and self.read is None and self.write is None and not self.indexes:
            raise ValueError("what comes? name audience, read, write or indexes")
        return self


Patterns = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=255)]], Field(min_length=1, max_length=100)
]
"""Shell patterns of table names."""


class Caller(Strict):
    """Who asks for something, and why, as far as they say."""

    by: Words | None = None
    why: Words | None = None


class Announcement(Told):
    """Load told of over the API: for the tables of a policy, or those that match a pattern. Who
    told of it, and why, is kept with it.
    """

    at: AwareDatetime
    by: Words | None = None
    why: Words | None = None
    policy: str | None = Field(default=None, min_length=1, max_length=200)
    tables: Patterns | None = None

    @model_validator(mode="after")
    def _has_one_scope(self) -> Self:
        if (self.policy is None) == (self.tables is None):
            raise ValueError("for which tables? name either policy or tables")
        return self
