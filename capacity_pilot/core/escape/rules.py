"""What a policy says of leaving for on-demand and of coming back."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from capacity_pilot.core.billing import MOST_SWITCHES
from capacity_pilot.core.quantities import AnyDuration, Strict


class EscapeRules(Strict):
    """When a table is switched to on-demand and back, and how often; durations in seconds."""

    after: Annotated[AnyDuration, Field(ge=0, le=3600)] = 30.0
    """To on-demand once a need has been out of reach for so long."""

    return_after: Annotated[AnyDuration, Field(ge=300, le=24 * 3600)] = 1800.0
    """Back once all needs have been within reach for so long."""

    switches_per_day: int = Field(default=MOST_SWITCHES, ge=1, le=MOST_SWITCHES)
    """How many of the four switches to on-demand that AWS allows in 24 hours are made."""


def _read_rules(written: object) -> object:
    """``true`` is all of it as it comes, ``false`` none."""
    if isinstance(written, bool):
        return EscapeRules() if written else None
    return written


OnDemandEscape = Annotated[
    EscapeRules | None,
    BeforeValidator(_read_rules, json_schema_input_type=bool | EscapeRules | None),
]
