"""Spans to calls: which spans are DynamoDB's, when they ended, what became of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError

from capacity_pilot.adapters.otlp.attributes import AttributeMemo, Fact
from capacity_pilot.adapters.otlp.call import Call, Reading, describe_call
from capacity_pilot.adapters.otlp.charging import Tally
from capacity_pilot.adapters.otlp.harvest import MAX_CALLERS, Counts
from capacity_pilot.adapters.otlp.names import NameRegistry
from capacity_pilot.adapters.otlp.outcome import Outcome, Throttle, Verdict, classify
from capacity_pilot.adapters.otlp.route_join import trace_of
from capacity_pilot.adapters.otlp.sampling import adjusted_count
from capacity_pilot.adapters.otlp.wire import Span
from capacity_pilot.core.model import SignalKey
from capacity_pilot.core.throttling import Cause, Incident, ThrottleLimit

_CLIENT = 3  # SpanKind
_NANOS = 1_000_000_000
_MAX_CACHED_SPAN_BYTES = 4096


_Key = tuple[Fact | bytes, ...]
"""A span's facts, after its name where facts alone do not decide."""


@dataclass(frozen=True, slots=True)
class Service:
    """Who sent a group of spans. ``weight`` is calls per span where no tracestate says."""

    name: str
    weight: float


@dataclass(frozen=True, slots=True)
class Window:
    """Nanoseconds since the epoch between which a span's end is believed."""

    opens_at: int
    closes_at: int


@dataclass(slots=True)
class Gathered:
    """One request's calls so far, apart from everything that outlives the request."""

    window: Window
    counts: Counts
    tally: Tally = field(default_factory=dict)
    signals: dict[SignalKey, float] = field(default_factory=dict)
    incidents: list[tuple[bytes, Incident, float]] = field(default_factory=list)
    """Trace, what happened in it, and the calls that it stands for."""

    def leave_out(self, ended_at: int) -> None:
        """Counts a call that ended outside the window."""
        if ended_at < self.window.opens_at:
            self.counts.late += 1
        else:
            self.counts.clock_skew += 1


