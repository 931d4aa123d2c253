"""How much the pilot may change at most: of all tables together, or of one policy's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import BeforeValidator, Field

from capacity_pilot.core.quantities import AS_MULTIPLIER, Strict, parse_multiplier

_Step = Annotated[float, BeforeValidator(parse_multiplier), Field(gt=1, le=1000), AS_MULTIPLIER]


class Limits(Strict):
    """What a mistake may come to at most. ``None`` is no limit; none of them holds a person's
    override.
    """

    tables_changed_per_minute: int | None = Field(default=None, ge=1, le=100_000)
    """How many tables may be changed within a minute."""

    largest_step: _Step | None = None
    """How many times what is provisioned one change may ask for."""

    spend_per_hour: float | None = Field(default=None, gt=0, le=1e9)
    """US dollars an hour for all the provisioned capacity of the tables concerned."""


NO_LIMITS = Limits()


def strictest(several: Iterable[Limits]) -> Limits:
    """What holds where several limits do."""
    least: dict[str, float] = {}
    for limits in several:
        for name, value in limits.model_dump(exclude_none=True).items():
            least[name] = min(value, least.get(name, value))
    return Limits.model_validate(least)
