"""What operators ask for: bounds and risk per table pattern.

The YAML is read elsewhere (``adapters/policy_source``); here is what it may say and what it means.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Literal

from pydantic import ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from capacity_pilot.core.escape.rules import OnDemandEscape
from capacity_pilot.core.events.declared import Event, Freeze
from capacity_pilot.core.idle_rule import IdleRule
from capacity_pilot.core.inheritance import fill_in
from capacity_pilot.core.limits import NO_LIMITS, NOTHING_RESERVED, Limits, Reserved
from capacity_pilot.core.matching import Match, Tags
from capacity_pilot.core.model import Resource
from capacity_pilot.core.modes import Mode, Rivalry
from capacity_pilot.core.notices import Notification
from capacity_pilot.core.prices import PUBLIC_PRICES, Prices
from capacity_pilot.core.quantities import Duration, Ppm, Strict
from capacity_pilot.core.upstream_hint import MOST_HINTS, UpstreamHint


def _may_be_inherited(schema: dict[str, Any]) -> None:
    """What a schema of one file cannot know: a bound may be said in another one."""
    schema.pop("required", None)


class Bounds(Strict):
    """Least and most units of one dimension."""

    model_config = ConfigDict(json_schema_extra=_may_be_inherited)

    min: int = Field(ge=1)
    """Never less units per second than this."""

    max: int = Field(ge=1)
    """Never more units per second than this."""

    safe: int | None = Field(default=None, ge=1)
    """Units that are enough while nothing at all is known of demand, after hand_back_after."""

    @model_validator(mode="after")
    def _are_ordered(self) -> Bounds:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        if self.safe is not None and not self.min <= self.safe <= self.max:
            raise ValueError(f"safe {self.safe} is not within {self.min} to {self.max}")
        return self


class ResourceBounds(Strict):
    """Bounds of one resource; a dimension without bounds is never touched."""

    read: Bounds | None = None
    """Bounds of reads."""

    write: Bounds | None = None
    """Bounds of writes."""


class ScaleIn(Strict):
    """How willingly capacity is lowered."""

    stabilization: Duration = 150.0
    """Lower only to the highest need of so long a time."""

    reserve_decreases: int = Field(default=1, ge=0, le=4)
    """How many of the day's four free decreases are kept for surprises."""

    cooldown: Duration = 0.0
    """Least time from one decrease of a table or index to the next."""


class ScaleOut(Strict):
    """How fast capacity is raised; how far at once is largest_step's to say, of limits."""

    cooldown: Duration = Field(default=0.0, le=600)
    """Least time from one increase of a table or index to the next; what comes meanwhile may be
    throttled.
    """


