"""What is charged when spans do not say, and how what they do say is remembered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.adapters.otlp.estimate import Estimator, Shape
from capacity_pilot.core.model import Dimension

from .traces import (
    READ,
    WRITE,
    Value,
    botocore,
    decode,
    exception,
    make_decoder,
    sole,
    span,
    split,
    total,
    units,
)

PUT = Shape("orders", "", "PutItem", Dimension.WRITE)


def estimate(estimator: Estimator, shape: Shape) -> dict[str, float]:
    return dict(estimator.estimate(shape, is_consistent=False, is_transactional=False))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (botocore("PutItem"), 1.0),
        (botocore("GetItem"), 0.5),
        (botocore("GetItem", consistent=True), 1.0),
        (botocore("TransactWriteItems"), 2.0),
        (botocore("TransactGetItems"), 2.0),
    ],
    ids=["write", "eventual read", "consistent read", "transactional write", "transactional read"],
)
def test_knowing_nothing_the_least_aws_charges(values: dict[str, Value], expected: float) -> None:
    harvest = decode(span(values))
    _, sample = sole(harvest)
    assert (sample.units, sample.estimated) == (expected, expected)
    assert harvest.counts.without_capacity == 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (botocore("PutItem"), {("", WRITE): 6.0, ("by-g", WRITE): 1.0}),  # 5.5 KiB: 6 of 1 KiB
        (botocore("GetItem"), {("", READ): 1.0}),  # 2 of 4 KiB, half each
        (botocore("GetItem", consistent=True), {("", READ): 2.0}),
        # AWS doubles a transaction's write to the table, not those to its indexes.
        (botocore("TransactWriteItems"), {("", WRITE): 12.0, ("by-g", WRITE): 1.0}),
        (botocore("TransactGetItems"), {("", READ): 4.0}),
        (botocore("Query", index="by-g"), {("by-g", READ): 0.5}),  # its items are 100 bytes
        (botocore("Query", limit=3), {("", READ): 2.5}),  # 16.5 KiB: 5 of 4 KiB, half each
        (botocore("Scan", limit=1 << 40), {("", READ): 128.0}),  # no page is above 1 MiB
        (botocore("Query", limit=-3), {("", READ): 1.0}),
        (botocore("Query", limit="many"), {("", READ): 1.0}),
        (botocore("GetItem", limit=3), {("", READ): 1.0}),
    ],
)
def test_the_mean_item_sizes_tell_more(
    values: dict[str, Value], expected: dict[tuple[str, int], float]
) -> None:
    estimator = Estimator()
    estimator.note_item_bytes("orders", "", 5.5 * 1024)
    estimator.note_item_bytes("orders", "by-g", 100.0)
    samples = decode(span(values), decoder=make_decoder(estimator)).samples
    assert {(key[1], key[2]): sample.units for key, sample in samples.items()} == expected
    assert all(sample.estimated == sample.units for sample in samples.values())


def test_a_total_of_a_write_is_divided_by_item_sizes_until_one_tells_its_indexes() -> None:
    estimator = Estimator()
    estimator.note_item_bytes("orders", "", 3000.0)
    estimator.note_item_bytes("orders", "by_g", 900.0)
    decoder = make_decoder(estimator)
    divided = decode(span(botocore("PutItem", capacity=[total(8.0)])), decoder=decoder)
    assert units(divided) == {("orders", "", WRITE): 6.0, ("orders", "by_g", WRITE): 2.0}
    read = decode(span(botocore("GetItem", capacity=[total(1.5)])), decoder=decoder)
    assert units(read) == {("orders", "", READ): 1.5}


@pytest.mark.parametrize("figure", [None, 0.0, float("nan"), float("inf"), -1.0])
def test_a_figure_that_is_no_size_withdraws_the_one_before(figure: float | None) -> None:
    estimator = Estimator()
    estimator.note_item_bytes("orders", "", 5000.0)
    estimator.note_item_bytes("orders", "", figure)
    assert estimate(estimator, PUT) == {"": 1.0}


def test_a_total_of_a_write_is_divided_as_such_writes_have_been() -> None:
    decoder = make_decoder()
    unlearned = decode(span(botocore("PutItem", capacity=[total(8.0)])), decoder=decoder)
    assert units(unlearned) == {("orders", "", WRITE): 8.0}
    assert unlearned.counts.total_only == 1

    decode(span(botocore("PutItem", capacity=[split(1.0, by_g=3.0)])), decoder=decoder)
    learned = decode(span(botocore("PutItem", capacity=[total(8.0)])), decoder=decoder)
    assert units(learned) == {("orders", "", WRITE): 2.0, ("orders", "by_g", WRITE): 6.0}
    assert sum(sample.estimated for sample in learned.samples.values()) == 8.0
    assert learned.counts.total_only == 0


def test_a_table_without_indexes_estimates_nothing_of_a_total() -> None:
    spans = [botocore("PutItem", capacity=[text]) for text in (split(1.0), total(8.0))]
    _, sample = sole(decode(*map(span, spans)))
    assert (sample.units, sample.estimated) == (9.0, 0.0)


def test_a_total_of_an_indexed_read_is_the_indexes_unless_it_is_local() -> None:
    decoder = make_decoder()
    query = botocore("Query", index="by-l", capacity=[total(2.0)])
    assert units(decode(span(query), decoder=decoder)) == {("orders", "by-l", READ): 2.0}
    local = (
        '{"TableName":"orders","CapacityUnits":2,'
        '"LocalSecondaryIndexes":{"by-l":{"CapacityUnits":2}}}'
    )
    decode(span(botocore("Query", index="by-l", capacity=[local])), decoder=decoder)
    assert units(decode(span(query), decoder=decoder)) == {("orders", "", READ): 2.0}


def test_a_batch_without_capacity_is_charged_by_table() -> None:
    decoder = make_decoder()
    decode(
        span(botocore("BatchWriteItem", "carts", capacity=[split(9.0, "carts")])), decoder=decoder
    )
    batch = botocore("BatchWriteItem") | {"aws.dynamodb.table_names": ["orders", "carts"]}
    harvest = decode(span(batch), decoder=decoder)
    assert units(harvest) == {("orders", "", WRITE): 1.0, ("carts", "", WRITE): 9.0}


def test_consistent_and_eventual_reads_teach_each_other() -> None:
    strong = botocore("GetItem", consistent=True, capacity=[total(4.0)])
    _, sample = sole(decode(span(strong), span(botocore("GetItem"))))
    assert (sample.units, sample.estimated) == (6.0, 2.0)


def test_a_throttled_write_would_have_touched_its_indexes_too() -> None:
    served = botocore("PutItem", capacity=[split(2.0, by_g=1.0)])
    refused = exception("ProvisionedThroughputExceededException")
    harvest = decode(span(served), span(botocore("PutItem"), error="", events=[refused]))
    throttled = {key[1]: sample.throttled for key, sample in harvest.samples.items()}
    assert throttled == {"": 2.0, "by_g": 1.0}


def test_damaged_capacity_is_a_call_that_does_not_say() -> None:
    # As an SDK's limit on attribute lengths leaves it.
    harvest = decode(span(botocore("PutItem", capacity=[split(3.0)[:30]])))
    _, sample = sole(harvest)
    assert (sample.units, sample.estimated) == (1.0, 1.0)
    assert harvest.counts.malformed_capacity == harvest.counts.without_capacity == 1


@given(st.integers(1, 500), st.floats(0.5, 1e4), st.floats(1.0, 1e4))
def test_equal_lessons_at_once_teach_the_same_as_one_by_one(
    calls: int, figure: float, weight: float
) -> None:
    at_once, singly = Estimator(), Estimator()
    for estimator in (at_once, singly):
        estimator.learn(PUT, 1.0, (("", 0.25), ("by-g", 0.75)), calls=10, weight=1.0)
    at_once.learn(PUT, figure, (("", figure),), calls=calls, weight=weight)
    for _ in range(calls):
        singly.learn(PUT, figure, (("", figure),), calls=1, weight=weight)
    assert estimate(at_once, PUT) == pytest.approx(estimate(singly, PUT), rel=1e-6)


@given(st.lists(st.tuples(st.floats(0.5, 1e4), st.integers(1, 300)), min_size=1))
def test_an_estimate_lies_within_what_was_seen(seen: list[tuple[float, int]]) -> None:
    estimator = Estimator()
    for figure, calls in seen:
        estimator.learn(PUT, figure, None, calls=calls, weight=1.0)
    figures = [figure for figure, _ in seen]
    (estimated,) = estimate(estimator, PUT).values()
    assert min(figures) * (1 - 1e-9) <= estimated <= max(figures) * (1 + 1e-9)


def test_a_change_of_size_is_followed_within_a_few_hundred_calls() -> None:
    estimator = Estimator()
    estimator.learn(PUT, 1.0, None, calls=100_000, weight=1.0)
    estimator.learn(PUT, 10.0, None, calls=600, weight=1.0)
    (estimated,) = estimate(estimator, PUT).values()
    assert 9.0 < estimated < 10.0


def test_a_dropped_index_fades_out_altogether() -> None:
    estimator = Estimator()
    estimator.learn(PUT, 2.0, (("", 1.0), ("old", 1.0)), calls=1000, weight=1.0)
    estimator.learn(PUT, 1.0, (("", 1.0),), calls=3000, weight=1.0)
    assert estimate(estimator, PUT).keys() == {""}


def test_the_least_recently_used_shapes_make_room() -> None:
    estimator = Estimator(max_shapes=3)
    for number in range(3):
        estimator.learn(PUT._replace(table=f"t{number}"), 5.0, None, calls=1, weight=1.0)
    estimate(estimator, PUT._replace(table="t0"))
    estimator.learn(PUT._replace(table="t3"), 5.0, None, calls=1, weight=1.0)
    remembered = [estimate(estimator, PUT._replace(table=f"t{n}"))[""] == 5.0 for n in range(4)]
    assert (estimator.known_shapes, remembered) == (3, [True, False, True, True])
