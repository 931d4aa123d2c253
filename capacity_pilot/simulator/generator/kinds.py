"""The kinds of table there are, as what they are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Levels are relative to the mean of people's traffic in a social app.

    ``size`` is the table's mean in parts of what was asked for.
    """

    people: float
    nightly: float = 0.0
    hourly: float = 0.0
    visits: float = 0.0
    has_pushes: bool = False
    has_news: bool = False
    has_outages: bool = False
    has_launch: bool = False
    size: float = 1.0


_SOCIAL: Final = Kind(people=1.0, nightly=0.5, has_pushes=True)

KINDS: Final[Mapping[str, Kind]] = {
    "social-day": _SOCIAL,
    "launch": replace(_SOCIAL, has_launch=True),
    "outage": replace(_SOCIAL, has_outages=True),
    "batch": Kind(people=0.1, nightly=6.0, hourly=1.5),
    "idle": Kind(people=0.3, visits=6.0, size=0.001),
    "push-day": replace(_SOCIAL, has_news=True),
}
