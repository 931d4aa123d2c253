"""What every process was told, asked and answered: the ground the laws stand on."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise

from tests.chaos.aws import Call


@dataclass(slots=True)
class Heard:
    """What one process was told of one target. Seconds and times are the run's.

    ``units`` by second; ``newest`` is the last of them and ``advanced_at`` when it was first told
    of, ``refused_at`` the newest second of which refusals were told.
    """

    units: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    newest: int = -1
    advanced_at: float = -float("inf")
    refused_at: float = -float("inf")

    def mean(self, since: int, until: int) -> float | None:
        """Of the seconds told of in ``since`` to before ``until``; ``None`` for less than half."""
        told = [self.units[s] for s in range(max(since, 0), until) if s in self.units]
        return sum(told) / len(told) if len(told) * 2 >= until - since and told else None

    def largest_step(self, since: int, until: int) -> float:
        """Between seconds told of that follow each other."""
        told = [self.units[s] for s in range(max(since, 0), until) if s in self.units]
        return max((abs(b - a) for a, b in pairwise(told)), default=0.0)


@dataclass(slots=True)
class Witnessed:
    """One process' calls by table: the updates, and the newest answer of DescribeTable."""

    updates: dict[str, list[Call]] = field(default_factory=lambda: defaultdict(list))
    described: dict[str, Call] = field(default_factory=dict)
    heard: dict[tuple[int, int], Heard] = field(default_factory=lambda: defaultdict(Heard))
