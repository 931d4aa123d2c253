"""OTLP trace requests to harvests: the one door through which telemetry enters.

A request is decoded whole or not at all; within it, a damaged span costs that span alone.
Spans that do not contain "ynamo" cannot be DynamoDB's in any dialect; unless they contain the mark
of an upstream signal, they stay unparsed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from capacity_pilot.adapters.otlp.body import OversizedError
from capacity_pilot.adapters.otlp.charging import charge
from capacity_pilot.adapters.otlp.estimate import Estimator
from capacity_pilot.adapters.otlp.harvest import Counts, Harvest
from capacity_pilot.adapters.otlp.json_request import read_json_request
from capacity_pilot.adapters.otlp.names import NameRegistry
from capacity_pilot.adapters.otlp.route_join import RouteJoin, trace_of
from capacity_pilot.adapters.otlp.signals import SIGNAL_MARKS, SignalReader
from capacity_pilot.adapters.otlp.spans import Gathered, Service, SpanReader, Window
from capacity_pilot.adapters.otlp.wire import Resource, TraceRequest
from capacity_pilot.core.demand import WINDOW_S
from capacity_pilot.core.errors import InputError, TelemetryError

_MAX_SERVICE_CHARS = 64
_MAX_CACHED_RESOURCE_BYTES = 8192

_Groups = Sequence[tuple[bytes, Sequence[bytes]]]
"""Encoded resources, each with spans of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What decoding keeps at most, and which ages of spans it believes.

    ``late_after_seconds`` leaves the tick its second before the core's window ends: what is
    older would be taken in here and lost there, uncounted. ``max_memo_entries`` bounds each
    memo table, of entries up to 1 KiB; ``max_spans`` the spans of one request, since millions
    of empty ones fit into few bytes.
    """

    late_after_seconds: float = WINDOW_S - 2.0
    clock_skew_seconds: float = 5.0
    max_tables: int = 20_000
    max_indexes: int = 100_000
    max_signals: int = 512
    max_memo_entries: int = 32_768
    max_resources: int = 16_384
    max_spans: int = 200_000


class Decoder:
    """Decodes requests one at a time; holds what they share: memos, names, the estimator.

    ``sampling_ratios`` gives, by ``service.name``, the ratio, above 0 and up to 1, of samplers
    that leave no threshold in ``tracestate``. Raises ``InputError`` for any other ratio.
    """

    def __init__(
        self,
        estimator: Estimator,
        sampling_ratios: Mapping[str, float] | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        bounds = bounds or Bounds()
        ratios = sampling_ratios or {}
        self._estimator = estimator
        self._weights = {service: _weight_of(service, ratio) for service, ratio in ratios.items()}
        self._bounds = bounds
        self._names = NameRegistry(max_tables=bounds.max_tables, max_indexes=bounds.max_indexes)
        self._spans = SpanReader(self._names, max_memo_entries=bounds.max_memo_entries)
        self._signals = SignalReader(
            max_signals=bounds.max_signals, max_memo_entries=bounds.max_memo_entries
        )
        self._services: dict[bytes, Service] = {}
        self._joins = RouteJoin()

    def decode_protobuf(self, body: bytes, received_at: float) -> Harvest:
        """Raises ``TelemetryError`` if the body is no ExportTraceServiceRequest, and its
        ``OversizedError`` if it holds more spans than the bound.
        """
        try:
            request = TraceRequest.FromString(body)
        except DecodeError as error:
            msg = f"{len(body)} bytes are no ExportTraceServiceRequest: {error}"
            raise TelemetryError(msg) from error
        has_capitals = b"YNAMO" in body
        marks = [mark for mark in SIGNAL_MARKS if mark in body]
        harvest, gathered = self._begin(received_at)
        groups = [
            (resource_spans.resource, scope_spans.spans)
            for resource_spans in request.resource_spans
            for scope_spans in resource_spans.scope_spans
        ]
        for resource, spans in groups:
            self._read(resource, spans, gathered, has_capitals=has_capitals, marks=marks)
        return self._finish(harvest, gathered, groups, received_at)

    def decode_json(self, body: bytes, received_at: float) -> Harvest:
        """As ``decode_protobuf``, for a body in OTLP's JSON encoding."""
        groups = read_json_request(body, max_spans=self._bounds.max_spans)
        harvest, gathered = self._begin(received_at)
        for group in groups:
            gathered.counts.spans += group.malformed_spans
            gathered.counts.malformed_spans += group.malformed_spans
            self._read(group.resource, group.spans, gathered, has_capitals=True, marks=SIGNAL_MARKS)
        told = [(group.resource, group.spans) for group in groups]
        return self._finish(harvest, gathered, told, received_at)

    def _begin(self, received_at: float) -> tuple[Harvest, Gathered]:
        if self._names.turn(received_at):
            self._spans.forget()
            self._signals.forget()
        window = Window(
            opens_at=int((received_at - self._bounds.late_after_seconds) * 1e9),
            closes_at=int((received_at + self._bounds.clock_skew_seconds) * 1e9),
        )
        harvest = Harvest(counts=Counts(requests=1))
        return harvest, Gathered(window, harvest.counts)

    def _read(
        self,
        resource: bytes,
        spans: Sequence[bytes],
        gathered: Gathered,
        *,
        has_capitals: bool,
        marks: Sequence[bytes],
    ) -> None:
        gathered.counts.spans += len(spans)
        if gathered.counts.spans > self._bounds.max_spans:
            msg = f"request holds more than {self._bounds.max_spans} spans"
            raise OversizedError(msg)
        if has_capitals:
            candidates = [span for span in spans if b"ynamo" in span or b"YNAMO" in span]
        else:
            candidates = [span for span in spans if b"ynamo" in span]
        if candidates:
            self._spans.read(candidates, self._service_of(resource), gathered)
        upstream = [span for span in spans if any(mark in span for mark in marks)] if marks else []
        if upstream:
            self._signals.read(upstream, self._service_of(resource), gathered)

    def _finish(
        self, harvest: Harvest, gathered: Gathered, groups: _Groups, received_at: float
    ) -> Harvest:
        """Everything that can fail is behind us: from here on the request counts."""
        charge(gathered.tally, estimator=self._estimator, harvest=harvest)
        harvest.signals = gathered.signals
        for trace, incident, calls in gathered.incidents:
            harvest.incidents[incident] = harvest.incidents.get(incident, 0.0) + calls
            if trace:
                self._joins.wait(trace, incident, calls, received_at)
        if self._joins:
            self._find_routes(harvest, groups)
        return harvest

    def _find_routes(self, harvest: Harvest, groups: _Groups) -> None:
        for resource, spans in groups:
            for raw in self._joins.may_concern(spans, SIGNAL_MARKS):
                service = self._service_of(resource)
                if route := self._signals.name_request(raw, service):
                    for incident, calls in self._joins.settle(trace_of(raw), service.name):
                        key = (incident, route)
                        harvest.routes[key] = harvest.routes.get(key, 0.0) + calls

    def _service_of(self, resource: bytes) -> Service:
        service = self._services.get(resource)
        if service is None:
            name = _service_name(resource)
            service = Service(name[:_MAX_SERVICE_CHARS], self._weights.get(name, 1.0))
            if len(resource) <= _MAX_CACHED_RESOURCE_BYTES:
                if len(self._services) >= self._bounds.max_resources:
                    self._services.clear()
                self._services[resource] = service
        return service


def _service_name(resource: bytes) -> str:
    """``service.name``, or ``""`` if the resource has none."""
    try:
        for attribute in Resource.FromString(resource).attributes:
            if attribute.key == b"service.name":
                return attribute.value.string_value.decode()
    except (DecodeError, UnicodeDecodeError) as error:
        msg = f"a resource of {len(resource)} bytes cannot be read: {error}"
        raise TelemetryError(msg) from error
    return ""


def _weight_of(service: str, ratio: float) -> float:
    if not 0.0 < ratio <= 1.0:
        msg = f"sampling ratio of service {service!r} must be above 0 and at most 1, not {ratio}"
        raise InputError(msg)
    return 1.0 / ratio
