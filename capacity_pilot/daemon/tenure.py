"""Whether this pilot is the one that changes capacity, and may do so right now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from capacity_pilot.core.errors import GatewayError
from capacity_pilot.core.ports import Lease

TakeUp = Callable[[], Awaitable[None]]
"""What has to be known before a new holder decides anything."""

log = structlog.get_logger("capacity_pilot")


class KeptLease(Lease, Protocol):
    """A lease that is held by asking for it again and again."""

    @property
    def holder(self) -> str: ...

    async def keep(self) -> None: ...

    async def release(self) -> None: ...


class Tenure:
    """Active while the lease is held, from when what comes with it is taken up. Without a lease
    there is nobody else, and it is active after the first ``keep``. Call ``keep`` every second.
    """

    def __init__(self, lease: KeptLease | None) -> None:
        self.is_active = False
        self.fault: str | None = None
        self._lease = lease

    def may_send(self, seconds: float) -> bool:
        """True if nobody else can change capacity within that time; asks no server."""
        return self.is_active and (self._lease is None or self._lease.is_held_for(seconds))

    async def keep(self, take_up: TakeUp) -> None:
        """Renews the lease or looks for it, and has taken up what comes with it."""
        if self._lease is not None:
            await self._ask(self._lease)
        is_held = self._lease is None or self._lease.token is not None
        if self.is_active and not is_held:
            self.is_active = False
            log.warning("standby", holder=self.holder, error=self.fault)
        elif is_held and not self.is_active:
            await take_up()
            self.is_active = True
            log.info("active", token=None if self._lease is None else self._lease.token)

    async def leave(self) -> None:
        """Gives the lease to whoever looks next. Nothing may be on its way by then."""
        self.is_active = False
        if self._lease is None:
            return
        try:
            await self._lease.release()
        except GatewayError as error:
            log.warning("lease_not_released", error=str(error))

    @property
    def holder(self) -> str | None:
        """Which pilot had the lease when last looked; ``None`` where there is no lease."""
        return None if self._lease is None else self._lease.holder

    def report(self) -> dict[str, object]:
        """What ``/status`` says of it."""
        return {
            "state": "active" if self.is_active else "standby",
            "lease": None
            if self._lease is None
            else {"holder": self.holder, "token": self._lease.token, "fault": self.fault},
        }

    async def _ask(self, lease: KeptLease) -> None:
        try:
            await lease.keep()
        except GatewayError as error:
            if self.fault is None:
                log.warning("lease_not_asked", error=str(error))
            self.fault = str(error)
        else:
            self.fault = None
