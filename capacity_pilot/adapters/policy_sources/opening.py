"""Opens what ``--policy`` names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiobotocore.session import AioSession

from capacity_pilot.adapters.aws.clients import open_service
from capacity_pilot.adapters.policy_sources.address import LocalPlace, S3Place, parse_address
from capacity_pilot.adapters.policy_sources.folder import LocalPolicies
from capacity_pilot.adapters.policy_sources.parameters import ParameterPolicies
from capacity_pilot.adapters.policy_sources.s3 import S3Policies
from capacity_pilot.adapters.policy_sources.texts import PolicySource

_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S, _ATTEMPTS = 3.0, 10.0, 3


@asynccontextmanager
async def open_source(
    address: str,
    *,
    poll_s: float,
    region: str,
    endpoint_url: str | None = None,
    session: AioSession | None = None,
) -> AsyncIterator[PolicySource]:
    """``poll_s`` is the time between looks where nothing tells of changes by itself.

    Raises ``PolicyError`` for an address that is none.
    """
    place = parse_address(address)
    if isinstance(place, LocalPlace):
        yield LocalPolicies(place.path, poll_s=poll_s)
        return
    async with open_service(
        "s3" if isinstance(place, S3Place) else "ssm",
        region=region,
        endpoint_url=endpoint_url,
        session=session,
        connect_timeout_s=_CONNECT_TIMEOUT_S,
        read_timeout_s=_READ_TIMEOUT_S,
        attempts=_ATTEMPTS,
    ) as client:
        if isinstance(place, S3Place):
            yield S3Policies(client, place, address=address, poll_s=poll_s)
        else:
            yield ParameterPolicies(client, place, address=address, poll_s=poll_s)
