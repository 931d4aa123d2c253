"""Requests entering a route, counted without parsing their spans.

There may be as many of them as of all other spans together, and three things are wanted of each:
that it is a SERVER span, when it began, and the bytes of its route and method. Encoders write
fields in the order of their numbers, so they stand where they are looked for; a span in which they
do not, or which says how it was sampled, is left to whoever parses spans. Of many spans at once
every fourth trace will do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import compress
from operator import itemgetter
from struct import Struct
from typing import Final

from capacity_pilot.adapters.otlp.attributes import read_text
from capacity_pilot.adapters.otlp.wire import AnyValue

SERVER_MARK: Final = b"\x30\x02\x39"
"""Field 6, kind, is 2, SERVER, and field 7, the time it began, follows."""

ROUTE_MARK: Final = b"http.route"
ROUTE_KEY: Final = b"\x0a\x0ahttp.route\x12"
"""A KeyValue's key, up to the length of its value."""

_METHOD_KEYS = (b"\x0a\x13http.request.method\x12", b"\x0a\x0bhttp.method\x12")
_TRACE_ID, _SPAN_ID, _TRACE_STATE = b"\x0a\x10", b"\x12\x08", 0x1A
_END_TAG, _LONG, _LONG_BYTE = 0x41, 0x80, b"\x80"
_NANOS = 1_000_000_000
_FEW, _SPARSE = 256, 4
_TAKEN = bytes(byte % _SPARSE == 0 for byte in range(256))
_last_of_id = itemgetter(17)
_read_time = Struct("<Q").unpack_from

Entry = tuple[bytes, bytes, int]
"""Encoded values of route and method (empty where there is none), and the Unix second."""


def thin_out(spans: Sequence[bytes]) -> tuple[Sequence[bytes], int]:
    """Spans to count, and how many each of them stands for.

    A trace is taken by the last byte of its id, which is random for whoever follows W3C's Trace
    Context, and which no sampler looks at before the other bytes.
    """
    if len(spans) <= _FEW or spans[0][:2] != _TRACE_ID:
        return spans, 1
    try:
        is_taken = bytes(map(_last_of_id, spans)).translate(_TAKEN)
        return list(compress(spans, is_taken)), _SPARSE
    except IndexError:  # a span too short to have an id
        return spans, 1


def count_entries(
    spans: Iterable[bytes], *, opens_at: int, closes_at: int
) -> tuple[dict[Entry, int], list[bytes]]:
    """Entries among ``spans``, SERVER spans with a route that began between two times in
    nanoseconds; and the spans that are not laid out as expected.
    """
    counted: dict[Entry, int] = {}
    odd = []
    for raw in spans:
        route_at = raw.find(ROUTE_KEY) + len(ROUTE_KEY)
        if route_at < len(ROUTE_KEY) and ROUTE_MARK not in raw:
            continue
        kind_at = raw.find(SERVER_MARK)
        try:
            if (
                route_at < len(ROUTE_KEY)
                or raw[route_at] >= _LONG
                or raw[18:20] != _SPAN_ID
                or raw[28] == _TRACE_STATE
                or raw[kind_at + 11] != _END_TAG
            ):
                odd.append(raw)
                continue
        except IndexError:
            odd.append(raw)
            continue
        (began_at,) = _read_time(raw, kind_at + 3)
        if opens_at <= began_at <= closes_at:
            route = raw[route_at : route_at + 1 + raw[route_at]]
            entry = (route, _find_method(raw), began_at // _NANOS)
            counted[entry] = counted.get(entry, 0) + 1
    return counted, odd


def read_value(encoded: bytes) -> str:
    """The text of a route or method as an entry has it. Raises ``DecodeError`` or ``ValueError``
    where it is none.
    """
    return read_text(AnyValue.FromString(encoded[1:])) if encoded else ""


def _find_method(raw: bytes) -> bytes:
    for key in _METHOD_KEYS:
        found = raw.find(key)
        if found >= 0:
            at = found + len(key)
            return raw[at : at + 1 + raw[at]] if raw[at : at + 1] < _LONG_BYTE else b""
    return b""
