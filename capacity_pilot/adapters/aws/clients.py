"""Clients of AWS for what changes no capacity: it may be asked twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session

from capacity_pilot import __version__


@asynccontextmanager
async def open_service(
    service: str,
    *,
    region: str,
    endpoint_url: str | None,
    session: AioSession | None,
    connect_timeout_s: float,
    read_timeout_s: float,
    attempts: int,
) -> AsyncIterator[Any]:
    """A client of the Region's ``service``, or of ``endpoint_url``. botocore makes a call that was
    throttled or not answered so many times, with growing pauses.
    """
    config = AioConfig(
        connect_timeout=connect_timeout_s,
        read_timeout=read_timeout_s,
        retries={"total_max_attempts": attempts, "mode": "standard"},
        user_agent_extra=f"capacity-pilot/{__version__}",
    )
    create: Any = (session or get_session()).create_client
    opened = create(service, region_name=region, endpoint_url=endpoint_url, config=config)
    async with opened as client:
        yield client
