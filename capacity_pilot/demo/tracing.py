"""OpenTelemetry as an application sets it up, with an eye on when spans leave."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace._sampling_experimental import (
    composable_traceid_ratio_based,
    composite_sampler,
)
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler

_EXPORT_EVERY_MS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One batch of spans. ``sent_at`` is before it left; ``newest_end_at`` of the last span."""

    sent_at: float
    newest_end_at: float
    spans: int
    was_taken: bool


class WatchedExporter(SpanExporter):
    """Passes spans on and tells of every batch; after ``lost_at`` the way to the pilot is cut."""

    def __init__(
        self, exporter: SpanExporter, *, tell: Callable[[Export], None], lost_at: float | None
    ) -> None:
        self._exporter = exporter
        self._tell = tell
        self._lost_at = lost_at

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        sent_at = time.time()
        if self._lost_at is not None and sent_at >= self._lost_at:
            result = SpanExportResult.FAILURE
        else:
            result = self._exporter.export(spans)
        self._tell(
            Export(
                sent_at=sent_at,
                newest_end_at=max(span.end_time or 0 for span in spans) / 1e9,
                spans=len(spans),
                was_taken=result is SpanExportResult.SUCCESS,
            )
        )
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def trace_botocore(
    *,
    service: str,
    endpoint: str,
    sample_ratio: float,
    tell: Callable[[Export], None],
    lost_at: float | None = None,
) -> TracerProvider:
    """Instruments botocore in this process; shut the provider down to send the last spans."""
    provider = TracerProvider(
        sampler=_choose_sampler(sample_ratio),
        resource=Resource.create({"service.name": service}),
    )
    exporter = WatchedExporter(OTLPSpanExporter(endpoint=endpoint), tell=tell, lost_at=lost_at)
    provider.add_span_processor(
        BatchSpanProcessor(exporter, max_queue_size=8192, schedule_delay_millis=_EXPORT_EVERY_MS)
    )
    BotocoreInstrumentor().instrument(tracer_provider=provider)  # type: ignore[no-untyped-call]
    return provider


def _choose_sampler(ratio: float) -> Sampler:
    """Consistent probability sampling, which tells its threshold in ``tracestate`` (``ot=th:``)."""
    if ratio >= 1.0:
        return ALWAYS_ON
    return composite_sampler(composable_traceid_ratio_based(ratio))
