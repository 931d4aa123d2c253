"""Turns a request's calls into demand: learns from those that state capacity, then charges all.

Learning comes first, so that a request's own evidence serves its own estimates. Both happen
once per distinct (call, outcome, second, weight), not once per span.
"""

from __future__ import annotations

from dataclasses import dataclass

from capacity_pilot.adapters.otlp.call import Call
from capacity_pilot.adapters.otlp.capacity import Parts, Stated
from capacity_pilot.adapters.otlp.estimate import Estimator, Shape
from capacity_pilot.adapters.otlp.harvest import Counts, Harvest
from capacity_pilot.adapters.otlp.outcome import Outcome, Throttle, Verdict
from capacity_pilot.core.model import Dimension, Sample, SampleKey
from capacity_pilot.core.throttling import Cause, feeds_demand, list_scaled

Samples = dict[SampleKey, Sample]

Tally = dict[tuple[Call, Verdict, int, float], int]
"""Spans per (call, outcome, Unix second of their end, adjusted count)."""


def charge(tally: Tally, *, estimator: Estimator, harvest: Harvest) -> None:
    """Adds the demand of all tallied calls to the harvest, and counts how it was come by.

    A throttled call is charged what it would have consumed, on every resource it would have
    touched. Where its span tells which of them were short of capacity, these alone refused it;
    where it tells of other limits alone, capacity would not have served it, and it adds a request
    with 0 units, as a call does that failed without consuming. Attempts hidden by retries are
    refusals, their units are not counted again: the call needs its capacity once.
    """
    _learn(tally, estimator)
    for (call, verdict, second, weight), spans in tally.items():
        calls = weight * spans
        outcome, causes = verdict, call.causes
        if isinstance(verdict, Throttle):
            outcome, causes = Outcome.THROTTLED, verdict.causes
        if call.charges and outcome is Outcome.SERVED:
            _charge_plainly(harvest.samples, call, second, calls)
            if weight != 1.0:
                harvest.counts.sampled += spans
            continue
        _count(harvest.counts, call, verdict, spans, weight)
        is_throttled = outcome is Outcome.THROTTLED
        ledger = _Ledger(harvest.samples, call, is_throttled, causes, second, calls)
        if outcome is Outcome.FAILED_UNCONSUMING or (is_throttled and not feeds_demand(causes)):
            ledger.charge_nothing()
        elif call.stated and not is_throttled:
            for stated in call.stated:
                harvest.counts.total_only += spans * _charge_stated(ledger, stated, estimator)
        else:
            _charge_estimate(ledger, estimator)


def _learn(tally: Tally, estimator: Estimator) -> None:
    """Teaches what served calls stated, all equal ones in one lesson."""
    lessons: dict[tuple[Call, float], int] = {}
    for (call, outcome, _, weight), spans in tally.items():
        if call.stated and outcome is Outcome.SERVED:
            key = (call, weight)
            lessons[key] = lessons.get(key, 0) + spans
    for (call, weight), calls in lessons.items():
        for shape, units, parts in call.lessons:
            estimator.learn(shape, units, parts, calls=calls, weight=weight)


def _charge_plainly(samples: Samples, call: Call, second: int, calls: float) -> None:
    """The common case, apart from the rest because it is nearly all there is."""
    for table, index, dimension, units in call.charges:
        key = (table, index, dimension, second)
        sample = samples.get(key)
        if sample is None:
            samples[key] = Sample(units * calls, calls)
        else:
            sample.units += units * calls
            sample.requests += calls


def _charge_stated(ledger: _Ledger, stated: Stated, estimator: Estimator) -> bool:
    """True if a write's total went to the table whole for want of knowing better."""
    table, dimension, units, parts = stated
    if parts is not None:
        ledger.charge(table, dimension, parts, is_estimated=False)
        return False
    call = ledger.call
    learned = estimator.divide(_shape(call, table, dimension), units)
    if learned is not None:
        # A table without indexes has learned the one share there is: nothing is estimated.
        ledger.charge(table, dimension, learned, is_estimated=len(learned) > 1)
        return False
    # A read by index name is the index's, unless that were known to be local.
    ledger.charge(table, dimension, ((call.index, units),), is_estimated=False)
    return not call.index


