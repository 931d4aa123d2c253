"""One run: what the world is like, what it is asked for and what goes wrong in it.

Seconds are counted from the run's beginning. Whatever is broken is whole again ``PROOF_S`` before
the end, and from then on demand is steady at a level that nothing provides for yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from capacity_pilot.core.model import Resource, ScalableTarget
from capacity_pilot.core.policy import PolicySet
from tests.chaos.faults import PRIMARY, SECOND, BadCalls, BadDisk, Fault, Span

PROOF_S: Final = 240
SPARE: Final = "index-spare"
TAG: Final = "policy"
IDLE_AFTER_S: Final = 3600
_MOST_POLICIES: Final = 100
"""Of more tables one policy is for all, as the first has it."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One resource: units it has at first, and its demand by dimension, (2, seconds).

    One that is ``spare`` is not there until somebody adds it.
    """

    resource: Resource
    units: int
    demand: Floats
    spare: bool = False


class Idle(NamedTuple):
    """Units that who is idle is lowered to, below its floor, and those it wakes to."""

    level: int
    safe: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """All of a run. ``floor`` and ``ceiling`` are the policy's, for every target of its table.

    Where tables ``may_escape``, they are asked for more than the ceiling, and on-demand is the way.
    Where targets are ``scaled`` by Application Auto Scaling, the policies are in floor mode, and
    what its operator has registered are their bounds. With a lease there are two pilots that share
    a state table, and ``drifts`` are how much too fast their clocks run, as a fraction. The account
    has ``account_units`` of reads, and of writes. Policies that go ``by_tags`` are for tables with
    a tag of the table's name, and ``idle`` are the rules of those that have one. ``every_s`` is how
    often the pilots do what they do again and again, by name, where it is not as usual.
    """

    seed: int
    began_at: float
    seconds: int
    tables: tuple[str, ...]
    targets: tuple[Target, ...]
    floor: dict[str, int]
    ceiling: int
    apply_s: float
    lag_s: float
    updates_per_second: float
    stabilization_s: float
    has_cloudwatch: bool
    faults: tuple[Fault, ...]
    may_escape: bool = False
    scaled: frozenset[ScalableTarget] = frozenset()
    has_lease: bool = False
    account_units: int = 200_000
    by_tags: bool = False
    idle: Mapping[str, Idle] = field(default_factory=dict)
    every_s: Mapping[str, float] = field(default_factory=dict)
    drifts: tuple[float, float] = (0.0, 0.0)

    @property
    def proof_at(self) -> float:
        return float(self.seconds - PROOF_S)

    @property
    def bad_disks(self) -> list[Span]:
        return [fault.during for fault in self.faults if isinstance(fault, BadDisk)]

    def bad_journals(self, place: int) -> list[Span]:
        """When the journal may not take what the pilot there writes: its disk, or the table."""
        return self.bad_disks + [
            fault.during
            for fault in self.faults
            if isinstance(fault, BadCalls)
            and "TransactWriteItems" in fault.operations
            and fault.place in (None, place)
        ]

    @property
    def is_floor(self) -> bool:
        """True where Application Auto Scaling's minimum is what the pilots change."""
        return bool(self.scaled)

    @property
    def places(self) -> tuple[int, ...]:
        """Where a pilot runs from the beginning on."""
        return (PRIMARY, SECOND) if self.has_lease else (PRIMARY,)

    def policies(self) -> PolicySet:
        return PolicySet.model_validate(self.written_policies())

    def written_policies(self) -> dict[str, Any]:
        """As an operator writes them."""
        if len(self.tables) > _MOST_POLICIES:
            return {"version": 1, "policies": [self._write_policy(self.tables[0], of="*")]}
        return {"version": 1, "policies": [self._write_policy(table) for table in self.tables]}

    def _write_policy(self, table: str, *, of: str | None = None) -> dict[str, Any]:
        bounds = {"min": self.floor[table], "max": self.ceiling}
        rule, idle = self.idle.get(table), {}
        if rule is not None:
            bounds = bounds | {"safe": rule.safe}
            idle = {"idle": {"after": IDLE_AFTER_S, "lower_to": rule.level}}
        return {
            **idle,
            "name": table,
            "mode": "floor" if self.is_floor else "active",
            "match": {"tags": {TAG: table}} if self.by_tags else {"tables": [of or table]},
            "read": bounds,
            "write": bounds,
            "on_demand_escape": {"after": 10, "return_after": 300} if self.may_escape else False,
            "scale_in": {"stabilization": self.stabilization_s, "reserve_decreases": 0},
        }
