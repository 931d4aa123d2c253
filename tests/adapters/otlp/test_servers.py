"""Both servers, spoken to by real clients over real sockets."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import aiohttp
import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from capacity_pilot.adapters.otlp.grpc_server import EXPORT, serve_grpc
from capacity_pilot.adapters.otlp.http_server import serve_http
from capacity_pilot.adapters.otlp.intake import Intake
from capacity_pilot.adapters.otlp.receiver import Receiver

from .test_laws import to_json
from .traces import NOW, WRITE, botocore, make_decoder, request, span, split

MAX_BYTES = 100_000
PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}

GOOD = request(span(botocore("PutItem", capacity=[split(2.0)]))).SerializeToString()
KEY = ("orders", "", WRITE, 1_799_999_999)


@dataclass(frozen=True, slots=True)
class StoppedClock:
    at: float = NOW

    def now(self) -> float:
        return self.at


@dataclass(frozen=True, slots=True)
class Site:
    """A running pair of servers and ways to talk to them."""

    receiver: Receiver
    intake: Intake
    http: str
    session: aiohttp.ClientSession
    channel: grpc.aio.Channel

    async def post(
        self, body: object, headers: dict[str, str] | None = None, path: str = "/v1/traces"
    ) -> tuple[int, bytes, dict[str, str]]:
        url = self.http + path
        async with self.session.post(url, data=body, headers=headers or PROTOBUF) as answer:
            return answer.status, await answer.read(), dict(answer.headers)

    async def export(self, body: bytes) -> ExportTraceServiceResponse:
        return ExportTraceServiceResponse.FromString(await self.call(EXPORT, body))

    async def call(self, method: str, body: bytes) -> bytes:
        call = self.channel.unary_unary(
            method, request_serializer=bytes, response_deserializer=bytes
        )
        answer: bytes = await call(body)
        return answer

    def units(self) -> float:
        return sum(sample.units for sample in self.intake.drain().values())


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        intake = Intake(max_pending_keys=3)
        receiver = Receiver(make_decoder(), intake, StoppedClock())
        http = await stack.enter_async_context(
            serve_http(
                receiver,
                host="127.0.0.1",
                port=0,
                max_request_bytes=MAX_BYTES,
                max_concurrent_requests=1,
                read_timeout_seconds=0.2,
            )
        )
        rpc = await stack.enter_async_context(
            serve_grpc(receiver, host="127.0.0.1", port=0, max_request_bytes=MAX_BYTES)
        )
        session = await stack.enter_async_context(aiohttp.ClientSession())
        channel = await stack.enter_async_context(
            grpc.aio.insecure_channel(f"127.0.0.1:{rpc.port}", compression=grpc.Compression.Gzip)
        )
        yield Site(receiver, intake, f"http://127.0.0.1:{http.port}", session, channel)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (None, GOOD),
        ("identity", GOOD),
        ("gzip", gzip.compress(GOOD, mtime=0)),
        ("deflate", zlib.compress(GOOD)),
    ],
)
async def test_http_takes_protobuf_plain_or_compressed(
    site: Site, encoding: str | None, body: bytes
) -> None:
    headers = PROTOBUF | ({"Content-Encoding": encoding} if encoding else {})
    status, answer, told = await site.post(body, headers)
    assert (status, told["Content-Type"]) == (200, "application/x-protobuf")
    assert ExportTraceServiceResponse.FromString(answer) == ExportTraceServiceResponse()
    assert site.intake.drain()[KEY].units == 2.0
    assert site.intake.last_received_at == NOW


async def test_http_takes_json_and_answers_in_it(site: Site) -> None:
    text = json.dumps(to_json(GOOD))
    status, answer, told = await site.post(
        text, {"Content-Type": "application/json; charset=utf-8"}
    )
    assert (status, json.loads(answer)) == (200, {})
    assert told["Content-Type"].startswith("application/json")
    assert site.units() == 2.0


async def test_http_takes_chunked_bodies(site: Site) -> None:
    async def dribble() -> AsyncIterator[bytes]:
        sent = gzip.compress(GOOD)
        for start in range(0, len(sent), 50):
            yield sent[start : start + 50]

    status, _, _ = await site.post(dribble(), PROTOBUF | {"Content-Encoding": "gzip"})
    assert (status, site.units()) == (200, 2.0)


def with_a_bad_span() -> bytes:
    message = ExportTraceServiceRequest.FromString(GOOD)
    spans = message.resource_spans[0].scope_spans[0].spans
    spans.append(span(botocore("PutItem", retries=-1)))
    return message.SerializeToString()


async def test_spans_left_out_are_told_in_either_encoding(site: Site) -> None:
    body = with_a_bad_span()
    _, answer, _ = await site.post(body)
    partial = ExportTraceServiceResponse.FromString(answer).partial_success
    assert partial.rejected_spans == 1
    assert partial.error_message == "1 of 2 spans could not be read and were left out"

    _, answer, _ = await site.post(json.dumps(to_json(body)), JSON)
    assert json.loads(answer) == {
        "partialSuccess": {"rejectedSpans": "1", "errorMessage": partial.error_message}
    }
    assert (await site.export(body)).partial_success == partial
    assert site.units() == 6.0


@pytest.mark.parametrize(
    ("body", "headers", "status", "code", "message"),
    [
        (b"not protobuf", PROTOBUF, 400, 3, "12 bytes are no ExportTraceServiceRequest"),
        (b"[]", JSON, 400, 3, "request must be an object, not list"),
        (b"x" * (MAX_BYTES + 1), PROTOBUF, 413, 3, "exceeds 100000 bytes as sent"),
        (b"spans", {"Content-Type": "text/plain"}, 415, 3, "'text/plain' is neither"),
        (
            b"x",
            PROTOBUF | {"Content-Encoding": "zstd"},
            415,
            3,
            "'zstd' is not supported; use gzip",
        ),
        (b"spans", PROTOBUF | {"Content-Encoding": "gzip"}, 400, 3, "compressed body is damaged"),
    ],
    ids=["malformed", "malformed json", "oversized", "type", "encoding", "damaged gzip"],
)
async def test_http_refusals_are_statuses_in_the_askers_encoding(
    site: Site, body: bytes, headers: dict[str, str], status: int, code: int, message: str
) -> None:
    answered, answer, _ = await site.post(body, headers)
    if headers == JSON:
        told = json.loads(answer)
        assert (answered, told["code"]) == (status, code)
        assert message in told["message"]
    else:
        read = status_pb2.Status.FromString(answer)
        assert (answered, read.code) == (status, code)
        assert message in read.message
    refusals = site.receiver.refusals
    counted = {400: refusals.malformed, 413: refusals.oversized, 415: refusals.unsupported}
    assert counted == {400: 0, 413: 0, 415: 0} | {status: 1}
    assert site.intake.totals.requests == 0


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_bomb_does_not_go_off(site: Site, encoding: str) -> None:
    plain = bytes(50_000_000)
    bomb = gzip.compress(plain) if encoding == "gzip" else zlib.compress(plain)
    assert len(bomb) < MAX_BYTES
    status, answer, _ = await site.post(bomb, PROTOBUF | {"Content-Encoding": encoding})
    assert status == 413
    assert b"exceeds 100000 bytes decompressed" in answer


async def test_a_grpc_bomb_does_not_go_off_either(site: Site) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await site.export(bytes(20_000_000))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert site.receiver.refusals.oversized == 1
    await site.export(GOOD)
    assert site.units() == 2.0
    assert site.receiver.refusals.oversized == 1


async def test_grpc_refuses_what_is_malformed(site: Site) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await site.export(b"not protobuf")
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "12 bytes are no ExportTraceServiceRequest" in (refused.value.details() or "")
    assert site.receiver.refusals.malformed == 1


async def test_grpc_knows_no_other_method(site: Site) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await site.call(EXPORT.replace("trace", "metrics"), GOOD)
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("path", ["/v1/metrics", "/v1/logs", "/"])
async def test_http_knows_no_other_path(site: Site, path: str) -> None:
    status, _, _ = await site.post(GOOD, path=path)
    assert status == 404


async def test_a_full_intake_is_refused_retryably_until_the_next_tick(site: Site) -> None:
    tables = [span(botocore("PutItem", f"t{n}")) for n in range(3)]
    await site.export(request(*tables).SerializeToString())

    status, answer, told = await site.post(GOOD)
    assert (status, told["Retry-After"]) == (503, "1")
    assert status_pb2.Status.FromString(answer).code == grpc.StatusCode.UNAVAILABLE.value[0]

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await site.export(GOOD)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    trailers: Any = refused.value.trailing_metadata()
    (detail,) = status_pb2.Status.FromString(dict(trailers)["grpc-status-details-bin"]).details
    retry = error_details_pb2.RetryInfo()
    assert detail.Unpack(retry)
    assert retry.retry_delay.seconds == 1
    assert site.receiver.refusals.overloaded == 2

    site.intake.drain()
    status, _, _ = await site.post(GOOD)
    assert (status, site.units()) == (200, 2.0)


async def test_a_body_that_never_ends_is_given_up_and_holds_its_place_till_then(
    site: Site,
) -> None:
    begun, over = asyncio.Event(), asyncio.Event()

    async def stall() -> AsyncIterator[bytes]:
        yield GOOD[:10]
        begun.set()
        await over.wait()

    stalled = asyncio.create_task(site.post(stall()))
    await begun.wait()
    # Until the server has the stalled request in hand, this one is simply served.
    while (status := (await site.post(GOOD))[0]) == 200:
        site.intake.drain()
    assert status == 503
    answered, answer, _ = await stalled
    over.set()
    assert answered == 408
    assert b"longer than 0.2 s" in answer
    assert site.receiver.refusals.timed_out == 1


async def test_a_port_in_use_is_an_error_not_a_share(site: Site) -> None:
    taken = int(site.http.rpartition(":")[2])
    with pytest.raises(OSError, match=str(taken)):
        async with serve_http(site.receiver, host="127.0.0.1", port=taken):
            pass
    async with serve_grpc(site.receiver, host="127.0.0.1", port=0) as endpoint:
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{endpoint.port}"):
            async with serve_grpc(site.receiver, host="127.0.0.1", port=endpoint.port):
                pass
