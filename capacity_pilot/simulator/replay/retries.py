"""Callers that come back when they are throttled, as the AWS SDKs do."""

from __future__ import annotations

from typing import Final

import numpy as np

from capacity_pilot.core.fleet import Floats

_WAITS_S: Final = {
    # botocore: 0.05 s doubled with each of 10 retries (data/_retry.json, dynamodb).
    "legacy": tuple(0.05 * 2**n for n in range(10)),
    # botocore/retries/standard.py: 2 retries after rand(0, 1) * min(2**n, 20) s for throttling;
    # the mean is taken.
    "standard": (0.5, 1.0),
}
"""Seconds a caller waits before each retry."""


class Retries:
    """What was throttled and will be tried again, in whole seconds, per slot (n,).

    Attempts that would come within the same second come in the next: the physics serves a
    second at a time.
    """

    def __init__(self, mode: str, size: int) -> None:
        waits = np.array(_WAITS_S[mode])
        self._waits = np.maximum(np.rint(waits), 1).astype(np.int64)
        self._ring = int(self._waits.max()) + 1
        # [second % ring, attempts already made - 1, slot]
        self._due = np.zeros((self._ring, len(waits), size))

    def take_due(self, second: int) -> Floats:
        """Units tried again in ``second`` by attempt, (attempts, n); they are no longer due."""
        row = self._due[second % self._ring]
        due: Floats = row.copy()
        row[:] = 0.0
        return due

    def come_back(self, second: int, *, fresh: Floats, due: Floats, throttled: Floats) -> Floats:
        """Files what was throttled of ``fresh`` (n,) and ``due`` demand; returns what gave up.

        All callers of a second are alike, so each attempt loses the same share.
        """
        offered = fresh + due.sum(axis=0)
        share = np.divide(throttled, offered, out=np.zeros_like(offered), where=offered > 0)
        lost = np.vstack((fresh, due)) * share
        for attempt, wait in enumerate(self._waits):
            self._due[(second + wait) % self._ring, attempt] += lost[attempt]
        given_up: Floats = lost[-1]
        return given_up