class TablePolicy(Strict):
    """What holds for the tables that match, and for their indexes unless named apart."""

    name: str
    """What it is called, in what is told of it and in announcements."""

    match: Match
    """Which tables it is for."""

    mode: Mode = Mode.ACTIVE
    """How far the pilot goes with them."""

    auto_scaling: Rivalry = Rivalry.REFUSE
    """What active mode does where Application Auto Scaling is at work already: refuse to change
    anything, or suspend its scale-in.
    """

    read: Bounds | None = None
    """Bounds of reads, of the table and of each index; without, reads are never touched."""

    write: Bounds | None = None
    """Bounds of writes, of the table and of each index; without, writes are never touched."""

    indexes: dict[str, ResourceBounds] = Field(default_factory=dict)
    """Bounds of indexes, by shell pattern; what is not said is the table's, min and max apart."""

    risk: Ppm = 10.0
    """Throttled units you can live with, in parts per million."""

    burst_reliance: float = Field(default=0.5, ge=0, le=1)
    """The share of the burst bucket to count on, 0 to 1; AWS promises none."""

    scale_out: ScaleOut = ScaleOut()
    """When its capacity is raised again."""

    scale_in: ScaleIn = ScaleIn()
    """When its capacity is lowered, and how willingly."""

    limits: Limits = NO_LIMITS
    """What a mistake may come to at most, of this policy's tables together."""

    prices: Prices = PUBLIC_PRICES
    """What its capacity is reckoned to cost, for limits and for what is told of costs."""

    hand_back_after: Duration = Field(default=1800.0, ge=60)
    """After so long of knowing nothing of a table at all it is handed back: to Application Auto
    Scaling where that has a target, else raised to what is safe.
    """

    on_demand_escape: OnDemandEscape = None
    """Whether a table that needs more than its bounds or the account's quota allow is switched to
    on-demand, and back: true, or when and how often.
    """

    idle: IdleRule | None = None
    """What is done with a table or index that nobody asks anything of for long, if anything."""

    upstream: list[UpstreamHint] = Field(default_factory=list, max_length=MOST_HINTS)
    """Signals known to move before demand does, which is learned, too, but not before it happens.
    """

    country: str | None = Field(default=None, max_length=20)
    """Whose public holidays events and freezes mean: KR, or DE-BY for a part of a country."""

    events: list[Event] = Field(default_factory=list, max_length=100)
    """Load known beforehand: capacity is in force before it, and nothing is lowered meanwhile."""

    freeze: list[Freeze] = Field(default_factory=list, max_length=100)
    """Times in which capacity is not moved."""

    @model_validator(mode="after")
    def _bounds_something(self) -> TablePolicy:
        named: list[TablePolicy | ResourceBounds] = [self, *self.indexes.values()]
        bounds_none = all(bounds.read is None and bounds.write is None for bounds in named)
        if bounds_none and self.mode is not Mode.OFF:
            raise ValueError("gives no bounds: name read, write or indexes")
        return self

    @model_validator(mode="after")
    def _drives_what_may_escape(self) -> TablePolicy:
        if self.on_demand_escape is not None and self.mode is Mode.FLOOR:
            raise ValueError("on_demand_escape has no use in mode floor: the table is not driven")
        return self

    @model_validator(mode="after")
    def _says_whose_holidays(self) -> TablePolicy:
        timed: list[Event | Freeze] = [*self.events, *self.freeze]
        if self.country is None and any(at.holidays is not None for at in timed):
            raise ValueError("holidays of which country? name it, as in country: KR")
        return self

    @model_validator(mode="after")
    def _names_signals_once(self) -> TablePolicy:
        names = [hint.signal for hint in self.upstream]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"upstream names the signal {name!r} more than once")
        return self

    def bounds(self, resource: Resource) -> ResourceBounds:
        """An index takes the first pattern that fits, dimension by dimension, else the table's."""
        own = ResourceBounds(read=self.read, write=self.write)
        if not resource.index:
            return own
        for pattern, named in self.indexes.items():
            if fnmatchcase(resource.index, pattern):
                return ResourceBounds(read=named.read or own.read, write=named.write or own.write)
        return own


class SomeBounds(Strict):
    """Bounds of which the rest is said elsewhere."""

    min: int | None = Field(default=None, ge=1)
    """Never less units per second than this."""

    max: int | None = Field(default=None, ge=1)
    """Never more units per second than this."""

    safe: int | None = Field(default=None, ge=1)
    """Units that are enough while nothing at all is known of demand, after hand_back_after."""


