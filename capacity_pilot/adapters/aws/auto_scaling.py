"""Scalable targets of DynamoDB through Application Auto Scaling.

IAM cannot narrow RegisterScalableTarget to some of its parameters, so those ever sent are listed
here. ``MaxCapacity`` is not among them, without which AWS makes no new target: a target that was
deregistered meanwhile stays gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session

from capacity_pilot import __version__
from capacity_pilot.adapters.aws.refusals import CALL_ERRORS, translate_read
from capacity_pilot.adapters.aws.sending import guard_sending
from capacity_pilot.adapters.aws.sockets import impatient_sockets
from capacity_pilot.core.auto_scaling import Registration, Suspension
from capacity_pilot.core.errors import GatewayError
from capacity_pilot.core.model import Dimension, Resource, ScalableTarget
from capacity_pilot.core.ports import Clock

SENDABLE_PARAMETERS: Final[Mapping[str, frozenset[str]]] = {
    "DescribeScalableTargets": frozenset({"NextToken", "ResourceIds", "ServiceNamespace"}),
    "DescribeScalingPolicies": frozenset({"NextToken", "ResourceId", "ServiceNamespace"}),
    "RegisterScalableTarget": frozenset(
        {"MinCapacity", "ResourceId", "ScalableDimension", "ServiceNamespace", "SuspendedState"}
    ),
}
"""The operations ever called, each with the parameters ever sent."""

MOST_RESOURCES: Final = 25
"""DescribeScalableTargets takes 50 resources and answers 50 targets to a page (API reference);
a resource has two."""

_NAMESPACE: Final = "dynamodb"
_CONNECT_TIMEOUT_S: Final = 2.0
_READ_TIMEOUT_S: Final = 5.0

SENT_WITHIN_S: Final = _CONNECT_TIMEOUT_S + _READ_TIMEOUT_S
"""A change is on its way no longer than this; the lease has to be held for so long."""

_UNITS: Final = {
    Dimension.READ: "ReadCapacityUnits",
    Dimension.WRITE: "WriteCapacityUnits",
}
_DIMENSIONS: Final = {units: dimension for dimension, units in _UNITS.items()}
_TABLE_PARTS: Final = 2
_INDEX_PARTS: Final = 4


class AutoScalingClient:
    """Registrations through one client; see ``AutoScaling`` for the port."""

    def __init__(self, client: Any, *, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def read(self, resources: Sequence[Resource], /) -> tuple[Registration, ...]:
        """Ask for the targets of all these resources in one call."""
        if len(resources) > MOST_RESOURCES:
            raise ValueError(f"{len(resources)} resources at once, at most {MOST_RESOURCES}")
        if not resources:
            return ()
        found = await self._read_pages(
            "describe_scalable_targets",
            "ScalableTargets",
            ResourceIds=[name_resource(resource) for resource in resources],
        )
        return tuple(
            Registration(
                target=target,
                minimum=int(answer["MinCapacity"]),
                maximum=int(answer["MaxCapacity"]),
                suspension=_read_suspension(answer.get("SuspendedState") or {}),
            )
            for answer in found
            if (target := _read_target(answer)) is not None
        )

    async def read_policies(self, resource: Resource, /) -> frozenset[ScalableTarget]:
        """Ask for the policies of one resource; AWS reads their alarms as it answers."""
        found = await self._read_pages(
            "describe_scaling_policies", "ScalingPolicies", ResourceId=name_resource(resource)
        )
        return frozenset(target for answer in found if (target := _read_target(answer)) is not None)

    async def register(
        self,
        target: ScalableTarget,
        /,
        *,
        minimum: int | None = None,
        suspension: Suspension | None = None,
    ) -> None:
        """Change what is given; raises what the port says."""
        changes: dict[str, object] = {}
        if minimum is not None:
            changes["MinCapacity"] = minimum
        if suspension is not None:
            changes["SuspendedState"] = {
                "DynamicScalingInSuspended": suspension.scale_in,
                "DynamicScalingOutSuspended": suspension.scale_out,
                "ScheduledScalingSuspended": suspension.scheduled,
            }
        try:
            async with asyncio.timeout(SENT_WITHIN_S):
                await self._client.register_scalable_target(
                    ServiceNamespace=_NAMESPACE,
                    ResourceId=name_resource(target.resource),
                    ScalableDimension=_name_dimension(target),
                    **changes,
                )
        except TimeoutError as error:
            raise GatewayError(f"no answer within {SENT_WITHIN_S:g} s") from error
        except CALL_ERRORS as error:
            raise translate_read(error, now=self._clock.now()) from error

    async def _read_pages(
        self, operation: str, member: str, **parameters: object
    ) -> list[Mapping[str, Any]]:
        pages = self._client.get_paginator(operation).paginate(
            ServiceNamespace=_NAMESPACE, **parameters
        )
        try:
            return [answer async for page in pages for answer in page[member]]
        except KeyError as error:
            raise GatewayError(f"{operation} answered without {member}") from error
        except CALL_ERRORS as error:
            raise translate_read(error, now=self._clock.now()) from error


@asynccontextmanager
async def open_auto_scaling(
    *,
    region: str,
    clock: Clock,
    endpoint_url: str | None = None,
    session: AioSession | None = None,
    may_send: Callable[[float], bool] = lambda _: True,
) -> AsyncIterator[AutoScalingClient]:
    """Open a client of the Region's Application Auto Scaling, or of ``endpoint_url``.

    Nothing is tried again by itself: whoever registers reads first, and who reads comes back.
    ``may_send`` says if a change may be on its way for so many seconds; where it may not, what
    registers raises ``LeaseError``.
    """
    session = session or get_session()
    config = AioConfig(
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=_READ_TIMEOUT_S,
        connector_args={"socket_factory": impatient_sockets(_READ_TIMEOUT_S)},
        retries={"total_max_attempts": 1},
        user_agent_extra=f"capacity-pilot/{__version__}",
    )
    async with session.create_client(
        "application-autoscaling", region_name=region, endpoint_url=endpoint_url, config=config
    ) as client:
        guard_sending(
            client,
            "application-auto-scaling",
            sendable=SENDABLE_PARAMETERS,
            changes_by="RegisterScalableTarget",
            within_s=SENT_WITHIN_S,
            may_send=may_send,
        )
        yield AutoScalingClient(client, clock=clock)


def name_resource(resource: Resource) -> str:
    """A resource as Application Auto Scaling names it: ``table/feed/index/by-day``."""
    return f"table/{resource}"


def _name_dimension(target: ScalableTarget) -> str:
    kind = "index" if target.resource.index else "table"
    return f"{_NAMESPACE}:{kind}:{_UNITS[target.dimension]}"


def _read_target(answer: Mapping[str, Any]) -> ScalableTarget | None:
    """The target an answer is about; ``None`` for one that DynamoDB has no name for."""
    parts = str(answer["ResourceId"]).split("/")
    dimension = _DIMENSIONS.get(str(answer["ScalableDimension"]).rpartition(":")[2])
    if dimension is None or len(parts) not in (_TABLE_PARTS, _INDEX_PARTS):
        return None
    index = parts[3] if len(parts) == _INDEX_PARTS else ""
    return ScalableTarget(Resource(parts[1], index), dimension)


def _read_suspension(state: Mapping[str, Any]) -> Suspension:
    return Suspension(
        scale_in=bool(state.get("DynamicScalingInSuspended", False)),
        scale_out=bool(state.get("DynamicScalingOutSuspended", False)),
        scheduled=bool(state.get("ScheduledScalingSuspended", False)),
    )


class NoAutoScaling:
    """Nothing is registered: where tables are a stand-in's that AWS never saw."""

    async def read(self, _: Sequence[Resource], /) -> tuple[Registration, ...]:
        """Nothing."""
        return ()

    async def read_policies(self, _: Resource, /) -> frozenset[ScalableTarget]:
        """None."""
        return frozenset()

    async def register(
        self,
        target: ScalableTarget,
        /,
        *,
        minimum: int | None = None,
        suspension: Suspension | None = None,
    ) -> None:
        """Refused, since there is nothing to change."""
        raise GatewayError(f"{target} cannot have {minimum or suspension}: nothing is registered")
