"""When, how often and for whom: time, sampling, bounds and the count of everything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from capacity_pilot.adapters.otlp import sampling
from capacity_pilot.adapters.otlp.attributes import AttributeMemo
from capacity_pilot.adapters.otlp.decode import Bounds
from capacity_pilot.adapters.otlp.harvest import MAX_CALLERS, OTHER_CALLERS, Counts
from capacity_pilot.adapters.otlp.names import TURNOVER_SECONDS
from capacity_pilot.adapters.otlp.sampling import MAX_ADJUSTED_COUNT, adjusted_count
from capacity_pilot.core.demand import WINDOW_S
from capacity_pilot.core.errors import InputError

from .traces import (
    NOW,
    SECOND,
    attributes,
    botocore,
    decode,
    make_decoder,
    request,
    sole,
    span,
    split,
)

PUT = botocore("PutItem", capacity=[split(2.0)])


@given(st.integers(0, 999_999_999))
def test_demand_lies_in_the_second_in_which_the_call_ended(nanos: int) -> None:
    message = span(PUT)
    message.end_time_unix_nano = SECOND * 1_000_000_000 + nanos
    harvest = decode(message)
    (_, _, _, second), _ = sole(harvest)
    assert second == SECOND


@pytest.mark.parametrize(
    ("age", "counter"),
    [
        (WINDOW_S - 1.0, "late"),
        (WINDOW_S - 3.0, None),
        (0.0, None),
        (-4.0, None),
        (-6.0, "clock_skew"),
    ],
)
def test_spans_too_old_or_from_the_future_are_counted_not_placed(
    age: float, counter: str | None
) -> None:
    harvest = decode(span(PUT, ended_at=NOW - age))
    assert len(harvest.samples) == (counter is None)
    assert (harvest.counts.late, harvest.counts.clock_skew) == (
        counter == "late",
        counter == "clock_skew",
    )


def test_a_span_without_an_end_costs_itself_alone() -> None:
    endless = span(PUT)
    endless.end_time_unix_nano = 0
    harvest = decode(endless, span(PUT))
    assert sole(harvest)[1].requests == 1.0
    assert harvest.counts.malformed_spans == 1


@pytest.mark.parametrize(
    ("trace_state", "count"),
    [
        ("ot=th:0", 1.0),
        ("ot=th:8", 2.0),
        ("ot=th:c", 4.0),
        ("congo=t61rcWkgMzE,ot=rv:abcdef01234567;th:e6666666666666", 10.0),
        ("ot=rv:abcdef01234567", None),
        ("other=th:c", None),
        ("", None),
    ],
)
def test_a_threshold_says_how_many_calls_a_span_stands_for(
    trace_state: str, count: float | None
) -> None:
    assert adjusted_count(trace_state.encode()) == pytest.approx(count)


def test_a_long_tracestate_is_read_but_not_kept() -> None:
    others = ",".join(f"vendor{n}={'x' * 200}" for n in range(30))
    before = sampling._recall_count.cache_info().currsize
    assert adjusted_count(f"{others},ot=th:8".encode()) == 2.0
    assert sampling._recall_count.cache_info().currsize == before


def test_a_long_resource_is_read_but_not_kept() -> None:
    decoder = make_decoder(ratios={"shop": 0.5})
    for length, kept in ((10, 1), (10_000, 1), (20, 2)):
        message = request(span(PUT))
        resource = message.resource_spans[0].resource
        resource.attributes.extend(attributes({"process.command_line": "x" * length}))
        harvest = decoder.decode_protobuf(message.SerializeToString(), NOW)
        assert sole(harvest)[1].requests == 2.0
        assert len(decoder._services) == kept


def test_a_sampled_span_weighs_as_many_calls_in_every_figure() -> None:
    retried = botocore("PutItem", capacity=[split(2.0)], retries=1)
    harvest = decode(span(retried, trace_state="ot=th:c"))
    _, sample = sole(harvest)
    assert (sample.units, sample.requests, sample.refusals) == (8.0, 4.0, 4.0)
    assert (harvest.counts.sampled, harvest.counts.dynamodb_spans) == (1, 1)


@pytest.mark.parametrize("threshold", ["", "xyz", "C", "123456789012345", "ffffffffffffff"])
def test_a_threshold_not_to_be_believed_counts_once(threshold: str) -> None:
    harvest = decode(span(PUT, trace_state=f"ot=th:{threshold}"))
    assert sole(harvest)[1].requests == 1.0
    assert harvest.counts.malformed_thresholds == 1


@given(st.from_regex(r"[0-9a-f]{1,14}", fullmatch=True))
def test_a_count_is_the_inverse_of_the_probability(threshold: str) -> None:
    kept = 1 - int(threshold, 16) / 16 ** len(threshold)
    if kept * MAX_ADJUSTED_COUNT > 1.001:
        assert adjusted_count(f"ot=th:{threshold}".encode()) == pytest.approx(1 / kept, rel=1e-3)


def test_a_configured_ratio_serves_where_no_threshold_is_left() -> None:
    decoder = make_decoder(ratios={"shop": 0.1})
    ratio = decode(span(PUT), decoder=decoder)
    threshold = decode(span(PUT, trace_state="ot=th:8"), decoder=decoder)
    stranger = decode(span(PUT), decoder=decoder, service="stranger")
    assert [sole(h)[1].requests for h in (ratio, threshold, stranger)] == [10.0, 2.0, 1.0]


@pytest.mark.parametrize("ratio", [0.0, -0.1, 1.5, float("nan")])
def test_a_ratio_that_is_none_is_refused(ratio: float) -> None:
    with pytest.raises(InputError, match="'shop' must be above 0 and at most 1"):
        make_decoder(ratios={"shop": ratio})


def test_tables_past_the_bound_are_counted_until_others_have_left() -> None:
    decoder = make_decoder(bounds=Bounds(max_tables=2))
    spans = [span(botocore("GetItem", f"t{n}")) for n in range(3)]
    harvest = decode(*spans, decoder=decoder)
    assert {key[0] for key in harvest.samples} == {"t0", "t1"}
    assert harvest.counts.over_bound == 1

    for hours in (1, 2):
        later = NOW + hours * TURNOVER_SECONDS
        fresh = span(botocore("GetItem", "t0"), ended_at=later)
        decode(fresh, decoder=decoder, received_at=later)
    newcomer = span(botocore("GetItem", "t2"), ended_at=later)
    assert decode(newcomer, decoder=decoder, received_at=later).samples


def test_indexes_are_bounded_too() -> None:
    decoder = make_decoder(bounds=Bounds(max_indexes=1))
    queries = [span(botocore("Query", index=name)) for name in ("by-a", "by-b")]
    harvest = decode(*queries, decoder=decoder)
    assert {key[1] for key in harvest.samples} == {"by-a"}
    assert harvest.counts.over_bound == 1


def test_memos_stay_within_their_bound_and_change_nothing() -> None:
    spans = [
        span(botocore("PutItem", f"t{n % 7}", capacity=[split(n, f"t{n % 7}")])) for n in range(200)
    ]
    tight = decode(*spans, decoder=make_decoder(bounds=Bounds(max_memo_entries=8)))
    assert tight.samples == decode(*spans).samples


def test_attributes_that_never_repeat_are_not_remembered() -> None:
    memo = AttributeMemo(max_entries=1_000)
    for number in range(500):
        (attribute,) = attributes({"aws.request_id": f"REQUEST{number}"})
        assert memo[attribute.SerializeToString()] is None
    assert len(memo) < 100


def test_statements_leave_only_what_they_do() -> None:
    memo = AttributeMemo(max_entries=1_000)
    facts = set()
    for number in range(100):
        (attribute,) = attributes({"db.statement": f"VERB{number} " + "x" * 2_000})
        facts.add(memo[attribute.SerializeToString()])
    assert len(facts) == 1
    assert not memo


def test_callers_without_tables_are_bounded() -> None:
    counts = Counts()
    for number in range(MAX_CALLERS + 10):
        counts.note_without_table(f"service-{number}:GetItem")
    assert counts.without_table_by[OTHER_CALLERS] == 10


def test_dropped_attributes_are_told() -> None:
    message = span(PUT)
    message.dropped_attributes_count = 3
    assert decode(message).counts.truncated == 1


@pytest.mark.parametrize(
    "values",
    [
        {"retry_attempts": -1},
        {"retry_attempts": 10**9},
        {"retry_attempts": "several"},
        {"rpc.method": 7},
        {"aws.dynamodb.table_names": [f"t{n}" for n in range(101)]},
    ],
)
def test_a_span_that_makes_no_sense_costs_itself_alone(
    values: dict[str, str | int | list[str]],
) -> None:
    harvest = decode(span(PUT | values), span(PUT))
    assert sole(harvest)[1].requests == 1.0
    assert harvest.counts.malformed_spans == 1


def test_every_dynamodb_span_is_accounted_for() -> None:
    spans = [
        span(PUT),
        span(botocore("GetItem", None)),
        span(botocore("ListTables")),
        span(botocore("GetItem", "no table")),
        span({"rpc.service": "DynamoDB"}, name="call"),
        span(PUT, ended_at=NOW - 1000),
        span({}, kind=Span.SPAN_KIND_SERVER, name="dynamodb-proxy"),
    ]
    harvest = decode(*spans)
    counts = harvest.counts
    excluded = (
        counts.without_table
        + counts.control_plane
        + counts.invalid_names
        + counts.without_operation
        + counts.late
    )
    placed = sum(sample.requests for sample in harvest.samples.values())
    assert (counts.spans, counts.dynamodb_spans, excluded, placed) == (7, 6, 5, 1.0)
