"""What one partition key may be asked for in a second, however much its table has.

A partition serves 3,000 read and 1,000 write units a second (AWS developer guide, partitions).
Each partition key is taken to have one to itself, as it comes to where DynamoDB splits for heat;
that a key range splits further, or that cold keys share one, is not modelled.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from capacity_pilot.core.model import Dimension

MOST_UNITS: Final = {Dimension.READ: 3000.0, Dimension.WRITE: 1000.0}


class KeyRanges:
    """Units of the current second by slot and partition key; only requests are counted."""

    def __init__(self) -> None:
        self._served: dict[tuple[int, Hashable], float] = {}
        self._second = 0

    def begin_second(self, second: int) -> None:
        if self._served and second > self._second:
            self._served.clear()
        self._second = max(self._second, second)

    def has_room(self, slot: int, dimension: Dimension, partition: Hashable, units: float) -> bool:
        """True if the key's partition serves as many units more; a request that touches no one
        partition, its key ``None``, is spread over all.
        """
        if partition is None:
            return True
        return self._served.get((slot, partition), 0.0) + units <= MOST_UNITS[dimension]

    def take(self, slot: int, partition: Hashable, units: float) -> None:
        if partition is not None:
            key = (slot, partition)
            self._served[key] = self._served.get(key, 0.0) + units
