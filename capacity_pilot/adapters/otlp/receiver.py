"""Receives one request's bytes, whichever protocol brought them: decode, then offer.

Decoding runs inline on the event loop: about 20 ms for a Collector's usual batch of 8192 spans.
The worst request found within the default size limit, 16 MiB in which every span is a DynamoDB
call that says something new, holds the loop for about two and a half seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from capacity_pilot.adapters.otlp.body import OversizedError, UnsupportedError
from capacity_pilot.adapters.otlp.decode import Decoder
from capacity_pilot.adapters.otlp.harvest import Harvest
from capacity_pilot.adapters.otlp.intake import Intake
from capacity_pilot.adapters.otlp.wire import PartialSuccess, TraceResponse
from capacity_pilot.core.errors import OverloadedError
from capacity_pilot.core.ports import Clock

MAX_REQUEST_BYTES = 16 * 1024 * 1024
"""Decompressed bytes of one request. A Collector batch of 8192 spans is about 3.4 MB."""

MAX_CONCURRENT_REQUESTS = 64
"""Requests being read at once, by protocol; times ``MAX_REQUEST_BYTES`` bounds the memory."""

RETRY_AFTER_SECONDS = 1
"""What a refused sender is told to wait: the length of a tick, which empties the intake."""


@dataclass(slots=True)
class Refusals:
    """Requests not taken, by reason; only ever grows."""

    malformed: int = 0
    oversized: int = 0
    unsupported: int = 0
    overloaded: int = 0
    timed_out: int = 0


class Receiver:
    """Where the servers hand in bodies. ``refusals`` are kept here for all of them."""

    def __init__(self, decoder: Decoder, intake: Intake, clock: Clock) -> None:
        self._decoder = decoder
        self._intake = intake
        self._clock = clock
        self.refusals = Refusals()

    def receive_protobuf(self, body: bytes) -> TraceResponse:
        """Raises ``TelemetryError`` for a malformed body, ``OverloadedError`` when full."""
        return self._receive(body, is_json=False)

    def receive_json(self, body: bytes) -> TraceResponse:
        """Raises ``TelemetryError`` for a malformed body, ``OverloadedError`` when full."""
        return self._receive(body, is_json=True)

    def ensure_room(self) -> None:
        """Raises ``OverloadedError`` when full, before the work of reading is put in."""
        if self._intake.is_full:
            msg = "the intake is full until the next tick"
            raise OverloadedError(msg)

    def note_refusal(self, error: Exception) -> None:
        """Counts a request the server did not take."""
        refusals = self.refusals
        if isinstance(error, UnsupportedError):
            refusals.unsupported += 1
        elif isinstance(error, OversizedError):
            refusals.oversized += 1
        elif isinstance(error, OverloadedError):
            refusals.overloaded += 1
        elif isinstance(error, TimeoutError):
            refusals.timed_out += 1
        else:
            refusals.malformed += 1

    def _receive(self, body: bytes, *, is_json: bool) -> TraceResponse:
        received_at = self._clock.now()
        decode = self._decoder.decode_json if is_json else self._decoder.decode_protobuf
        harvest = decode(body, received_at)
        self._intake.offer(harvest, received_at)
        return _respond(harvest)


def _respond(harvest: Harvest) -> TraceResponse:
    """Full success is an unset ``partial_success`` (OTLP specification, "Partial Success")."""
    rejected = harvest.counts.malformed_spans
    if not rejected:
        return TraceResponse()
    message = f"{rejected} of {harvest.counts.spans} spans could not be read and were left out"
    return TraceResponse(
        partial_success=PartialSuccess(rejected_spans=rejected, error_message=message)
    )
