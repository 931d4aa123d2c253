"""Whose request made a call: the call's span and the server's that it was made for share a trace.

The server's span ends after the call's, so that it comes with the same export or a later one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from capacity_pilot.core.throttling import Incident

MOST_TRACES: Final = 1024
"""Traces waited for at once. Of those that no server's span comes for, the oldest make room."""

_FORGET_S: Final = 60.0


def trace_of(raw: bytes) -> bytes:
    """The trace id of an encoded span, which encoders put first, or nothing."""
    return raw[2:18] if raw.startswith(b"\n\x10") else b""


class RouteJoin:
    """Remembers the traces of calls that are reported until the route's span has come."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, tuple[float, dict[tuple[str, Incident], float]]] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def wait(self, trace: bytes, incident: Incident, calls: float, now: float) -> None:
        """Notes that calls of an incident were made in a trace."""
        _, callers = self._waiting.setdefault(trace, (now, {}))
        key = (incident.service, incident)
        callers[key] = callers.get(key, 0.0) + calls
        while len(self._waiting) > MOST_TRACES or self._has_aged(now):
            del self._waiting[next(iter(self._waiting))]

    def may_concern(self, spans: Sequence[bytes], marks: Iterable[bytes]) -> Iterator[bytes]:
        """The spans of traces waited for that contain one of the marks."""
        for raw in spans:
            if trace_of(raw) in self._waiting and any(mark in raw for mark in marks):
                yield raw

    def settle(self, trace: bytes, service: str) -> Iterator[tuple[Incident, float]]:
        """What a service's calls in a trace came to; nobody is to be told of them again."""
        _, callers = self._waiting.get(trace, (0.0, {}))
        for caller, incident in [key for key in callers if key[0] == service]:
            yield incident, callers.pop((caller, incident))
        if not callers:
            self._waiting.pop(trace, None)

    def _has_aged(self, now: float) -> bool:
        oldest, _ = next(iter(self._waiting.values()))
        return now - oldest > _FORGET_S
