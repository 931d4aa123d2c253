"""OTLP over HTTP: ``POST /v1/traces`` in protobuf or JSON, plain or compressed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from aiohttp import web

from capacity_pilot.adapters.otlp.body import BodyReader, OversizedError, UnsupportedError
from capacity_pilot.adapters.otlp.endpoint import Endpoint
from capacity_pilot.adapters.otlp.receiver import (
    MAX_CONCURRENT_REQUESTS,
    MAX_REQUEST_BYTES,
    RETRY_AFTER_SECONDS,
    Receiver,
)
from capacity_pilot.adapters.otlp.wire import RpcStatus, TraceResponse
from capacity_pilot.core.errors import OverloadedError, TelemetryError

PROTOBUF = "application/x-protobuf"
JSON = "application/json"

READ_TIMEOUT_SECONDS = 30.0
_DRAIN_SECONDS = 2.0

# HTTP status and google.rpc.Code by error, the particular before the general.
_ANSWERS: dict[type[Exception], tuple[HTTPStatus, int]] = {
    UnsupportedError: (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, 3),  # INVALID_ARGUMENT
    OversizedError: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, 3),
    TelemetryError: (HTTPStatus.BAD_REQUEST, 3),
    OverloadedError: (HTTPStatus.SERVICE_UNAVAILABLE, 14),  # UNAVAILABLE
    TimeoutError: (HTTPStatus.REQUEST_TIMEOUT, 4),  # DEADLINE_EXCEEDED
}


@asynccontextmanager
async def serve_http(
    receiver: Receiver,
    *,
    host: str,
    port: int,
    max_request_bytes: int = MAX_REQUEST_BYTES,
    max_concurrent_requests: int = MAX_CONCURRENT_REQUESTS,
    read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
) -> AsyncIterator[Endpoint]:
    """Serves OTLP/HTTP, without TLS, until the context ends; port 0 takes any free one.

    Raises ``OSError`` if the port cannot be bound.
    """
    traces = _Traces(receiver, max_request_bytes, max_concurrent_requests, read_timeout_seconds)
    application = web.Application()
    application.router.add_post("/v1/traces", traces.post)
    # aiohttp would inflate bodies itself, without a bound on the whole.
    runner = web.AppRunner(
        application, access_log=None, auto_decompress=False, shutdown_timeout=_DRAIN_SECONDS
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield Endpoint(host, int(runner.addresses[0][1]))
    finally:
        await runner.cleanup()


class _Traces:
    """The one route. Answers in the encoding it was asked in."""

    def __init__(
        self,
        receiver: Receiver,
        max_request_bytes: int,
        max_concurrent_requests: int,
        read_timeout_seconds: float,
    ) -> None:
        self._receiver = receiver
        self._max_request_bytes = max_request_bytes
        self._max_concurrent_requests = max_concurrent_requests
        self._read_timeout_seconds = read_timeout_seconds
        self._reading = 0

    async def post(self, request: web.Request) -> web.Response:
        is_json = request.content_type == JSON
        try:
            return _succeed(await self._take(request, is_json=is_json), is_json=is_json)
        except (TelemetryError, OverloadedError, TimeoutError) as error:
            self._receiver.note_refusal(error)
            return _refuse(error, is_json=is_json)

    async def _take(self, request: web.Request, *, is_json: bool) -> TraceResponse:
        if not is_json and request.content_type != PROTOBUF:
            msg = f"Content-Type {request.content_type[:80]!r} is neither {PROTOBUF} nor {JSON}"
            raise UnsupportedError(msg)
        self._receiver.ensure_room()
        if self._reading >= self._max_concurrent_requests:
            msg = f"{self._reading} requests are being read, which is the most at once"
            raise OverloadedError(msg)
        self._reading += 1
        try:
            async with asyncio.timeout(self._read_timeout_seconds):
                body = await self._read(request)
        except TimeoutError as error:
            msg = f"the body took longer than {self._read_timeout_seconds:g} s to arrive"
            raise TimeoutError(msg) from error
        finally:
            self._reading -= 1
        if is_json:
            return self._receiver.receive_json(body)
        return self._receiver.receive_protobuf(body)

    async def _read(self, request: web.Request) -> bytes:
        encoding = request.headers.get("Content-Encoding", "")
        reader = BodyReader(encoding, max_bytes=self._max_request_bytes)
        async for chunk in request.content.iter_any():
            reader.feed(chunk)
        return reader.finish()


def _succeed(response: TraceResponse, *, is_json: bool) -> web.Response:
    if not is_json:
        return web.Response(body=response.SerializeToString(), content_type=PROTOBUF)
    partial = response.partial_success
    body: dict[str, object] = {}
    if partial.rejected_spans:
        body["partialSuccess"] = {
            "rejectedSpans": str(partial.rejected_spans),
            "errorMessage": partial.error_message,
        }
    return web.json_response(body)


def _refuse(error: Exception, *, is_json: bool) -> web.Response:
    """A google.rpc.Status body, as OTLP asks of every failure."""
    status, code = next(answer for kind, answer in _ANSWERS.items() if isinstance(error, kind))
    message = str(error)
    if is_json:
        response = web.json_response({"code": code, "message": message}, status=status)
    else:
        body = RpcStatus(code=code, message=message).SerializeToString()
        response = web.Response(body=body, status=status, content_type=PROTOBUF)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    # The rest of the body may still be on its way: it will not be read.
    response.force_close()
    return response
