"""What decoding one OTLP request yields: demand, and an account of everything else."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from capacity_pilot.core.model import Sample, SampleKey, SignalKey
from capacity_pilot.core.throttling import Incident

MAX_CALLERS = 256
"""Distinct ``service:operation`` pairs remembered for spans without a table."""

OTHER_CALLERS = "(others)"


@dataclass(slots=True)
class Counts:
    """What was seen, in spans unless said otherwise, unweighted. Only ever grows.

    A span counts at most once among those that explain why it is not demand:
    ``malformed_spans``, ``control_plane``, ``without_operation``, ``without_table``,
    ``without_dimension``, ``invalid_names``, ``over_bound``, ``late`` and ``clock_skew``.
    """

    requests: int = 0  # OTLP requests decoded
    spans: int = 0  # of any kind
    dynamodb_spans: int = 0  # client spans of DynamoDB calls
    malformed_spans: int = 0  # unreadable, or without an end time
    control_plane: int = 0  # operations that consume no capacity
    without_operation: int = 0
    without_table: int = 0  # neither the attributes nor the capacity name one
    without_dimension: int = 0  # PartiQL that does not show whether it read or wrote
    invalid_names: int = 0  # table or index names DynamoDB would not take
    over_bound: int = 0  # names past the bound on distinct tables and indexes
    late: int = 0  # ended longer ago than the horizon
    clock_skew: int = 0  # ended further in the future than clocks may differ
    without_capacity: int = 0  # successful, but no consumed capacity: units estimated
    malformed_capacity: int = 0  # consumed capacity that cannot be read: treated as absent
    total_only: int = 0  # writes stating TOTAL whose index share nothing tells
    throttled: int = 0  # refused in the end
    throttled_unexplained: int = 0  # of these, the spans that do not tell which limit refused
    failed_consuming: int = 0  # failed conditions and cancelled transactions: units estimated
    failed_unconsuming: int = 0  # errors that consume nothing: a request with 0 units
    retries: int = 0  # attempts refused before one succeeded or the caller gave up
    sampled: int = 0  # spans that stand for more than one call
    malformed_thresholds: int = 0  # tracestate ``th`` unreadable or implausible: weight 1
    truncated: int = 0  # the SDK dropped attributes of the span
    upstream: int = 0  # spans counted for a signal: of routes, messages, pushes
    signals_over_bound: int = 0  # such spans past the bound on distinct signals
    signals_dropped: int = 0  # signals' seconds the intake had no room for
    incidents_dropped: int = 0  # kinds of refusals to be told of past the intake's bound
    without_table_by: dict[str, int] = field(default_factory=dict)  # "service:operation" -> spans

    def add(self, other: Counts) -> None:
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for caller, spans in other.without_table_by.items():
            self.note_without_table(caller, spans)

    def note_without_table(self, caller: str, spans: int = 1) -> None:
        """Counts by caller, and past ``MAX_CALLERS`` distinct ones under ``OTHER_CALLERS``."""
        known = self.without_table_by
        if caller not in known and len(known) >= MAX_CALLERS:
            caller = OTHER_CALLERS
        known[caller] = known.get(caller, 0) + spans


_NUMBERS = tuple(f.name for f in fields(Counts) if f.name != "without_table_by")


@dataclass(slots=True)
class Harvest:
    """One request's demand per target and second, complete or not at all; and, per second, counts
    of what may precede demand.

    ``incidents`` are calls that limits other than provisioned throughput refused. ``routes`` are
    those of them, told now or before, whose request is known by now: its route and the calls.
    """

    samples: dict[SampleKey, Sample] = field(default_factory=dict)
    signals: dict[SignalKey, float] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    incidents: dict[Incident, float] = field(default_factory=dict)
    routes: dict[tuple[Incident, str], float] = field(default_factory=dict)