class SpanReader:
    """Reads encoded spans; holds the memos, so that equal spans are understood once."""

    def __init__(self, names: NameRegistry, *, max_memo_entries: int) -> None:
        self._names = names
        self._max_calls = max_memo_entries
        self._memo = AttributeMemo(max_entries=max_memo_entries)
        self._calls: dict[_Key, Call] = {}
        self._untabled: set[str] = set()

    def forget(self) -> None:
        """Empties the memos and lets other names in."""
        self._untabled.clear()
        self._forget_calls()

    def read(self, spans: Sequence[bytes], service: Service, gathered: Gathered) -> None:
        """Tallies the DynamoDB calls among the spans; a span that cannot be read is counted."""
        self._make_room()
        counts, tally = gathered.counts, gathered.tally
        opens_at, closes_at = gathered.window.opens_at, gathered.window.closes_at
        parse, recall, known_calls = Span.FromString, self._memo.__getitem__, self._calls
        served: Verdict = Outcome.SERVED
        for raw in spans:
            try:
                span = parse(raw)
                if span.kind != _CLIENT:
                    continue
                facts = tuple(filter(None, map(recall, span.attributes)))
                call = known_calls.get(facts) or self._describe(facts, facts, len(raw))
                if call.reading is Reading.UNDECIDED:
                    call = self._describe_by_name(facts, span.name, len(raw))
                if call.reading is not Reading.DEMAND:
                    self._exclude(span, call, service, gathered)
                    continue
                outcome = served
                if span.status or call.hints_at_failure:
                    outcome = self._judge(span, call)
                weight = service.weight
                if span.trace_state:
                    weight = weigh_span(span.trace_state, service, counts)
                ended_at = span.end_time_unix_nano
                if not ended_at:
                    counts.malformed_spans += 1
                    continue
            except (DecodeError, ValueError):
                counts.malformed_spans += 1
                continue
            counts.dynamodb_spans += 1
            if span.dropped_attributes_count:
                counts.truncated += 1
            if opens_at <= ended_at <= closes_at:
                key = (call, outcome, ended_at // _NANOS, weight)
                tally[key] = tally.get(key, 0) + 1
                if outcome is not served or call.causes:
                    causes = outcome.causes if isinstance(outcome, Throttle) else call.causes
                    incidents = _name_incidents(causes, call, service)
                    gathered.incidents += ((trace_of(raw), each, weight) for each in incidents)
            else:
                gathered.leave_out(ended_at)

    def _judge(self, span: Span, call: Call) -> Verdict:
        verdict = classify(
            span.status, list(span.events), call.error_type, call.http_status, call.causes
        )
        if isinstance(verdict, Throttle):
            admit = self._names.admit
            if not all(admit(c.table, c.index) for c in verdict.causes if c.table):
                return Outcome.THROTTLED
        return verdict

    def _exclude(self, span: Span, call: Call, service: Service, gathered: Gathered) -> None:
        """Counts a call that is no demand under its reason."""
        counts = gathered.counts
        if call.reading is Reading.FOREIGN:
            return
        counts.dynamodb_spans += 1
        setattr(counts, call.reading.value, getattr(counts, call.reading.value) + 1)
        if call.reading is Reading.WITHOUT_TABLE:
            counts.note_without_table(f"{service.name}:{call.operation_name}")
            self._count_untabled(span, call, service, gathered)

    def _count_untabled(self, span: Span, call: Call, service: Service, gathered: Gathered) -> None:
        """A call whose table is not told is a signal: how often a service makes it may tell more
        of some table's demand than nothing (``core/route_costs``).
        """
        name = f"{service.name} calls {call.operation_name}"
        ended_at, window = span.end_time_unix_nano, gathered.window
        if len(self._untabled) >= MAX_CALLERS and name not in self._untabled:
            gathered.counts.signals_over_bound += 1
        elif window.opens_at <= ended_at <= window.closes_at:
            self._untabled.add(name)
            weight = service.weight
            if span.trace_state:
                weight = weigh_span(span.trace_state, service, gathered.counts)
            at = ("", name, ended_at // _NANOS)
            gathered.signals[at] = gathered.signals.get(at, 0.0) + weight

    def _describe(
        self, key: _Key, facts: tuple[Fact, ...], size: int, span_name: str | None = None
    ) -> Call:
        call = describe_call(facts, self._names, span_name=span_name)
        if size <= _MAX_CACHED_SPAN_BYTES:
            self._make_room()
            self._calls[key] = call
        return call

    def _describe_by_name(self, facts: tuple[Fact, ...], raw_name: bytes, size: int) -> Call:
        key: _Key = (raw_name, *facts)
        return self._calls.get(key) or self._describe(key, facts, size, raw_name.decode())

    def _make_room(self) -> None:
        if self._memo.is_full or len(self._calls) >= self._max_calls:
            self._forget_calls()

    def _forget_calls(self) -> None:
        self._memo.forget()
        self._calls.clear()


def _name_incidents(causes: tuple[Cause, ...], call: Call, service: Service) -> Iterator[Incident]:
    """What is to be told of; provisioned throughput is the pilot's own business."""
    for cause in causes:
        if cause.limit is ThrottleLimit.PROVISIONED:
            continue
        places = [(cause.table, cause.index)]
        if not cause.table:
            places = [(table, call.index) for table in call.tables]
        for table, index in places:
            yield Incident(
                limit=cause.limit,
                table=table,
                index=index,
                dimension=call.dimension if cause.dimension is None else cause.dimension,
                operation=call.operation_name,
                service=service.name,
            )


def weigh_span(trace_state: bytes, service: Service, counts: Counts) -> float:
    """Calls the span stands for: by its threshold, else by its service's configured ratio."""
    try:
        weight = adjusted_count(trace_state)
    except ValueError:
        counts.malformed_thresholds += 1
        return 1.0
    return service.weight if weight is None else weight
