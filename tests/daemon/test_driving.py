"""What a process refuses to begin with: modes that it could not keep or could not undo."""

from __future__ import annotations

from typing import Any

import pytest

from capacity_pilot.core.errors import PolicyError
from capacity_pilot.daemon.driving import check_modes
from capacity_pilot.settings import DaemonSettings
from tests.daemon.stage import policies

STAND_IN = {"endpoint_url": "http://127.0.0.1:1"}
UNKEPT = {"journal": None}


def settings(**changes: Any) -> DaemonSettings:
    return DaemonSettings(policy_text="", region="eu-west-1", **{"mode": "active", **changes})


@pytest.mark.parametrize(
    ("policy", "process", "said"),
    [
        ({"mode": "floor"}, STAND_IN, "mode floor needs .* give --auto-scaling-endpoint-url"),
        ({"auto_scaling": "suspend"}, STAND_IN, "auto_scaling suspend needs Application Auto"),
        ({"auto_scaling": "refuse"}, STAND_IN, "auto_scaling refuse needs Application Auto"),
        ({"mode": "floor"}, UNKEPT, "'feeds': mode floor has to keep .* --journal or --state"),
        ({"auto_scaling": "suspend"}, UNKEPT, "auto_scaling suspend has to keep what it will"),
        ({"on_demand_escape": True}, UNKEPT, "on_demand_escape has to keep what a table comes"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(
    policy: dict[str, Any], process: dict[str, Any], said: str
) -> None:
    with pytest.raises(PolicyError, match=said):
        check_modes(policies(**policy), settings(**process))


@pytest.mark.parametrize(
    ("policy", "process"),
    [
        ({"mode": "floor"}, {}),
        ({"mode": "floor"}, UNKEPT | {"mode": "shadow"}),
        ({"auto_scaling": "suspend"}, UNKEPT | {"mode": "shadow"}),
        ({"auto_scaling": "suspend", "mode": "shadow"}, UNKEPT),
        ({"on_demand_escape": True}, UNKEPT | {"mode": "shadow"}),
        ({"on_demand_escape": False}, UNKEPT),
        ({"auto_scaling": "refuse"}, UNKEPT),
        ({"mode": "floor"}, STAND_IN | {"auto_scaling_endpoint_url": "http://127.0.0.1:1"}),
        ({"mode": "shadow"}, STAND_IN),
        ({"mode": "active"}, STAND_IN | UNKEPT),
        ({"mode": "off", "auto_scaling": "suspend"}, STAND_IN | UNKEPT),
    ],
)
def test_what_can_be_kept_is_taken(policy: dict[str, Any], process: dict[str, Any]) -> None:
    check_modes(policies(**policy), settings(**process))
