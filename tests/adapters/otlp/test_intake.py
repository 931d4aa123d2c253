"""The buffer between servers and tick: bounded, all or nothing, handed over whole."""

from __future__ import annotations

import pytest

from capacity_pilot.adapters.otlp.harvest import Counts, Harvest
from capacity_pilot.adapters.otlp.intake import Intake
from capacity_pilot.core.errors import OverloadedError
from capacity_pilot.core.model import Sample

from .traces import NOW, SECOND, botocore, decode, span, split


def harvest(*tables: str, units: float = 1.0, second: int = SECOND) -> Harvest:
    return Harvest(
        samples={(table, "", 1, second): Sample(units, 1.0) for table in tables},
        counts=Counts(requests=1, spans=len(tables)),
    )


def test_what_was_offered_is_drained_once() -> None:
    intake = Intake()
    intake.offer(harvest("orders", units=2.0), NOW)
    intake.offer(harvest("orders", "carts", units=3.0, second=SECOND + 1), NOW + 1)
    intake.offer(harvest("orders", units=4.0), NOW + 2)

    samples = intake.drain()
    assert {(key[0], key[3]): sample.units for key, sample in samples.items()} == {
        ("orders", SECOND): 6.0,
        ("orders", SECOND + 1): 3.0,
        ("carts", SECOND + 1): 3.0,
    }
    assert intake.drain() == {}
    assert (intake.totals.requests, intake.totals.spans) == (3, 4)
    assert intake.last_received_at == NOW + 2


def test_silence_is_not_a_time() -> None:
    assert Intake().last_received_at is None


def test_a_full_intake_takes_nothing_of_what_does_not_fit() -> None:
    intake = Intake(max_pending_keys=2)
    intake.offer(harvest("orders"), NOW)
    with pytest.raises(OverloadedError, match="holds 1 of at most 2 pending"):
        intake.offer(harvest("orders", "carts", "users"), NOW + 1)
    assert intake.last_received_at == NOW
    assert intake.totals.requests == 1

    intake.offer(harvest("carts"), NOW + 2)
    assert intake.is_full
    intake.offer(harvest("orders"), NOW + 3)  # nothing new to keep
    samples = intake.drain()
    assert [sample.units for sample in samples.values()] == [2.0, 1.0]
    assert not intake.is_full


def test_a_drained_sample_is_the_takers_own() -> None:
    intake = Intake()
    intake.offer(harvest("orders"), NOW)
    samples = intake.drain()
    intake.offer(harvest("orders"), NOW)
    assert samples["orders", "", 1, SECOND].units == 1.0


def test_counts_by_caller_reach_the_totals() -> None:
    intake = Intake()
    for _ in range(2):
        unnamed = span(botocore("PutItem", None))
        intake.offer(decode(unnamed, span(botocore("PutItem", capacity=[split(1.0)]))), NOW)
        intake.drain()
    assert intake.totals.without_table_by == {"shop:PutItem": 2}
    assert intake.totals.dynamodb_spans == 4
