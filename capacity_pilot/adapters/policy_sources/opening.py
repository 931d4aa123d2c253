"""Opens what ``--policy`` names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session

from capacity_pilot import __version__
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
    config = AioConfig(
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=_READ_TIMEOUT_S,
        retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
        user_agent_extra=f"capacity-pilot/{__version__}",
    )
    async with (session or get_session()).create_client(
        "s3" if isinstance(place, S3Place) else "ssm",
        region_name=region,
        endpoint_url=endpoint_url,
        config=config,
    ) as client:
        if isinstance(place, S3Place):
            yield S3Policies(client, place, address=address, poll_s=poll_s)
        else:
            yield ParameterPolicies(client, place, address=address, poll_s=poll_s)
