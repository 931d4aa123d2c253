"""Spans that may precede demand, counted by name: requests entering a route, messages sent or
taken, pushes on their way to phones.

They count in the second in which they began: by the time a request has ended, its calls to
DynamoDB are over. Names are the service's with what it does, such as ``feed-api GET /feed``.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import Any, Final

from google.protobuf.message import DecodeError

from capacity_pilot.adapters.otlp.attributes import (
    AttributeMemo,
    Fact,
    Readers,
    read_text,
    read_whole_number,
)
from capacity_pilot.adapters.otlp.spans import Gathered, Service, weigh_span
from capacity_pilot.adapters.otlp.wire import AnyValue, Span

SIGNAL_MARKS: Final = (b"http.route", b"messaging.", b"fcm.googleapis.com", b"push.apple.com")
"""A span that contains none of them is no signal."""

_NANOS = 1_000_000_000
_MAX_NAME_CHARS = 200
_MAX_MESSAGES = 100_000
_SERVER, _CLIENT, _PRODUCER, _CONSUMER = 2, 3, 4, 5  # SpanKind
_SENDING = frozenset(("publish", "send", "create"))
_GATEWAYS = ("fcm.googleapis.com", "push.apple.com")


class Trait(Enum):
    """What an attribute tells of a signal, whichever name its dialect gives it."""

    __hash__ = object.__hash__  # members are single; Enum's own hash runs in Python

    ROUTE = auto()
    METHOD = auto()
    DESTINATION = auto()
    OPERATION = auto()
    MESSAGES = auto()
    HOST = auto()


def _read_messages(value: AnyValue) -> int:
    messages = read_whole_number(value)
    if not 0 <= messages <= _MAX_MESSAGES:
        msg = f"messages of a batch must be within 0-{_MAX_MESSAGES}, not {messages}"
        raise ValueError(msg)
    return messages


# OpenTelemetry semantic conventions, HTTP and messaging spans, and what came before 1.23 and 1.26.
_READERS: Final[Readers] = {
    b"http.route": (Trait.ROUTE, read_text),
    b"http.request.method": (Trait.METHOD, read_text),
    b"http.method": (Trait.METHOD, read_text),
    b"messaging.destination.template": (Trait.DESTINATION, read_text),
    b"messaging.destination.name": (Trait.DESTINATION, read_text),
    b"messaging.destination": (Trait.DESTINATION, read_text),
    b"messaging.operation.type": (Trait.OPERATION, read_text),
    b"messaging.operation": (Trait.OPERATION, read_text),
    b"messaging.batch.message_count": (Trait.MESSAGES, _read_messages),
    b"server.address": (Trait.HOST, read_text),
    b"net.peer.name": (Trait.HOST, read_text),
}

_Key = tuple[str, int, tuple[Fact, ...]]
_Signal = tuple[str, int]
"""A signal's name, and how many of it one span stands for."""


class SignalReader:
    """Reads encoded spans; holds the memos, and the names it has let in."""

    def __init__(self, *, max_signals: int, max_memo_entries: int) -> None:
        self._max_signals = max_signals
        self._max_known = max_memo_entries
        self._memo = AttributeMemo(max_entries=max_memo_entries, readers=_READERS)
        self._names: set[str] = set()
        self._known: dict[_Key, _Signal | None] = {}

    def forget(self) -> None:
        """Empties the memos and lets other names in."""
        self._names.clear()
        self._forget_spans()

    def read(self, spans: Sequence[bytes], service: Service, gathered: Gathered) -> None:
        """Counts the signals among the spans. One that cannot be read is nobody's loss."""
        if self._memo.is_full or len(self._known) >= self._max_known:
            self._forget_spans()
        counts, window, signals = gathered.counts, gathered.window, gathered.signals
        recall, parse = self._memo.__getitem__, Span.FromString
        for raw in spans:
            try:
                span = parse(raw)
                key = (service.name, span.kind, tuple(filter(None, map(recall, span.attributes))))
                signal = self._known[key] if key in self._known else self._name(key)
            except (DecodeError, ValueError):
                continue
            began_at = span.start_time_unix_nano or span.end_time_unix_nano
            if signal is None or not window.opens_at <= began_at <= window.closes_at:
                continue
            name, messages = signal
            if not self._admits(name):
                counts.signals_over_bound += 1
                continue
            weight = service.weight
            if span.trace_state:
                weight = weigh_span(span.trace_state, service, counts)
            counts.upstream += 1
            at = ("", name, began_at // _NANOS)
            signals[at] = signals.get(at, 0.0) + weight * messages

    def name_request(self, raw: bytes, service: Service) -> str:
        """What a span of a request or of a message being taken is called; ``""`` for any other."""
        recall = self._memo.__getitem__
        try:
            span = Span.FromString(raw)
            key = (service.name, span.kind, tuple(filter(None, map(recall, span.attributes))))
            signal = self._known[key] if key in self._known else self._name(key)
        except (DecodeError, ValueError):
            return ""
        return signal[0] if signal and span.kind in {_SERVER, _CONSUMER} else ""

    def _name(self, key: _Key) -> _Signal | None:
        service, kind, facts = key
        signal = _name_signal(service, kind, {fact.slot: fact.value for fact in facts})
        self._known[key] = signal
        return signal

    def _admits(self, name: str) -> bool:
        if name in self._names:
            return True
        if len(self._names) >= self._max_signals:
            return False
        self._names.add(name)
        return True

    def _forget_spans(self) -> None:
        self._memo.forget()
        self._known.clear()


def _name_signal(service: str, kind: int, traits: dict[Enum, Any]) -> _Signal | None:
    """``None`` for a span that is no signal."""
    route, destination = traits.get(Trait.ROUTE), traits.get(Trait.DESTINATION)
    operation, host = traits.get(Trait.OPERATION), traits.get(Trait.HOST, "")
    messages = traits.get(Trait.MESSAGES, 1)
    if kind == _SERVER and route:
        return _shorten(f"{service} {traits.get(Trait.METHOD, '')} {route}"), 1
    if kind == _CONSUMER and destination:
        return _shorten(f"{service} takes from {destination}"), messages
    if destination and (kind == _PRODUCER or (kind == _CLIENT and operation in _SENDING)):
        return _shorten(f"{service} sends to {destination}"), messages
    if kind == _CLIENT and host.endswith(_GATEWAYS):
        return _shorten(f"{service} pushes through {host}"), 1
    return None


def _shorten(name: str) -> str:
    return " ".join(name.split())[:_MAX_NAME_CHARS]
