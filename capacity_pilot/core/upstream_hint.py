"""What a policy says of a signal that leads its tables' demand, until that has been learned."""

from __future__ import annotations

from typing import Annotated, Final
from zlib import crc32

from pydantic import Field, model_validator

from capacity_pilot.core.quantities import AnyDuration, Strict, Words

MOST_HINTS: Final = 4
"""As many as signals may lead a target: each has a place there."""

LONGEST_LAG_S: Final = 128.0
"""What comes later than twice of it is not looked for."""

_Units = Annotated[float, Field(gt=0, le=1e6)]


class Gain(Strict):
    """Units of the table that one count of the signal brings in all."""

    read: _Units | None = None
    """Read units."""

    write: _Units | None = None
    """Write units."""

    @model_validator(mode="after")
    def _says_something(self) -> Gain:
        if self.read is None and self.write is None:
            raise ValueError("of what? name read or write, or leave gain out: it is learned")
        return self


class UpstreamHint(Strict):
    """A signal that moves before the table's demand does, and what comes of it.

    It holds from the first time the signal moves until what came of it has been learned, and is
    dropped where that is something else.
    """

    signal: Words
    """Its name, as in feed-api GET /feed: what status shows, or a demand file's further column."""

    gain: Gain | None = None
    """Units that one count brings; without, the first time teaches it and the second is met."""

    lag: Annotated[AnyDuration, Field(ge=1, le=LONGEST_LAG_S)] = 30.0
    """How long they take on average."""

    lasts: Annotated[AnyDuration, Field(ge=1, le=600)] = 60.0
    """How long it goes on once it moves: what a first raise is sized for."""

    @property
    def key(self) -> float:
        """A number for what it says: another hint is a new one."""
        gain = (None, None) if self.gain is None else (self.gain.read, self.gain.write)
        return float(crc32(repr((self.signal, gain, self.lag, self.lasts)).encode()))
