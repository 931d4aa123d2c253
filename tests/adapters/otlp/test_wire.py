"""The generated messages: read by upb or not at all, and on speaking terms with OTLP's own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from capacity_pilot.adapters.otlp import wire
from capacity_pilot.adapters.otlp.wire import require_upb

ORIGINALS = {
    wire.TraceRequest: trace_service_pb2.ExportTraceServiceRequest,
    wire.TraceResponse: trace_service_pb2.ExportTraceServiceResponse,
    wire.PartialSuccess: trace_service_pb2.ExportTracePartialSuccess,
    wire.Resource: resource_pb2.Resource,
    wire.Span: trace_pb2.Span,
    wire.Event: trace_pb2.Span.Event,
    wire.Status: trace_pb2.Status,
    wire.KeyValue: common_pb2.KeyValue,
    wire.AnyValue: common_pb2.AnyValue,
    wire.ArrayValue: common_pb2.ArrayValue,
    wire.RpcStatus: status_pb2.Status,
    wire.RetryInfo: error_details_pb2.RetryInfo,
}


@pytest.mark.parametrize("ours", ORIGINALS, ids=lambda message: message.__name__)
def test_fields_have_the_numbers_of_the_originals(ours: type) -> None:
    original = ORIGINALS[ours].DESCRIPTOR.fields_by_name
    for name, field in ours.DESCRIPTOR.fields_by_name.items():  # type: ignore[attr-defined]
        assert field.number == original[name].number, name
        assert field.is_repeated == original[name].is_repeated, name


@pytest.mark.parametrize("implementation", ["python", "cpp"])
def test_anything_but_upb_is_refused_with_the_way_out(implementation: str) -> None:
    with pytest.raises(ImportError, match=rf"'{implementation}'.*pip install --only-binary"):
        require_upb(implementation)


def test_ingest_does_not_start_on_the_slow_implementation() -> None:
    started = subprocess.run(
        [sys.executable, "-c", "import capacity_pilot.adapters.otlp.decode"],
        env=os.environ | {"PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.returncode != 0
    assert "unset PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION" in started.stderr
