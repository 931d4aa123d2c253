"""How much the pilot may change at most, and what it need not lower."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import BeforeValidator, Field

from capacity_pilot.core.quantities import AS_MULTIPLIER, Strict, Usd, parse_multiplier

_Step = Annotated[float, BeforeValidator(parse_multiplier), Field(gt=1, le=1000), AS_MULTIPLIER]


class Limits(Strict):
    """What a mistake may come to at most. ``None`` is no limit; none of them holds a person's
    override.
    """

    tables_changed_per_minute: int | None = Field(default=None, ge=1, le=100_000)
    """How many tables may be changed within a minute."""

    largest_step: _Step | None = None
    """How many times what is provisioned one change may ask for."""

    spend_per_hour: Usd | None = None
    """US dollars an hour for all the provisioned capacity of the tables concerned, by prices."""


NO_LIMITS = Limits()


def strictest(several: Iterable[Limits]) -> Limits:
    """What holds where several limits do."""
    least: dict[str, float] = {}
    for limits in several:
        for name, value in limits.model_dump(exclude_none=True).items():
            least[name] = min(value, least.get(name, value))
    return Limits.model_validate(least)


class Reserved(Strict):
    """Units reserved for all the tables together; what others use of them is to be left out."""

    read: int = Field(default=0, ge=0, le=100_000_000)
    """Reserved read units."""

    write: int = Field(default=0, ge=0, le=100_000_000)
    """Reserved write units."""


NOTHING_RESERVED = Reserved()


def most_reserved(several: Iterable[Reserved]) -> Reserved:
    """What several files say of the one reservation there is: the most of each."""
    said = [NOTHING_RESERVED, *several]
    return Reserved(read=max(r.read for r in said), write=max(r.write for r in said))
