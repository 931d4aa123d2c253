"""Which gateway is whose: tables in one process are driven in different modes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from capacity_pilot.adapters.aws.registrations import Registrations
from capacity_pilot.core.model import AccountLimits, Outcome, Plan, TableDescription
from capacity_pilot.core.modes import Mode
from capacity_pilot.core.ports import CapacityGateway


class RegisteredGateway:
    """A ``CapacityGateway`` over another one that tells what is registered of a table as well."""

    def __init__(self, inner: CapacityGateway, registrations: Registrations) -> None:
        self._inner = inner
        self._registrations = registrations

    async def list_tables(self) -> tuple[str, ...]:
        """Name the tables."""
        return await self._inner.list_tables()

    async def limits(self) -> AccountLimits:
        """Give the limits."""
        return await self._inner.limits()

    async def describe(self, table: str) -> TableDescription | None:
        """Read the table; what is registered is what was last read of it."""
        description = await self._inner.describe(table)
        return None if description is None else self._registrations.complete(description)

    async def actuate(self, plan: Plan) -> Outcome:
        """Carry out the plan; raises as the other gateway does."""
        outcome = await self._inner.actuate(plan)
        if outcome.before is None:
            return outcome
        return replace(outcome, before=self._registrations.complete(outcome.before))


class RoutedGateway:
    """One gateway per mode behind the same port. ``mode_of`` says in which a table is driven.

    All read the same account, so any of them names the tables and tells the limits.
    """

    def __init__(
        self, by_mode: Mapping[Mode, CapacityGateway], mode_of: Callable[[str], Mode]
    ) -> None:
        self._by_mode = by_mode
        self._mode_of = mode_of

    async def list_tables(self) -> tuple[str, ...]:
        """Name the tables."""
        return await self._by_mode[Mode.SHADOW].list_tables()

    async def limits(self) -> AccountLimits:
        """Give the limits."""
        return await self._by_mode[Mode.SHADOW].limits()

    async def describe(self, table: str) -> TableDescription | None:
        """Read the table as its mode shows it."""
        return await self._gateway(table).describe(table)

    async def actuate(self, plan: Plan) -> Outcome:
        """Carry out the plan as the table's mode does."""
        return await self._gateway(plan.table).actuate(plan)

    def _gateway(self, table: str) -> CapacityGateway:
        # A table that is off is not driven at all; whoever reads it changes nothing.
        return self._by_mode.get(self._mode_of(table), self._by_mode[Mode.SHADOW])
