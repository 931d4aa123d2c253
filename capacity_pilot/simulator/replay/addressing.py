"""What telemetry tells by workload and by column, as the pilot takes it: by slot and by number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from capacity_pilot.core.demand import Arrivals
from capacity_pilot.core.errors import InvariantError
from capacity_pilot.core.fleet import Fleet, Floats, Ints
from capacity_pilot.core.forecast.upstream import NO_SIGNALS, SignalArrivals
from capacity_pilot.core.model import Dimension, Resource
from capacity_pilot.simulator.replay.signal_feed import Heard
from capacity_pilot.simulator.replay.telemetry import Told

_NONE: Ints = np.zeros(0, dtype=np.int64)
_NOTHING_HEARD = Heard(_NONE, _NONE, np.zeros(0))

_Located = tuple[Ints, Ints, Floats, Floats, Floats]
"""The arrays of ``Arrivals``."""


class Addressing:
    """Of a fleet that has every one of ``tables``, in the order of the workloads.

    ``signal_tables`` are the tables of the signals, by number; ``began_at`` is the Unix time of the
    replay's first second.
    """

    def __init__(
        self,
        fleet: Fleet,
        tables: Sequence[str],
        *,
        signal_tables: Sequence[str],
        dimension: Dimension,
        began_at: float,
    ) -> None:
        slot_of: dict[str, int] = {}
        for table in tables:
            slot = fleet.slot(Resource(table), dimension)
            if slot is None:
                raise InvariantError(f"the pilot has no slot for {table}, which it was made for")
            slot_of[table] = slot
        self.fleet = fleet
        self._slots: Ints = np.array([slot_of[table] for table in tables], dtype=np.int64)
        self._began_at = int(began_at)
        signal_slots = np.array([slot_of[table] for table in signal_tables], dtype=np.int64)
        self._table_of: Floats = fleet.table_of[signal_slots].astype(np.float64)
        self._has_heard = False

    def place(self, told: Sequence[Told]) -> Arrivals:
        """Demand by slot."""
        if not told:
            return Arrivals.none()
        parts = [self._locate(news) for news in told]
        if len(parts) == 1:
            return Arrivals(*parts[0])
        slots, seconds, units, refusals, throttled = map(np.concatenate, zip(*parts, strict=True))
        return Arrivals(slots, seconds, units, refusals, throttled)

    def number(self, heard: Heard | None) -> SignalArrivals:
        """Signals by number; until one is heard of the pilot knows of none."""
        if heard is None:
            if not self._has_heard:
                return NO_SIGNALS
            heard = _NOTHING_HEARD
        self._has_heard = True
        signals, seconds, counts = heard
        return SignalArrivals(signals, self._began_at + seconds, counts, self._table_of, _NONE)

    def _locate(self, news: Told) -> _Located:
        second, units, _, refusals, throttled, is_told = news
        slots = self._slots
        if np.count_nonzero(is_told) < len(slots):
            slots, units = slots[is_told], units[is_told]
            refusals, throttled = refusals[is_told], throttled[is_told]
        seconds = np.full(len(slots), self._began_at + second, dtype=np.int64)
        return slots, seconds, units, refusals, throttled
