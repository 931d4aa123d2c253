"""What a policy says of tables and indexes that nobody asks anything of for long."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from capacity_pilot.core.quantities import AnyDuration, Strict

MIN: Final = "min"


def _parse_level(written: object) -> object:
    is_whole = isinstance(written, int) and not isinstance(written, bool)
    if written is None or written == MIN or (is_whole and written >= 1):  # type: ignore[operator]
        return written
    raise ValueError(f"{written!r} is neither a number of units, 1 or more, nor {MIN!r}")


Level = Annotated[
    int | Literal["min"] | None,
    BeforeValidator(_parse_level),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1}, {"const": MIN}, {"type": "null"}]},
        mode="validation",
    ),
]


class IdleRule(Strict):
    """When reads or writes of a table or index count as idle, and what becomes of their capacity.

    They are idle when CloudWatch, which was watched all the time, has counted none.
    """

    after: Annotated[AnyDuration, Field(ge=3600, le=366 * 86_400)] = 7 * 86_400.0
    """After so long without any."""

    lower_to: Level = None
    """Units to be left with, less than min if so written, or min itself; without, they are told of
    and nothing is changed. The first request brings back what was needed, and safe or else min.
    """
