"""What was harvested since the last tick: bounded, merged, handed over whole."""

from __future__ import annotations

from capacity_pilot.adapters.otlp.harvest import Counts, Harvest
from capacity_pilot.core.errors import OverloadedError
from capacity_pilot.core.model import Sample, SampleKey, SignalKey
from capacity_pilot.core.throttling import Incident

MAX_PENDING_KEYS = 200_000
MAX_PENDING_SIGNALS = 20_000
MAX_PENDING_INCIDENTS = 1_000

Incidents = dict[Incident, float]
IncidentRoutes = dict[tuple[Incident, str], float]


class Intake:
    """The bounded buffer between the servers and the tick. Used from one thread only.

    ``totals`` only grows and outlives drains.
    """

    def __init__(self, *, max_pending_keys: int = MAX_PENDING_KEYS) -> None:
        self._max_pending_keys = max_pending_keys
        self._samples: dict[SampleKey, Sample] = {}
        self._signals: dict[SignalKey, float] = {}
        self._incidents: Incidents = {}
        self._routes: IncidentRoutes = {}
        self._last_received_at: float | None = None
        self.totals = Counts()

    @property
    def pending_keys(self) -> int:
        return len(self._samples)

    @property
    def is_full(self) -> bool:
        return self.pending_keys >= self._max_pending_keys

    @property
    def last_received_at(self) -> float | None:
        """When a harvest was last taken in, whether or not it held demand."""
        return self._last_received_at

    def offer(self, harvest: Harvest, received_at: float) -> None:
        """Merges the harvest, or raises ``OverloadedError`` and merges nothing of it.

        A harvest that only adds to pending keys is taken even when full. Signals are a help and
        no more: those for which there is no room are left out and counted.
        """
        new_keys = sum(key not in self._samples for key in harvest.samples)
        if new_keys and self.pending_keys + new_keys > self._max_pending_keys:
            msg = (
                f"intake holds {self.pending_keys} of at most {self._max_pending_keys} pending"
                f" targets and seconds; {new_keys} more do not fit until the next tick"
            )
            raise OverloadedError(msg)
        for key, sample in harvest.samples.items():
            pending = self._samples.get(key)
            if pending is None:
                self._samples[key] = sample
            else:
                pending.add(sample)
        self._take_signals(harvest.signals)
        if harvest.incidents or harvest.routes:
            self._take_incidents(harvest)
        self.totals.add(harvest.counts)
        self._last_received_at = received_at

    def drain(self) -> dict[SampleKey, Sample]:
        """Hands over what is pending, for the taker to keep, and starts afresh."""
        drained, self._samples = self._samples, {}
        return drained

    def drain_signals(self) -> dict[SignalKey, float]:
        """Hands over what was counted of signals, and starts afresh."""
        drained, self._signals = self._signals, {}
        return drained

    def drain_incidents(self) -> tuple[Incidents, IncidentRoutes]:
        """Hands over the calls that other limits refused, with the routes found, and starts
        afresh.
        """
        drained = self._incidents, self._routes
        self._incidents, self._routes = {}, {}
        return drained

    def _take_incidents(self, harvest: Harvest) -> None:
        for incident, calls in harvest.incidents.items():
            if incident in self._incidents or len(self._incidents) < MAX_PENDING_INCIDENTS:
                self._incidents[incident] = self._incidents.get(incident, 0.0) + calls
            else:
                self.totals.incidents_dropped += 1
        for key, calls in harvest.routes.items():
            if key in self._routes or len(self._routes) < MAX_PENDING_INCIDENTS:
                self._routes[key] = self._routes.get(key, 0.0) + calls

    def _take_signals(self, signals: dict[SignalKey, float]) -> None:
        pending = self._signals
        for key, count in signals.items():
            if key in pending:
                pending[key] += count
            elif len(pending) < MAX_PENDING_SIGNALS:
                pending[key] = count
            else:
                self.totals.signals_dropped += 1
