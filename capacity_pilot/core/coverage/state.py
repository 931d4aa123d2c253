"""What is remembered of each target's coverage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from capacity_pilot.core.coverage.minutes import Minutes, last_whole_minute
from capacity_pilot.core.fleet import Bools, Floats, Ints
from capacity_pilot.core.reasons import Reason, Reasons


@dataclass(frozen=True, slots=True)
class CoverageState:
    """What coverage remembers. All (n,), NaN for unknown or never, times in Unix seconds.

    ``ratio``, ``error``, ``spread``, ``compared``, ``since`` and ``is_suspect`` as in
    ``ratio.Comparison``; ``newest_at`` is when the last minute known to both ended. ``factor`` is
    what demand is multiplied by. ``ratio_before`` was the ratio until ``changed_at``, when a change
    was noticed. ``is_unseen``: CloudWatch goes on counting, but no span tells of it.
    ``throttles_told_at`` is when CloudWatch last told of throttles that no span had told of.
    ``doubts`` are the reasons not to lower capacity on what is known of ``coverage``: the share of
    units spans tell of, 0 where they tell of none.
    """

    minutes: Minutes
    ratio: Floats
    error: Floats
    spread: Floats
    compared: Ints
    since: Ints
    newest_at: Floats
    factor: Floats
    ratio_before: Floats
    changed_at: Floats
    is_suspect: Bools
    is_unseen: Bools
    throttles_told_at: Floats
    doubts: Reasons
    coverage: Floats
    is_correcting: bool = False

    @classmethod
    def empty(cls, size: int, now: float) -> Self:
        unknown = np.full(size, np.nan)
        return cls(
            minutes=Minutes.empty(size, now),
            ratio=unknown,
            error=unknown,
            spread=unknown,
            compared=np.zeros(size, dtype=np.int64),
            since=np.full(size, last_whole_minute(now) + 1),
            newest_at=unknown,
            factor=np.ones(size),
            ratio_before=unknown,
            changed_at=unknown,
            is_suspect=np.zeros(size, dtype=np.bool_),
            is_unseen=np.zeros(size, dtype=np.bool_),
            throttles_told_at=unknown,
            doubts=np.full(size, Reason.COVERAGE_UNKNOWN.value),
            coverage=unknown,
        )
