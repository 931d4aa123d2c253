"""One occurrence at a time: what was usual before it, what it is expected to bring, what it brings.

A watch begins some time before the event and ends with it. What demand rose to meanwhile, above
what it was just before, is the occurrence's lesson.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from capacity_pilot.core.demand import WINDOW_S, DemandState
from capacity_pilot.core.events.declared import Load
from capacity_pilot.core.events.gains import SPANS, Estimate, Gains, estimate_gains, span_of
from capacity_pilot.core.events.occurrence import Occurrence
from capacity_pilot.core.fleet import Bools, Fleet, Floats, Ints

PolicyNumber = Callable[[str], int | None]
"""Which policy, by its position in the set, a table is under."""

_Stated = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Watch:
    """``slots`` (m,) are those the occurrence concerns. ``at_least``, ``multiplier`` and
    ``per_recipient`` (m,) are what was stated, NaN for nothing; ``estimate`` is what was learned.

    ``usual`` (m,) is demand before the event's capacity is ordered, ``base`` (m,) just before it
    begins, both units per second and NaN until then; ``rises`` (SPANS, m) the highest demand above
    ``base`` so far. A slot stops learning for good where it is not ``is_alone``: two events'
    loads cannot be told apart.
    """

    occurrence: Occurrence
    slots: Ints
    at_least: Floats
    multiplier: Floats
    per_recipient: Floats
    estimate: Estimate
    usual: Floats
    base: Floats
    rises: Floats
    is_alone: Bools

    @property
    def audience(self) -> float:
        """Recipients; where nobody counted them, the occurrence as a whole is one."""
        return float(self.occurrence.expected.audience or 1)


def begin_watch(
    occurrence: Occurrence, gains: Gains, *, fleet: Fleet, policy_number: PolicyNumber
) -> Watch:
    """A watch of the occurrence over the slots it concerns in this fleet."""
    resources, kinds, stated = _find_concerned(occurrence, fleet, policy_number)
    where: Ints = (2 * resources[:, None] + np.arange(2)).ravel()
    at_least, multiplier, per_recipient = stated[kinds].reshape(-1, 3).T
    unknown = np.full(len(where), np.nan)
    return Watch(
        occurrence=occurrence,
        slots=where,
        at_least=at_least,
        multiplier=multiplier,
        per_recipient=per_recipient,
        estimate=estimate_gains(gains, where),
        usual=unknown,
        base=unknown,
        rises=np.full((SPANS, len(where)), np.nan),
        is_alone=np.ones(len(where), dtype=np.bool_),
    )


def _find_concerned(
    occurrence: Occurrence, fleet: Fleet, policy_number: PolicyNumber
) -> tuple[Ints, Ints, Floats]:
    """Numbers of the resources concerned, (r,), and which of the loads stated is whose, (r,).

    The loads (k, 2, 3) are of reads and writes: at least, multiplier and per recipient.
    """
    is_concerned: dict[str, bool] = {}
    kind_of: dict[str, int] = {}
    stated: list[tuple[_Stated, _Stated]] = []
    resources: list[int] = []
    kinds: list[int] = []
    for number, resource in enumerate(fleet.resources):
        table, index = resource.table, resource.index
        if table not in is_concerned:
            is_concerned[table] = occurrence.concerns(table, policy_number(table))
        if is_concerned[table]:
            if index not in kind_of:
                loads = occurrence.expected.of(index)
                kind_of[index] = len(stated)
                stated.append((_stated(loads.read), _stated(loads.write)))
            resources.append(number)
            kinds.append(kind_of[index])
    return (
        np.array(resources, dtype=np.int64),
        np.array(kinds, dtype=np.int64),
        np.array(stated).reshape(-1, 2, 3),
    )


def continue_watch(fresh: Watch, before: Watch, *, old: Fleet, new: Fleet) -> Watch:
    """``fresh`` with what was seen ``before``, in another fleet or under other terms."""
    positions = {old.target(int(slot)): at for at, slot in enumerate(before.slots)}
    kept = [
        (position, before_at)
        for position, slot in enumerate(fresh.slots)
        if (before_at := positions.get(new.target(int(slot)))) is not None
    ]
    pairs = np.array(kept, dtype=np.int64).reshape(-1, 2)
    here, there = pairs[:, 0], pairs[:, 1]
    usual, base, rises = fresh.usual.copy(), fresh.base.copy(), fresh.rises.copy()
    is_alone = fresh.is_alone.copy()
    usual[here], base[here] = before.usual[there], before.base[there]
    rises[:, here], is_alone[here] = before.rises[:, there], before.is_alone[there]
    return replace(fresh, usual=usual, base=base, rises=rises, is_alone=is_alone)


def note_usual(watch: Watch, demand: DemandState, where: Bools, *, settled: int) -> Watch:
    """Takes recent demand for what is usual ``where`` (m,) it is time and nothing was noted."""
    due = where & np.isnan(watch.usual)
    if not np.count_nonzero(due):
        return watch
    usual = watch.usual.copy()
    usual[due] = _mean_before(demand, settled + 1, watch.slots[due])
    return replace(watch, usual=usual)


def learn_second(watch: Watch, demand: DemandState, second: int, crowded: Bools) -> Watch:
    """Takes one settled second of the event into account; ``crowded`` (n,) slots have others.

    Peaks are means of two neighbouring seconds, as surges are noticed by.
    """
    occurrence, slots = watch.occurrence, watch.slots
    base = watch.base
    if second - 1 < occurrence.starts_at <= second:
        base = _mean_before(demand, second, slots)
    is_alone = watch.is_alone & ~crowded[slots]
    rows = [second % WINDOW_S, (second - 1) % WINDOW_S]
    seen = (demand.known[rows][:, slots] > 0).all(axis=0) & is_alone
    rise = np.where(seen, demand.units[rows][:, slots].mean(axis=0) - base, np.nan)
    rises = watch.rises.copy()
    span = span_of(second - occurrence.starts_at)
    rises[span] = np.fmax(rises[span], rise)
    return replace(watch, base=base, rises=rises, is_alone=is_alone)


def find_crowded(watches: Sequence[Watch], size: int) -> Bools:
    """Slots that more than one of the watches concern, (n,)."""
    counts = np.zeros(size, dtype=np.int64)
    for watch in watches:
        counts[watch.slots] += 1
    crowded: Bools = counts > 1
    return crowded


def _mean_before(demand: DemandState, second: int, slots: Ints) -> Floats:
    """Mean demand over what is kept of the seconds before ``second``, NaN where none is known."""
    rows = np.arange(max(demand.head - WINDOW_S + 1, 0), min(second, demand.head + 1)) % WINDOW_S
    known = demand.known[rows].sum(axis=0)[slots]
    units = demand.units[rows].sum(axis=0)[slots]
    means: Floats = np.divide(units, known, out=np.full(len(slots), np.nan), where=known > 0)
    return means


def _stated(load: Load | None) -> _Stated:
    """At least, multiplier and per recipient; NaN for what was not stated."""
    if load is None:
        return (np.nan, np.nan, np.nan)
    values = (load.at_least, load.multiplier, load.per_recipient)
    at_least, multiplier, per_recipient = (np.nan if v is None else float(v) for v in values)
    return at_least, multiplier, per_recipient
