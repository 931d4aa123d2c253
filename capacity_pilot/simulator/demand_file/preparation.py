"""From a file's bins to the seconds a world is asked for."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.fleet import Bools, Floats, Ints
from capacity_pilot.simulator.demand_file.reading import DemandFile
from capacity_pilot.simulator.workload import Workload

MAX_DAYS: Final = 366
_MOST_MEAN: Final = 1e9
_DAY_S: Final = 86_400
_NEIGHBOURHOOD_S: Final = 300


def prepare_workload(
    file: DemandFile, *, mean: float | None, days: float | None, seed: int
) -> Workload:
    """The file's first ``days`` days in seconds, scaled to ``mean`` units/s.

    One factor serves the whole file: the one that brings the mean over all its recorded bins,
    also those after ``days``, to ``mean``; with ``None`` counts are units. Files at one second
    are replayed as they are, each count being so many requests. Coarser bins become a rate, linear
    between the bins' centres and edges and with each bin's total unchanged, and seeded Poisson
    arrivals of one unit each.

    Bins without a row get demand all the same: linear between the means of the five minutes (or
    the one bin) on either side, with Poisson draws of whole counts. Draws depend on ``seed`` and
    the file's name alone, and fewer ``days`` are a prefix of more.

    Memory: 17 bytes per second (9 when bins are coarser), 8 more per signal, twice that while
    preparing a one-second file. Raises ``InputError``.
    """
    if not 0 <= seed < 1 << 64:
        raise InputError(f"the seed is {seed}; it must be from 0 to {(1 << 64) - 1}")
    factor = _factor(file, mean)
    seconds = _seconds(file, days)
    rng = np.random.default_rng([seed, _number_of(file.name)])
    is_recorded = _recorded(file, seconds)
    if file.bin_s == 1:
        requests = _filled(file, file.counts, seconds)
        requests[~is_recorded] = rng.poisson(requests[~is_recorded])
        demand = requests * factor
    else:
        demand = _per_second(_filled(file, file.counts, seconds), file.bin_s, seconds)
        for day in _days_of(seconds):
            demand[day] = rng.poisson(demand[day] * factor)
        requests = demand
    return Workload(
        name=file.name,
        demand=demand,
        requests=requests,
        is_recorded=is_recorded,
        factor=factor,
        bin_s=file.bin_s,
        is_seconds_real=file.bin_s == 1,
        signals={name: _signal(file, values, is_recorded) for name, values in file.signals.items()},
    )


def _factor(file: DemandFile, mean: float | None) -> float:
    if mean is None:
        return 1.0
    if not 0 < mean <= _MOST_MEAN:
        raise InputError(
            f"the mean is {mean} units/s; it must be above 0, at most {_MOST_MEAN:.0f}"
        )
    recorded = float(file.counts.mean()) / file.bin_s
    factor = mean / recorded if recorded else math.inf
    if factor == math.inf:
        raise InputError(
            f"{file.path}: the mean count is {recorded:g}/s; no factor brings that to {mean} "
            "units/s"
        )
    return factor


def _seconds(file: DemandFile, days: float | None) -> int:
    wanted = math.inf if days is None else days * _DAY_S
    if not wanted >= 1:
        raise InputError(f"days is {days}; it must be at least one second, {1 / _DAY_S:.7f}")
    seconds = file.seconds if wanted >= file.seconds else round(wanted)
    if seconds > MAX_DAYS * _DAY_S:
        raise InputError(
            f"{file.path}: {seconds / _DAY_S:.1f} days; at most {MAX_DAYS} are replayed (say how "
            "many days to take)"
        )
    return seconds


def _number_of(name: str) -> int:
    """The same for a name in every process, unlike ``hash``."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def _bins_needed(file: DemandFile, seconds: int) -> int:
    """Bins that reach into the first ``seconds``, and one more, since a bin's slope heeds it."""
    return min(-(-seconds // file.bin_s) + 1, int(file.bins[-1]) + 1)


def _recorded(file: DemandFile, seconds: int) -> Bools:
    """(seconds,)"""
    recorded = np.zeros(_bins_needed(file, seconds), dtype=np.bool_)
    recorded[file.bins[: np.searchsorted(file.bins, len(recorded))]] = True
    return np.repeat(recorded, file.bin_s)[:seconds]


def _filled(file: DemandFile, values: Floats, seconds: int) -> Floats:
    """(bins,) for one-second files cut to (seconds,): ``values`` (rows,), and means in the gaps."""
    size = seconds if file.bin_s == 1 else _bins_needed(file, seconds)
    inside = int(np.searchsorted(file.bins, size))
    filled = np.full(size, np.nan)
    filled[file.bins[:inside]] = values[:inside]
    missing = np.flatnonzero(np.isnan(filled))
    if len(missing):
        filled[missing] = _between(file, values, missing)
    return filled


def _between(file: DemandFile, values: Floats, missing: Ints) -> Floats:
    """For bins without a row: linear from the mean before their gap to the mean after it."""
    reach = max(1, _NEIGHBOURHOOD_S // file.bin_s)
    last = np.flatnonzero(np.diff(file.bins) > 1)  # the row before each gap
    total = np.concatenate(([0.0], np.cumsum(values)))
    first = np.searchsorted(file.bins, file.bins[last] - reach, side="right")
    before = (total[last + 1] - total[first]) / (last + 1 - first)
    end = np.searchsorted(file.bins, file.bins[last + 1] + reach)
    after = (total[end] - total[last + 1]) / (end - last - 1)
    knots = np.column_stack([file.bins[last], file.bins[last + 1]]).ravel()
    means = np.column_stack([before, after]).ravel()
    between: Floats = np.interp(missing, knots, means)
    # Cancellation in the running total can leave a trace below zero.
    return np.maximum(between, 0.0, out=between)


def _signal(file: DemandFile, values: Floats, is_recorded: Bools) -> Floats:
    """(seconds,) per second, unscaled, NaN where nothing was recorded."""
    filled = _filled(file, values, len(is_recorded))
    if file.bin_s > 1:
        filled = _per_second(filled, file.bin_s, len(is_recorded))
    filled[~is_recorded] = np.nan
    return filled


def _per_second(counts: Floats, bin_s: int, seconds: int) -> Floats:
    """(seconds,) rates from ``counts`` (bins,), with each bin's total kept.

    The rate is linear between edges and centres. An edge has the mean of its two bins, but at
    most twice the lower; a centre has what makes its bin's total right, which is then never
    negative: ``total = bin_s * (edge + 2 * centre + edge) / 4``.
    """
    means = counts / bin_s
    edges = np.concatenate((means[:1], means))
    edges[1:-1] = np.minimum((means[:-1] + means[1:]) / 2, 2 * np.minimum(means[:-1], means[1:]))
    nodes = np.empty(2 * len(means) + 1)
    nodes[::2] = edges
    nodes[1::2] = 2 * means - (edges[:-1] + edges[1:]) / 2
    at_s = np.arange(len(nodes)) * (bin_s / 2)
    rates = np.empty(seconds)
    for day in _days_of(seconds):
        second = np.arange(day.start, day.stop)
        # Nodes stand on whole and half seconds, so the mean of each half is its middle's value.
        early, late = (np.interp(second + part, at_s, nodes) for part in (0.25, 0.75))
        rates[day] = np.maximum((early + late) / 2, 0.0)
    return rates


def _days_of(seconds: int) -> Iterator[slice]:
    """A day at a time, so that what is computed on the way stays small."""
    for start in range(0, seconds, _DAY_S):
        yield slice(start, min(start + _DAY_S, seconds))
