"""How the tables of one process are driven: each in its policy's mode, as far as may be written."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack

from capacity_pilot.adapters.aws.auto_scaling import NoAutoScaling, open_auto_scaling
from capacity_pilot.adapters.aws.floor import FloorGateway
from capacity_pilot.adapters.aws.recorded_scaling import RecordedAutoScaling
from capacity_pilot.adapters.aws.registrations import Registrations
from capacity_pilot.adapters.aws.routing import RegisteredGateway, RoutedGateway
from capacity_pilot.adapters.aws.shadow import ShadowGateway
from capacity_pilot.adapters.scaling_holds import KeptHolds
from capacity_pilot.core.errors import PolicyError
from capacity_pilot.core.modes import Mode, Rivalry
from capacity_pilot.core.policy import PolicySet, TablePolicy
from capacity_pilot.core.ports import CapacityGateway, Clock
from capacity_pilot.daemon.bookkeeping import Bookkeeper
from capacity_pilot.settings import DaemonSettings, StoreSettings


def check_modes(policies: PolicySet, settings: DaemonSettings) -> None:
    """Raises ``PolicyError`` for what a policy asks for and this process cannot do."""
    is_kept = settings.journal is not None or settings.state_table is not None
    for policy in policies.policies:
        if policy.mode is Mode.OFF:
            continue
        if _needs_auto_scaling(policy) and not settings.asks_auto_scaling:
            raise PolicyError(
                f"policy {policy.name!r}: {_say(policy)} needs Application Auto Scaling, which is "
                "not asked with --endpoint-url alone; give --auto-scaling-endpoint-url"
            )
        is_writing = policy.mode.capped(is_shadow=settings.mode == "shadow").writes
        if is_writing and policy.on_demand_escape is not None and not is_kept:
            raise PolicyError(
                f"policy {policy.name!r}: on_demand_escape has to keep what a table comes back to; "
                "give --journal or --state-table"
            )
        if is_writing and _changes_registrations(policy) and not is_kept:
            raise PolicyError(
                f"policy {policy.name!r}: {_say(policy)} has to keep what it will restore; "
                "give --journal or --state-table"
            )


def _needs_auto_scaling(policy: TablePolicy) -> bool:
    return policy.mode is Mode.FLOOR or "auto_scaling" in policy.model_fields_set


def _changes_registrations(policy: TablePolicy) -> bool:
    return policy.mode is Mode.FLOOR or policy.auto_scaling is Rivalry.SUSPEND


def _say(policy: TablePolicy) -> str:
    if policy.mode is Mode.FLOOR:
        return "mode floor"
    return f"auto_scaling {policy.auto_scaling}"


async def open_registrations(
    settings: StoreSettings,
    stack: AsyncExitStack,
    *,
    book: Bookkeeper,
    clock: Clock,
    may_send: Callable[[float], bool],
) -> Registrations:
    """What is registered, to be read and changed."""
    holds = KeptHolds(book.journal)
    if not settings.asks_auto_scaling:
        return Registrations(NoAutoScaling(), holds=holds, clock=clock)
    client = await stack.enter_async_context(
        open_auto_scaling(
            region=settings.region or "",
            endpoint_url=settings.auto_scaling_endpoint_url,
            clock=clock,
            may_send=may_send,
        )
    )
    return Registrations(RecordedAutoScaling(client, book), holds=holds, clock=clock)


def route_tables(
    gateway: CapacityGateway,
    registrations: Registrations,
    *,
    mode_of: Callable[[str], Mode],
    is_shadow: bool,
    apply_time_s: float,
    clock: Clock,
) -> CapacityGateway:
    """One gateway that drives each table in the mode that its policy asks for at the moment."""
    real = RegisteredGateway(gateway, registrations)
    by_mode: dict[Mode, CapacityGateway] = {
        Mode.ACTIVE: real,
        Mode.FLOOR: FloorGateway(real, registrations=registrations, clock=clock),
        Mode.SHADOW: ShadowGateway(real, apply_time_s=apply_time_s, clock=clock),
    }
    return RoutedGateway(by_mode, lambda table: mode_of(table).capped(is_shadow=is_shadow))
