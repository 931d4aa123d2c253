"""OTLP over gRPC: the trace service's one method, on raw bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration

from capacity_pilot.adapters.otlp.body import OversizedError
from capacity_pilot.adapters.otlp.endpoint import Endpoint
from capacity_pilot.adapters.otlp.receiver import (
    MAX_CONCURRENT_REQUESTS,
    MAX_REQUEST_BYTES,
    RETRY_AFTER_SECONDS,
    Receiver,
)
from capacity_pilot.adapters.otlp.wire import RetryInfo, RpcStatus
from capacity_pilot.core.errors import OverloadedError, TelemetryError

if TYPE_CHECKING:
    _Context = grpc.aio.ServicerContext[bytes, bytes]
    _GenericHandler = grpc.GenericRpcHandler[bytes, bytes]
    _MethodHandler = grpc.RpcMethodHandler[bytes, bytes]
else:
    _GenericHandler = grpc.GenericRpcHandler

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

_DRAIN_SECONDS = 2.0
_RETRY_INFO_URL = "type.googleapis.com/google.rpc.RetryInfo"


@asynccontextmanager
async def serve_grpc(
    receiver: Receiver,
    *,
    host: str,
    port: int,
    max_request_bytes: int = MAX_REQUEST_BYTES,
    max_concurrent_requests: int = MAX_CONCURRENT_REQUESTS,
) -> AsyncIterator[Endpoint]:
    """Serves OTLP/gRPC, without TLS, until the context ends; port 0 takes any free one.

    gRPC itself answers RESOURCE_EXHAUSTED to messages beyond ``max_request_bytes``, which it
    also holds against their decompressed size, and to calls beyond
    ``max_concurrent_requests``; only the latter go uncounted. Raises ``OSError`` if the port
    cannot be bound.
    """
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", max_request_bytes),
            # Otherwise a second daemon would share the port and take half the demand unseen.
            ("grpc.so_reuseport", 0),
        ],
        maximum_concurrent_rpcs=max_concurrent_requests,
    )
    server.add_generic_rpc_handlers((_TraceService(receiver),))
    try:
        bound = server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    except RuntimeError as error:
        msg = f"OTLP/gRPC cannot listen on {host}:{port}: {error}"
        raise OSError(msg) from error
    await server.start()
    try:
        yield Endpoint(host, bound)
    finally:
        await server.stop(_DRAIN_SECONDS)


class _TraceService(_GenericHandler):
    """Skips gRPC's own message classes: the body goes to the decoder as it came.

    On the wire a stream of one request is a single request. Served as a stream, a message that
    gRPC refuses for its size is one that never comes, and can be counted; a unary handler
    would not be called at all.
    """

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._export_handler = grpc.stream_unary_rpc_method_handler(self._export)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> _MethodHandler | None:
        return self._export_handler if handler_call_details.method == EXPORT else None

    async def _export(self, bodies: AsyncIterator[bytes], context: _Context) -> bytes:
        body = await anext(bodies, None)
        if body is None:
            msg = "the message exceeds the largest size, or never came"
            self._receiver.note_refusal(OversizedError(msg))
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, msg)
        try:
            self._receiver.ensure_room()
            return self._receiver.receive_protobuf(body).SerializeToString()
        except TelemetryError as error:
            self._receiver.note_refusal(error)
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except OverloadedError as error:
            self._receiver.note_refusal(error)
            await _abort_retryably(context, str(error))


async def _abort_retryably(context: _Context, message: str) -> NoReturn:
    """UNAVAILABLE with RetryInfo, as OTLP's "Throttling" section has it."""
    delay = RetryInfo(retry_delay=Duration(seconds=RETRY_AFTER_SECONDS))
    detail = AnyMessage(type_url=_RETRY_INFO_URL, value=delay.SerializeToString())
    code = grpc.StatusCode.UNAVAILABLE
    status = RpcStatus(code=code.value[0], message=message, details=[detail])
    trailer = (("grpc-status-details-bin", status.SerializeToString()),)
    await context.abort(code, message, trailer)
