"""What the shell must offer the core's decisions: the seams at which worlds are exchanged.

AWS, the physics server and the replay's world stand behind the same ports.
"""

from __future__ import annotations

from typing import Protocol

from capacity_pilot.core.model import AccountLimits, Outcome, Plan, TableDescription


class Clock(Protocol):
    """Unix seconds. Core functions never see it: they are given ``now``."""

    def now(self) -> float: ...


class CapacityGateway(Protocol):
    """Reads and changes provisioned capacity.

    Every method raises ``GatewayError`` when AWS cannot be asked; ``actuate`` instead
    classifies whatever happened, since after a call was sent "it failed" is not knowable.
    """

    async def list_tables(self) -> tuple[str, ...]: ...

    async def describe(self, table: str) -> TableDescription | None:
        """The table now, or ``None`` when it does not exist."""
        ...

    async def limits(self) -> AccountLimits: ...

    async def actuate(self, plan: Plan) -> Outcome:
        """Re-reads the table, sends what of the plan still changes something, says what came of it.

        A scale-out plan never lowers a dimension and a scale-in plan never raises one,
        whatever the re-read shows.
        """
        ...
