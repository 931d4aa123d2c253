"""Requests captured from real SDKs against DynamoDB emulators, kept beside the repository.

Each file holds one operation called three times: without ReturnConsumedCapacity, with TOTAL,
with INDEXES. The emulators bill by rules of their own, so the figures are theirs.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from capacity_pilot.adapters.otlp.harvest import Harvest

from .plain_reader import count_calls, iterate_spans, read_stated_units
from .traces import READ, WRITE, make_decoder, units

FOLDER = Path(__file__).parents[4] / "shared" / "data" / "otlp"
CAPTURES = sorted([*FOLDER.glob("*.pb"), *FOLDER.glob("nodejson_*.json")])

pytestmark = pytest.mark.skipif(not CAPTURES, reason="no captured requests beside the repository")


def replay(name: str, ratios: dict[str, float] | None = None) -> Harvest:
    decoder = make_decoder(ratios=ratios)
    body = (FOLDER / name).read_bytes()
    decode = decoder.decode_json if name.endswith(".json") else decoder.decode_protobuf
    return decode(body, received_just_after(parse(FOLDER / name)))


def parse(path: Path) -> ExportTraceServiceRequest:
    """By protobuf's own means, whose JSON takes the ids' hex for base64: they come out wrong."""
    if path.suffix == ".json":
        return json_format.Parse(path.read_text(), ExportTraceServiceRequest())
    return ExportTraceServiceRequest.FromString(path.read_bytes())


def received_just_after(request: ExportTraceServiceRequest) -> float:
    return max(span.end_time_unix_nano for span in iterate_spans(request)) / 1e9


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_every_capture_agrees_with_a_plain_reading(path: Path) -> None:
    harvest = replay(path.name)
    stated = {
        key: sample.units - sample.estimated
        for key, sample in harvest.samples.items()
        if sample.units > sample.estimated
    }
    assert stated == pytest.approx(read_stated_units(parse(path)))
    assert harvest.counts.malformed_spans == 0
    assert harvest.counts.dynamodb_spans == count_calls(parse(path)) > 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Strongly consistent, up to 4 KiB: 1 + 1 stated, and the first learns 1 from them.
        ("python_GetItem.pb", {("orders", "", READ): 3.0}),
        ("node_GetItem.pb", {("orders", "", READ): 3.0}),
        ("nodejson_GetItem.json", {("orders", "", READ): 3.0}),
        # Eventual, by index name: TOTAL and INDEXES both are the index's, 0.5 each.
        ("python_Query_gsi.pb", {("orders", "by_g", READ): 1.5}),
        ("node_Query_gsi.pb", {("orders", "by_g", READ): 1.5}),
        # moto lists the index among the local ones: the table pays, and the total of 1 holds.
        ("node_moto_Query_gsi.pb", {("orders", "", READ): 3.0}),
        # One element per table, 1 each, thrice.
        ("python_BatchWriteItem.pb", {("orders", "", WRITE): 3.0, ("carts", "", WRITE): 3.0}),
        ("node_BatchGetItem.pb", {("orders", "", READ): 1.5, ("carts", "", READ): 1.5}),
        ("node_PutItem.pb", {("orders", "", WRITE): 3.0}),
        # Two items read transactionally at moto's 1 each; Node tells no tables, the capacity does.
        ("node_moto_TransactGetItems.pb", {("orders", "", READ): 4.0}),
        # Neither tables nor capacity, so nothing to charge.
        ("python_moto_TransactGetItems.pb", {}),
        # A failed condition costs the write it would have been: at least 1.
        ("python_cond_failed.pb", {("orders", "", WRITE): 1.0}),
        # A missing table and a fault of the service cost nothing, yet they are requests.
        ("python_not_found.pb", {("nope", "", READ): 0.0}),
        ("node_error500.pb", {("err500", "", READ): 0.0}),
        # 11 spans of 0.5 units at th:c, 4 calls each.
        ("python_sampled_th25.pb", {("orders", "", READ): 22.0}),
    ],
)
def test_units_worked_out_by_hand(name: str, expected: dict[tuple[str, str, int], float]) -> None:
    assert units(replay(name)) == pytest.approx(expected)


@pytest.mark.parametrize(
    "operation", ["ExecuteStatement", "TransactGetItems", "TransactWriteItems"]
)
def test_calls_that_name_no_table_are_counted_by_who_made_them(operation: str) -> None:
    harvest = replay(f"python_moto_{operation}.pb")
    assert not harvest.samples
    assert harvest.counts.without_table_by == {f"checkout:{operation}": 3}
    assert harvest.counts.without_table == harvest.counts.dynamodb_spans == 3


def test_a_ratio_sampler_that_leaves_no_trace_needs_its_ratio_told() -> None:
    untold, told = (
        sum(units(replay("python_sampled_legacy25.pb", ratios)).values())
        for ratios in ({}, {"unknown_service:python": 0.25})
    )
    assert told == 4 * untold > 0


def test_python_shows_refusals_hidden_by_retries_and_node_does_not() -> None:
    (python,) = replay("python_throttle_then_ok.pb").samples.values()
    assert (python.units, python.refusals, python.throttled) == (0.5, 1.0, 0.0)
    (node,) = replay("node_throttle_then_ok.pb").samples.values()
    assert (node.units, node.refusals, node.throttled) == (0.5, 0.0, 0.0)


def test_a_throttled_call_is_demand_nobody_served() -> None:
    # Two retries and the final refusal: three refusals of one eventual read.
    (python,) = replay("python_throttle_always.pb").samples.values()
    assert (python.units, python.throttled, python.refusals) == (0.5, 0.5, 3.0)
    (node,) = replay("node_throttle_always.pb").samples.values()
    assert (node.units, node.throttled, node.refusals) == (0.5, 0.5, 1.0)