class Defaults(Strict):
    """What holds for the policies that do not say otherwise, key by key."""

    mode: Mode = Mode.ACTIVE
    """How far the pilot goes."""

    auto_scaling: Rivalry = Rivalry.REFUSE
    """What active mode does where Application Auto Scaling is at work already."""

    read: SomeBounds | None = None
    """Bounds of reads; a policy undoes them by read: null."""

    write: SomeBounds | None = None
    """Bounds of writes; a policy undoes them by write: null."""

    risk: Ppm = 10.0
    """Throttled units you can live with, in parts per million."""

    burst_reliance: float = Field(default=0.5, ge=0, le=1)
    """The share of the burst bucket to count on, 0 to 1."""

    scale_out: ScaleOut = ScaleOut()
    """When capacity is raised again."""

    scale_in: ScaleIn = ScaleIn()
    """When capacity is lowered, and how willingly."""

    hand_back_after: Duration = Field(default=1800.0, ge=60)
    """After so long of knowing nothing of a table at all it is handed back."""

    idle: IdleRule | None = None
    """What is done with a table or index that nobody asks anything of for long."""

    country: str | None = Field(default=None, max_length=20)
    """Whose public holidays events and freezes mean."""

    prices: Prices = PUBLIC_PRICES
    """What capacity is reckoned to cost."""


class SharedKeys(Strict):
    """What may be said of all policies: of a file's, or in ``defaults.yaml`` of a folder's."""

    version: Literal[1]
    """Of this language."""

    defaults: Defaults = Defaults()
    """What holds for the policies that do not say otherwise."""

    limits: Limits = NO_LIMITS
    """What a mistake may come to at most, of all tables together."""

    reserved: Reserved = NOTHING_RESERVED
    """Capacity reserved with AWS: no decrease goes below what it comes to for all tables."""

    notifications: list[Notification] = Field(default_factory=list, max_length=20)
    """Who is told of what is worth waking someone for."""


class PolicySet(SharedKeys):
    """A policy file. The first policy whose pattern fits a table is the table's."""

    policies: list[TablePolicy] = Field(min_length=1)
    """In their order: the first whose pattern fits a table is the table's."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in_defaults(cls, written: Any) -> Any:
        if not isinstance(written, dict) or not isinstance(written.get("policies"), list):
            return written
        defaults = written.get("defaults", {})
        try:
            Defaults.model_validate(defaults)
        except ValidationError:
            defaults = {}  # the field's own validation says so, and where
        if not isinstance(defaults, dict):
            return written
        return {**written, "policies": [fill_in(p, defaults) for p in written["policies"]]}

    _tags: Mapping[str, Tags] = PrivateAttr(default_factory=dict)

    @property
    def tags(self) -> Mapping[str, Tags]:
        """Those known, by table."""
        return self._tags

    def knowing(self, tags: Mapping[str, Tags]) -> PolicySet:
        """The same policies over tables with these tags, by the tables' names."""
        told = self.model_copy()
        told.__dict__.pop("_numbers", None)
        told._tags = tags  # noqa: SLF001 (its own kind)
        return told

    def hangs_on_tags(self, table: str) -> bool:
        """True if it takes the table's tags to say whose it is."""
        if not self._goes_by_tags:
            return False
        fits = (policy.match.fits(table, None) for policy in self.policies)
        return next((fit for fit in fits if fit is not False), False) is None

    @cached_property
    def _goes_by_tags(self) -> bool:
        return any(policy.match.tags for policy in self.policies)

    def mode_for(self, table: str) -> Mode:
        """What the table's policy asks for; off where there is none."""
        policy = self.policy_for(table)
        return Mode.OFF if policy is None else policy.mode

    def policy_for(self, table: str) -> TablePolicy | None:
        number = self.number_for(table)
        return None if number is None else self.policies[number]

    def number_for(self, table: str) -> int | None:
        """The position of a table's policy in the set: names need not be unique."""
        numbers = self._numbers
        if table not in numbers:
            numbers[table] = self._find_number(table)
        return numbers[table]

    @cached_property
    def _numbers(self) -> dict[str, int | None]:
        """Those found so far: patterns are gone through once for each table."""
        return {}

    def _find_number(self, table: str) -> int | None:
        """None as long as it hangs on tags that were not read: to take the next policy that fits
        would be to drive the table by another's.
        """
        tags = self._tags.get(table)
        for number, policy in enumerate(self.policies):
            fits = policy.match.fits(table, tags)
            if fits is not False:
                return number if fits else None
        return None
