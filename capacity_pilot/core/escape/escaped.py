"""Tables that are on-demand because the pilot made them so, and what they are to come back to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from capacity_pilot.core.billing import SAME_SWITCH_S
from capacity_pilot.core.model import BillingMode, OutcomeKind, Resource
from capacity_pilot.core.record import Record, RecordKind, Verdict, switched_to

_MAYBE_TAKEN: Final = (OutcomeKind.REQUESTED.value, Verdict.IN_FORCE.value, Verdict.UNKNOWN.value)


@dataclass(frozen=True, slots=True)
class Escape:
    """A table that was switched to on-demand then, or may have been, and what it ``had``: units of
    (read, write) by resource. It ``is_seen`` once it was described as on-demand.
    """

    at: float
    had: Mapping[Resource, tuple[int, int]]
    is_seen: bool = False


def recall_switches(records: Iterable[Record]) -> dict[str, list[float]]:
    """When tables were switched to on-demand, or may have been, by what is recorded."""
    times: dict[str, list[float]] = {}
    for call in _find_switches(records):
        times.setdefault(call.table, []).append(call.at)
    return times


def recall_escape(records: Sequence[Record], *, on_demand_at: float | None) -> Escape | None:
    """The escape that a table's ``records`` tell of; ``None`` where it was never ours, or AWS tells
    of a later switch than ours: that was somebody else's, to be left to them.
    """
    calls = list(_find_switches(records))
    if not calls or (on_demand_at is not None and on_demand_at - calls[-1].at > SAME_SWITCH_S):
        return None
    last = calls[-1]
    had = {Resource(last.table, r["index"]): tuple(r["units"]) for r in last.body["had"]}
    return Escape(at=last.at, had=had)


def _find_switches(records: Iterable[Record]) -> Iterable[Record]:
    """The calls to on-demand that AWS has taken or may have taken, oldest first."""
    records = list(records)
    ended = {r.call: r.body.get("outcome") for r in records if r.kind is RecordKind.ANSWER}
    for call in records:
        if call.kind is not RecordKind.CALL or switched_to(call) is not BillingMode.PAY_PER_REQUEST:
            continue
        if call.id not in ended or ended[call.id] in _MAYBE_TAKEN:
            yield call
