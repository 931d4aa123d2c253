"""The alarm on a missing heartbeat, for who does not use the Terraform module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from capacity_pilot.adapters.aws.heartbeat import DIMENSION, METRIC, NAMESPACE
from capacity_pilot.adapters.aws.refusals import CALL_ERRORS
from capacity_pilot.core.errors import GatewayError

ABSENCE: Final = {
    "Namespace": NAMESPACE,
    "MetricName": METRIC,
    "Statistic": "SampleCount",
    "Period": 60,
    "EvaluationPeriods": 5,
    "DatapointsToAlarm": 5,
    "ComparisonOperator": "LessThanThreshold",
    "Threshold": 1.0,
    "TreatMissingData": "breaching",
}
"""Five minutes without one; as ``infra/terraform/switch.tf`` has it."""


async def make_heartbeat_alarm(client: Any, name: str, actions: Sequence[str]) -> tuple[str, ...]:
    """Makes the alarm of pilots of this ``name``, or leaves the one there is; says what was done.

    ``actions`` are ARNs that CloudWatch tells of it. Raises ``GatewayError``.
    """
    alarm = f"{name}-heartbeat"
    try:
        found = await client.describe_alarms(AlarmNames=[alarm])
        if found.get("MetricAlarms"):
            return (f"alarm {alarm}: there already, left as it is",)
        await client.put_metric_alarm(
            AlarmName=alarm,
            AlarmDescription="No pilot looks after capacity: capacity-pilot hand-back is due.",
            Dimensions=[{"Name": DIMENSION, "Value": name}],
            AlarmActions=list(actions),
            OKActions=list(actions),
            **ABSENCE,
        )
    except CALL_ERRORS as error:
        raise GatewayError(f"alarm {alarm}: {error}") from error
    told = (f"alarm {alarm}: made",)
    return told if actions else (*told, "it tells nobody: --alarm-action names whom")
