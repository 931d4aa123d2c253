"""Which decreases led to a value: a chain of labels, cheap enough to carry with every value.

Values are ``cost << LABEL_BITS | label``, so that the cheaper of two takes its label along.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.fleet import Ints
from capacity_pilot.simulator.clairvoyant.bucket_steps import UNREACHABLE

LABEL_BITS: Final = 24

_LABEL: Final = (1 << LABEL_BITS) - 1
_LABELS: Final = 1 << 22


class Ledger(NamedTuple):
    """Decreases by label: their ``minute`` and the label of the one before; 0 is none.

    ``renamed`` is the last label that took a label's place. ``used`` (1,) counts the labels.
    """

    minute: npt.NDArray[np.int32]
    previous: npt.NDArray[np.int32]
    renamed: npt.NDArray[np.int32]
    used: Ints


@compiled
def new_ledger() -> Ledger:
    """Only what is used of it takes up memory."""
    ledger = Ledger(
        np.empty(_LABELS, np.int32),
        np.empty(_LABELS, np.int32),
        np.empty(_LABELS, np.int32),
        np.ones(1, np.int64),
    )
    ledger.renamed[0] = 0
    return ledger


@compiled
def relabel(reached: Ints, ledger: Ledger, t: int) -> None:
    """Enters a decrease in minute ``t`` for every label in ``reached`` and puts its label there.

    In a full ledger the labels stay: the plan will lack those decreases, the cost is unchanged.
    """
    earliest_new = ledger.used[0]
    for octave in range(reached.shape[0]):
        for i in range(reached.shape[1]):
            value = reached[octave, i]
            if value >= UNREACHABLE:
                break
            label = value & _LABEL
            if ledger.renamed[label] < earliest_new:
                new = ledger.used[0]
                if new == ledger.minute.size:
                    continue
                ledger.minute[new], ledger.previous[new], ledger.renamed[new] = t, label, 0
                ledger.renamed[label] = new
                ledger.used[0] += 1
            reached[octave, i] = value - label + ledger.renamed[label]


@compiled
def decreases_of(ledger: Ledger, value: int) -> Ints:
    """The minutes of the decreases that led to ``value``, in order."""
    label = value & _LABEL
    count, at = 0, label
    while at > 0:
        count, at = count + 1, ledger.previous[at]
    minutes = np.empty(count, np.int64)
    at = label
    for k in range(count - 1, -1, -1):
        minutes[k], at = ledger.minute[at], ledger.previous[at]
    return minutes
