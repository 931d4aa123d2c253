"""Values as operators write them: ``10m``, ``10ppm``, ``8x``, ``12.50 USD``, dates with times."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NaiveDatetime,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d)")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_PPM = re.compile(r"(\d+(?:\.\d+)?)\s*ppm")
_MULTIPLIER = re.compile(r"(\d+(?:\.\d+)?)\s*x")
_USD = re.compile(r"(\d+(?:\.\d+)?)\s*USD")
_MOMENT: TypeAdapter[object] = TypeAdapter(AwareDatetime | NaiveDatetime)


class Strict(BaseModel):
    """What is written by hand: a key nobody knows is a mistake, and nothing changes later.

    What stands below a key is its description in the JSON Schema that editors show.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def parse_duration(value: object) -> object:
    """Seconds of ``90s``, ``10m``, ``2h`` or ``7d``; what is not text is left as it is."""
    if isinstance(value, str):
        if not (match := _DURATION.fullmatch(value.strip())):
            raise ValueError(f"{value!r} is not a duration such as 90s, 10m, 2h or 7d")
        return float(match[1]) * _SECONDS[match[2]]
    return value


def say_duration(seconds: float) -> str:
    """As ``parse_duration`` reads it, in the largest unit that needs no fraction; a day is 24h."""
    if seconds > 86_400 and seconds % 86_400 == 0:
        return f"{seconds / 86_400:g}d"
    for unit, length in (("h", 3600), ("m", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds / length:g}{unit}"
    return f"{seconds:g}s"


def _parse_ppm(value: object) -> object:
    if isinstance(value, str):
        if not (match := _PPM.fullmatch(value.strip())):
            raise ValueError(f"{value!r} is not a number of parts per million such as 10ppm")
        return float(match[1])
    return value


def _parse_usd(value: object) -> object:
    if isinstance(value, str):
        if not (match := _USD.fullmatch(value.strip())):
            raise ValueError(f"{value!r} is not an amount such as 12.50 USD")
        return float(match[1])
    return value


def parse_multiplier(value: object) -> object:
    """The number of ``8x``; what is not text is left as it is."""
    if isinstance(value, str):
        if not (match := _MULTIPLIER.fullmatch(value.strip())):
            raise ValueError(f"{value!r} is not a multiple such as 8x")
        return float(match[1])
    return value


def _parse_moment(value: object) -> object:
    """A date with a time, with or without an offset from UTC. A bare number could be anything.

    What YAML has made of it is read again, for a plain ``datetime``.
    """
    refusal = f"{str(value)[:60]!r} is not a moment such as 2026-01-05T08:00+09:00"
    if isinstance(value, int | float):
        raise ValueError(refusal)  # noqa: TRY004 (pydantic wants a ValueError)
    try:
        return _MOMENT.validate_python(str(value))
    except ValidationError as cause:
        raise ValueError(refusal) from cause


def _as_written(pattern: re.Pattern[str], *examples: str) -> WithJsonSchema:
    """Text of that pattern, or a plain number in the same unit."""
    text = {"type": "string", "pattern": f"^\\s*{pattern.pattern}\\s*$", "examples": [*examples]}
    return WithJsonSchema({"anyOf": [text, {"type": "number"}]}, mode="validation")


_AS_DURATION: Final = _as_written(_DURATION, "90s", "10m", "2h", "7d")
AS_MULTIPLIER: Final = _as_written(_MULTIPLIER, "8x")
_AS_MOMENT: Final = WithJsonSchema(
    {
        "type": "string",
        "pattern": r"^\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d.*)?$",
        "examples": ["2026-01-05T08:00+09:00", "2026-01-05T08:00"],
    },
    mode="validation",
)

LEAST_PPM, MOST_PPM = 0.1, 100_000


def _is_one_line(text: str) -> str:
    """What is shown on terminals must not move their cursors."""
    if not text.isprintable():
        raise ValueError("is not one line of printable text")
    return text


Words = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_is_one_line),
]
AnyDuration = Annotated[float, BeforeValidator(parse_duration), _AS_DURATION]
"""Seconds, bounded by whoever asks for them."""

Duration = Annotated[AnyDuration, Field(ge=0, le=6 * 3600)]
Ppm = Annotated[
    float,
    BeforeValidator(_parse_ppm),
    Field(ge=LEAST_PPM, le=MOST_PPM),
    _as_written(_PPM, "10ppm"),
]
Usd = Annotated[
    float, BeforeValidator(_parse_usd), Field(gt=0, le=1e9), _as_written(_USD, "12.50 USD")
]
Multiplier = Annotated[
    float, BeforeValidator(parse_multiplier), Field(gt=0, le=1000), AS_MULTIPLIER
]
Moment = Annotated[AwareDatetime | NaiveDatetime, BeforeValidator(_parse_moment), _AS_MOMENT]
