"""Switches between provisioned and on-demand mode: which AWS takes, and how long they last.

To on-demand four times in a rolling 24 hours, back at any time, with the units of the table and
of every index in the same call (developer guide, switching capacity modes). Until a switch is over
the old mode serves. The first one to on-demand takes two to three minutes, later ones seconds, one
back about a minute, as measured against AWS. How AWS words the refusal of a fifth switch is not
known; its code is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from capacity_pilot.core.model import BillingMode
from capacity_pilot.simulator.physics import refusals
from capacity_pilot.simulator.physics.tables import TableState, Units

MOST_SWITCHES: Final = 4
SWITCHES_COUNT_S: Final = 86_400.0

_FIRST_TO_ON_DEMAND_S: Final = (129.0, 172.0)
_TO_ON_DEMAND_S: Final = (4.0, 5.0)
_TO_PROVISIONED_S: Final = (55.0, 113.0)

ON_DEMAND_WITH_UNITS: Final = (
    "One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits "
    "can be specified when BillingMode is PAY_PER_REQUEST"
)


def check_switch(
    table: TableState, mode: BillingMode, changes: Mapping[str, Units], now: float
) -> None:
    """Raises what AWS answers to a switch to ``mode`` that it does not take."""
    if mode is BillingMode.PAY_PER_REQUEST:
        if changes:
            raise refusals.invalid(ON_DEMAND_WITH_UNITS)
        recent = [at for at in table.on_demand_since if now - at < SWITCHES_COUNT_S]
        if len(recent) >= MOST_SWITCHES:
            raise refusals.limit_exceeded(
                "Subscriber limit exceeded: a table can be switched to PAY_PER_REQUEST "
                f"{MOST_SWITCHES} times in 24 hours"
            )
        return
    for index in table.resources:
        if index not in changes:
            what = f"for index: {index}" if index else "when BillingMode is PROVISIONED"
            raise refusals.invalid(
                "One or more parameter values were invalid: ProvisionedThroughput must be "
                f"specified {what}"
            )
    for index in changes:
        if index not in table.resources:
            raise refusals.index_missing(table.spec.name, index)


def draw_switch_s(table: TableState, mode: BillingMode, draws: np.random.Generator) -> float:
    """Seconds this switch will take."""
    if mode is BillingMode.PROVISIONED:
        return float(draws.uniform(*_TO_PROVISIONED_S))
    return float(
        draws.uniform(*(_TO_ON_DEMAND_S if table.was_on_demand else _FIRST_TO_ON_DEMAND_S))
    )
