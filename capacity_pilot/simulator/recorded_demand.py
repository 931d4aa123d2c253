"""Demand that a daemon's journal keeps, as workloads to replay."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from capacity_pilot.adapters.demand_record import HOUR_S, HourOfDemand
from capacity_pilot.core.errors import InputError
from capacity_pilot.core.fleet import Floats
from capacity_pilot.core.model import Dimension, ScalableTarget
from capacity_pilot.simulator.workload import Workload

_LEAST_KNOWN_S = 60
_MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class Recording:
    """Demand of tables and indexes from Unix second ``start`` on, a whole minute; all as long."""

    start: int
    workloads: dict[Dimension, list[Workload]]

    @property
    def seconds(self) -> int:
        return next(w.seconds for alike in self.workloads.values() for w in alike)


def read_recording(hours: Iterable[HourOfDemand], *, last_s: float) -> Recording:
    """The last ``last_s`` seconds that are known of any table or index.

    What is not known in between is drawn as a line between what is. Raises ``InputError`` where
    less than a minute is known.
    """
    known = [hour for hour in hours if hour.units]
    if not known:
        raise InputError("the journal holds no demand: a daemon keeps it every quarter of an hour")
    first = min(hour.start for hour in known)
    size = max(hour.start for hour in known) + HOUR_S - first
    rows: dict[ScalableTarget, Floats] = {}
    for hour in known:
        at = hour.start - first
        for target, units in hour.units.items():
            row = rows.setdefault(target, np.full(size, np.nan))
            row[at : at + HOUR_S] = units
    spans = [np.flatnonzero(~np.isnan(row)) for row in rows.values()]
    end = max((int(span[-1]) + 1 for span in spans if len(span)), default=0)
    begin = max(end - int(last_s), min((int(span[0]) for span in spans if len(span)), default=0))
    begin += -(first + begin) % _MINUTE_S
    workloads: dict[Dimension, list[Workload]] = {dimension: [] for dimension in Dimension}
    for target in sorted(rows):
        seen = rows[target][begin:end]
        if np.count_nonzero(~np.isnan(seen)) >= _LEAST_KNOWN_S:
            workloads[target.dimension].append(_workload(target, seen))
    if not any(workloads.values()):
        raise InputError(f"the journal holds less than {_LEAST_KNOWN_S} s of any table's demand")
    return Recording(first + begin, workloads)


def _workload(target: ScalableTarget, seen: Floats) -> Workload:
    is_recorded = ~np.isnan(seen)
    seconds = np.arange(len(seen))
    demand = np.interp(seconds, seconds[is_recorded], seen[is_recorded])
    return Workload(
        name=str(target.resource),
        of_index=target.resource if target.resource.index else None,
        demand=demand,
        requests=demand,
        is_recorded=is_recorded,
        factor=1.0,
        bin_s=1,
        is_seconds_real=True,
    )
