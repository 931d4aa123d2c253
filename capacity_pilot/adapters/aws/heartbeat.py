"""A sign of life in CloudWatch, whose absence an alarm notices."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiobotocore.session import AioSession

from capacity_pilot.adapters.aws.cloudwatch import open_client
from capacity_pilot.adapters.aws.refusals import CALL_ERRORS, translate_read
from capacity_pilot.core.ports import Clock

NAMESPACE: Final = "CapacityPilot"
METRIC: Final = "Heartbeat"
DIMENSION: Final = "Pilot"
OPERATION: Final = "PutMetricData"


class CloudWatchPulse:
    """Puts the metric for pilots of one ``name``, which share it: one of them has the lease."""

    def __init__(self, client: Any, *, name: str, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._datum = {
            "MetricName": METRIC,
            "Dimensions": [{"Name": DIMENSION, "Value": name}],
            "Value": 1.0,
            "Unit": "Count",
        }

    async def beat(self) -> None:
        """Send one; raises ``GatewayError`` when CloudWatch cannot be told."""
        try:
            await self._client.put_metric_data(Namespace=NAMESPACE, MetricData=[self._datum])
        except CALL_ERRORS as error:
            raise translate_read(error, now=self._clock.now()) from error


@asynccontextmanager
async def open_pulse(
    *,
    region: str,
    name: str,
    clock: Clock,
    endpoint_url: str | None = None,
    session: AioSession | None = None,
) -> AsyncIterator[CloudWatchPulse]:
    """Open it in the Region's CloudWatch, or at ``endpoint_url``."""
    async with open_client(region=region, endpoint_url=endpoint_url, session=session) as client:
        yield CloudWatchPulse(client, name=name, clock=clock)
