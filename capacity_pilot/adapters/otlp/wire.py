"""The wire messages, and the guarantee that they are read by C and not by Python.

Without protobuf's upb extension the same messages decode some hundred times slower, which at
a busy collector is an outage rather than a slowdown; so its absence stops the process at once.
"""

from __future__ import annotations

from google.protobuf.internal import api_implementation

from capacity_pilot.adapters.otlp.lazy_pb2 import (
    AnyValue,
    ArrayValue,
    Event,
    KeyValue,
    PartialSuccess,
    Resource,
    RetryInfo,
    RpcStatus,
    Span,
    Status,
    TraceRequest,
    TraceResponse,
)

__all__ = [
    "AnyValue",
    "ArrayValue",
    "Event",
    "KeyValue",
    "PartialSuccess",
    "Resource",
    "RetryInfo",
    "RpcStatus",
    "Span",
    "Status",
    "TraceRequest",
    "TraceResponse",
    "require_upb",
]


def require_upb(implementation: str) -> None:
    """Raises ``ImportError`` unless protobuf runs on upb, and says how to get it."""
    if implementation != "upb":
        msg = (
            f"protobuf runs on its {implementation!r} implementation, but OTLP ingest needs 'upb'."
            " Install a binary wheel of protobuf (pip install --only-binary=protobuf protobuf)"
            " and unset PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION."
        )
        raise ImportError(msg)


require_upb(api_implementation.Type())
