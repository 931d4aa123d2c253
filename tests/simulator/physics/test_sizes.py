"""Sizes and units, worked by hand from the developer guide's rules."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.simulator.physics.refusals import RefusedError
from capacity_pilot.simulator.physics.sizes import (
    index_write_units,
    item_bytes,
    number_bytes,
    read_units,
    write_units,
)


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({"pk": {"S": "abc"}}, 2 + 3),
        ({"pk": {"S": "é"}}, 2 + 2),
        ({"n": {"N": "0"}}, 1 + 1),
        ({"n": {"N": "27"}}, 1 + 2),
        ({"n": {"N": "-27"}}, 1 + 2),
        ({"n": {"N": "1234567"}}, 1 + 5),
        ({"n": {"N": "12000"}}, 1 + 2),  # trailing zeros are not significant
        ({"n": {"N": "0.00012"}}, 1 + 2),
        ({"b": {"B": base64.b64encode(b"12345").decode()}}, 1 + 5),
        ({"b": {"BOOL": True}}, 1 + 1),
        ({"b": {"NULL": True}}, 1 + 1),
        ({"l": {"L": []}}, 1 + 3),
        ({"l": {"L": [{"S": "ab"}, {"BOOL": False}]}}, 1 + 3 + (1 + 2) + (1 + 1)),
        ({"m": {"M": {"ab": {"S": "c"}}}}, 1 + 3 + (1 + 2 + 1)),
        ({"s": {"SS": ["a", "bcd"]}}, 1 + 4),
        ({"s": {"NS": ["1", "222"]}}, 1 + 2 + 3),
    ],
)
def test_an_item_weighs_its_names_and_values(item: dict[str, Any], size: int) -> None:
    assert item_bytes(item) == size


@pytest.mark.parametrize(
    ("size", "consistent", "units"),
    [
        (0, True, 1.0),
        (0, False, 0.5),
        (4096, True, 1.0),
        (4097, True, 2.0),
        (4097, False, 1.0),
        (8193, False, 1.5),
    ],
)
def test_reads_round_up_to_4_kb_and_cost_half_when_eventual(
    size: int,
    consistent: bool,  # noqa: FBT001 - parametrized
    units: float,
) -> None:
    assert read_units(size, consistent=consistent) == units


@pytest.mark.parametrize(
    ("sizes", "units"), [((0, 0), 1.0), ((1024,), 1.0), ((1025,), 2.0), ((3000, 100), 3.0)]
)
def test_writes_round_up_to_1_kb_of_the_larger_of_before_and_after(
    sizes: tuple[int, ...], units: float
) -> None:
    assert write_units(*sizes) == units


@pytest.mark.parametrize(
    ("before", "after", "is_moved", "is_changed", "units"),
    [
        (None, None, False, False, 0.0),  # never indexed
        (None, 1500, False, False, 2.0),  # put
        (1500, None, False, False, 2.0),  # delete
        (1500, 1500, False, False, 0.0),  # nothing projected changed
        (1500, 2500, False, True, 3.0),  # updated in place
        (1500, 500, True, True, 2.0 + 1.0),  # the index key changed: delete and put
    ],
)
def test_an_index_is_written_not_at_all_once_or_twice(
    before: int | None,
    after: int | None,
    is_moved: bool,  # noqa: FBT001 - parametrized
    is_changed: bool,  # noqa: FBT001 - parametrized
    units: float,
) -> None:
    cost = index_write_units(before=before, after=after, is_moved=is_moved, is_changed=is_changed)
    assert cost == units


@pytest.mark.parametrize(
    "item",
    [
        {"a": {}},
        {"a": {"S": "x", "N": "1"}},
        {"a": {"X": "x"}},
        {"a": {"S": 5}},
        {"a": {"N": "five"}},
        {"a": {"N": "Infinity"}},
        {"a": {"N": "1" * 39}},
        {"a": {"SS": []}},
        {"a": {"B": "*"}},
        {"a": "x"},
    ],
)
def test_malformed_values_are_refused(item: dict[str, Any]) -> None:
    with pytest.raises(RefusedError) as refused:
        item_bytes(item)
    assert refused.value.code == "ValidationException"


def test_a_value_nested_too_deeply_is_refused_rather_than_followed() -> None:
    value: dict[str, Any] = {"S": "x"}
    for _ in range(500):
        value = {"L": [value]}
    with pytest.raises(RefusedError, match="Nesting Levels"):
        item_bytes({"a": value})


@given(st.integers(-(10**37), 10**37))
def test_numbers_take_at_most_20_bytes_and_scale_does_not_matter(number: int) -> None:
    assert 1 <= number_bytes(str(number)) <= 20
    assert number_bytes(f"{number}E-5") == number_bytes(str(number))
