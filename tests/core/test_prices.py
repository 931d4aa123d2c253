"""What a unit costs: by Region, by table class, and as it was agreed on."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from capacity_pilot.core.model import Dimension
from capacity_pilot.core.prices import USD_PER_UNIT_HOUR, Prices


@pytest.mark.parametrize(
    ("said", "read", "write"),
    [
        ({}, 0.00013, 0.00065),
        ({"region": "ap-northeast-2"}, 0.00014098, 0.0007049),
        ({"table_class": "standard_infrequent_access"}, 0.00016, 0.00081),
        ({"region": "eu-west-1", "write": "0.0005 USD"}, 0.000147, 0.0005),
        ({"region": "mars-1", "read": 0.0001, "write": 0.0005}, 0.0001, 0.0005),
    ],
)
def test_the_operators_own_prices_come_before_the_public_ones(
    said: Any, read: float, write: float
) -> None:
    prices = Prices.model_validate(said)
    assert (prices.usd(Dimension.READ), prices.usd(Dimension.WRITE)) == (read, write)


def test_replays_and_advice_go_by_the_same_list() -> None:
    assert {d: Prices().usd(d) for d in Dimension} == USD_PER_UNIT_HOUR


@pytest.mark.parametrize(
    "said",
    [
        {"region": "mars-1", "read": 0.0001},
        {"region": "eu-west-1", "table_class": "standard_infrequent_access"},
    ],
)
def test_a_price_that_nobody_knows_has_to_be_named(said: Any) -> None:
    with pytest.raises(ValidationError, match=r"are known for .*: name read and write, or one of"):
        Prices.model_validate(said)