def _charge_estimate(ledger: _Ledger, estimator: Estimator) -> None:
    call = ledger.call
    if call.dimension is None:
        return
    for table in call.tables:
        parts = estimator.estimate(
            _shape(call, table, call.dimension),
            is_consistent=call.is_consistent,
            is_transactional=call.operation is not None and call.operation.is_transactional,
            items=call.limit,
        )
        ledger.charge(table, call.dimension, parts, is_estimated=True)


def _shape(call: Call, table: str, dimension: Dimension) -> Shape:
    return Shape(table, call.index, call.operation_name, dimension)


@dataclass(slots=True)
class _Ledger:
    """Enters the charges of equal calls; ``calls`` is their number times adjusted count."""

    samples: Samples
    call: Call
    is_throttled: bool
    causes: tuple[Cause, ...]
    second: int
    calls: float

    def charge(self, table: str, dimension: Dimension, parts: Parts, *, is_estimated: bool) -> None:
        parts = self._add_named(parts or ((self.call.index, 0.0),), table, dimension)
        short = self._find_short(parts, table, dimension)
        refusals = self.calls * (self.call.retries + self.is_throttled)
        for index, units in parts:
            sample = self._sample(table, index, dimension)
            charged = units * self.calls
            sample.units += charged
            sample.requests += self.calls
            if index in short:
                sample.refusals += refusals
                if self.is_throttled:
                    sample.throttled += charged
            if is_estimated:
                sample.estimated += charged

    def _add_named(self, parts: Parts, table: str, dimension: Dimension) -> Parts:
        """A write that an index refused costs it about what it costs the table, if nothing else
        is known of that index.
        """
        if not self.is_throttled or dimension is not Dimension.WRITE:
            return parts
        known = dict(parts)
        for cause in list_scaled(self.causes):
            if cause.index and cause.concerns(table, cause.index, dimension):
                known.setdefault(cause.index, known.get("", 0.0))
        return tuple(known.items())

    def _find_short(self, parts: Parts, table: str, dimension: Dimension) -> set[str]:
        """The indexes, ``""`` for the table, that were short of capacity: all of them where nobody
        says, and where one is said to be but which cannot be known.
        """
        every = {index for index, _ in parts}
        if not self.causes:
            return every
        scaled = list_scaled(self.causes)
        named = {i for i in every if any(c.concerns(table, i, dimension) for c in scaled)}
        return named or (every if any(not cause.table for cause in scaled) else set())

    def charge_nothing(self) -> None:
        if self.call.dimension is None:
            return
        for table in self.call.tables:
            self._sample(table, self.call.index, self.call.dimension).requests += self.calls

    def _sample(self, table: str, index: str, dimension: Dimension) -> Sample:
        key = (table, index, int(dimension), self.second)
        sample = self.samples.get(key)
        if sample is None:
            sample = self.samples[key] = Sample()
        return sample


def _count(counts: Counts, call: Call, verdict: Verdict, spans: int, weight: float) -> None:
    if weight != 1.0:
        counts.sampled += spans
    if call.has_malformed_capacity:
        counts.malformed_capacity += spans
    if verdict is Outcome.SERVED:
        counts.without_capacity += 0 if call.stated else spans
    elif verdict is Outcome.THROTTLED or isinstance(verdict, Throttle):
        counts.throttled += spans
        counts.throttled_unexplained += spans * (verdict is Outcome.THROTTLED)
    elif verdict is Outcome.FAILED_CONSUMING:
        counts.failed_consuming += spans
    else:
        counts.failed_unconsuming += spans
        return  # what was retried was not refused for capacity
    counts.retries += spans * call.retries
