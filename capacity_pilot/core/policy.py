"""What operators ask for: bounds and risk per table pattern, and the arrays made of it.

The YAML is read elsewhere (``adapters/policy_source``); here is what it may say and what it means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from capacity_pilot.core.fleet import Bools, Fleet, Floats
from capacity_pilot.core.model import AccountLimits, Dimension, Resource

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h)")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_PPM = re.compile(r"(\d+(?:\.\d+)?)\s*ppm")


def parse_duration(value: object) -> object:
    """Seconds of ``90s``, ``10m`` or ``2h``; what is not text is left as it is."""
    if isinstance(value, str):
        if not (match := _DURATION.fullmatch(value.strip())):
            raise ValueError(f"{value!r} is not a duration such as 90s, 10m or 2h")
        return float(match[1]) * _SECONDS[match[2]]
    return value


def _parse_ppm(value: object) -> object:
    if isinstance(value, str):
        if not (match := _PPM.fullmatch(value.strip())):
            raise ValueError(f"{value!r} is not a number of parts per million such as 10ppm")
        return float(match[1])
    return value


Duration = Annotated[float, BeforeValidator(parse_duration), Field(ge=0, le=6 * 3600)]
Ppm = Annotated[float, BeforeValidator(_parse_ppm), Field(ge=0.1, le=100_000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Bounds(_Strict):
    """Least and most units of one dimension."""

    min: int = Field(ge=1)
    max: int = Field(ge=1)

    @model_validator(mode="after")
    def _are_ordered(self) -> Bounds:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


class ResourceBounds(_Strict):
    """Bounds of one resource; a dimension without bounds is never touched."""

    read: Bounds | None = None
    write: Bounds | None = None


class ScaleIn(_Strict):
    """How willingly capacity is lowered."""

    stabilization: Duration = 600.0
    reserve_decreases: int = Field(default=1, ge=0, le=4)


class Match(_Strict):
    """Which tables: shell patterns, compared case-sensitively as DynamoDB does."""

    tables: list[str] = Field(min_length=1)


class TablePolicy(_Strict):
    """What holds for the tables that match, and for their indexes unless named apart."""

    name: str
    match: Match
    read: Bounds | None = None
    write: Bounds | None = None
    indexes: dict[str, ResourceBounds] = Field(default_factory=dict)
    risk: Ppm = 10.0
    burst_reliance: float = Field(default=0.5, ge=0, le=1)
    scale_in: ScaleIn = ScaleIn()

    @model_validator(mode="after")
    def _bounds_something(self) -> TablePolicy:
        named: list[TablePolicy | ResourceBounds] = [self, *self.indexes.values()]
        if all(bounds.read is None and bounds.write is None for bounds in named):
            raise ValueError("gives no bounds: name read, write or indexes")
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


class PolicySet(_Strict):
    """A policy file. The first policy whose pattern fits a table is the table's."""

    version: Literal[1]
    policies: list[TablePolicy] = Field(min_length=1)

    def policy_for(self, table: str) -> TablePolicy | None:
        return next(
            (p for p in self.policies if any(fnmatchcase(table, m) for m in p.match.tables)), None
        )


@dataclass(frozen=True, slots=True)
class PolicyArrays:
    """A policy set spread over a fleet's slots, all (n,).

    ``quantile`` is the forecast quantile that ``risk`` asks for; ``stabilization_s`` seconds.
    """

    is_managed: Bools
    floor: Floats
    ceiling: Floats
    quantile: Floats
    burst_reliance: Floats
    stabilization_s: Floats
    reserve_decreases: Floats


def quantile_for(risk_ppm: float) -> float:
    """The demand quantile to size for: 10 ppm asks for 0.99, 1 ppm for 0.999.

    A second above the quantile throttles only the part above it, and only once the burst bucket
    is dry, hence the factor of a thousand.
    """
    return 1.0 - min(max(risk_ppm * 1e-3, 1e-4), 0.5)


def spread_policies(policies: PolicySet, fleet: Fleet, limits: AccountLimits) -> PolicyArrays:
    """Bounds and knobs per slot; maxima above the account's table limit are cut to it."""
    size = len(fleet)
    arrays = PolicyArrays(
        is_managed=np.zeros(size, dtype=np.bool_),
        floor=np.ones(size),
        ceiling=np.ones(size),
        quantile=np.full(size, quantile_for(10.0)),
        burst_reliance=np.zeros(size),
        stabilization_s=np.full(size, 600.0),
        reserve_decreases=np.ones(size),
    )
    most = {Dimension.READ: limits.table_read, Dimension.WRITE: limits.table_write}
    for slot in range(size):
        target = fleet.target(slot)
        policy = policies.policy_for(target.resource.table)
        if policy is None:
            continue
        arrays.quantile[slot] = quantile_for(policy.risk)
        arrays.burst_reliance[slot] = policy.burst_reliance
        arrays.stabilization_s[slot] = policy.scale_in.stabilization
        arrays.reserve_decreases[slot] = policy.scale_in.reserve_decreases
        bounds = getattr(policy.bounds(target.resource), target.dimension.label)
        if bounds is not None:
            arrays.is_managed[slot] = True
            arrays.floor[slot] = min(bounds.min, most[target.dimension])
            arrays.ceiling[slot] = min(bounds.max, most[target.dimension])
    return arrays
