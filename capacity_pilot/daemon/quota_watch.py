"""Tells when provisioned capacity comes near AWS's quotas, before they hold an increase."""

from __future__ import annotations

from collections.abc import Iterator

import structlog

from capacity_pilot.core.account_quota import AccountUse
from capacity_pilot.core.errors import GatewayError
from capacity_pilot.core.model import Dimension
from capacity_pilot.core.pilot import Pilot
from capacity_pilot.core.ports import CapacityGateway, Clock
from capacity_pilot.daemon.narration import render_number
from capacity_pilot.web.metrics import Metric

WATCH_S = 30.0
ASK_S = 3600.0
"""Between questions for the quotas themselves, which AWS wants asked at most once a minute."""

NEAR = 0.8
_FAR = 0.75
_MOST_SHOWN = 20

log = structlog.get_logger("capacity_pilot")


class QuotaWatch:
    """Call ``look`` every ``WATCH_S`` seconds and ``ask`` every ``ASK_S``."""

    def __init__(self, pilot: Pilot, *, gateway: CapacityGateway, clock: Clock) -> None:
        self._pilot = pilot
        self._gateway = gateway
        self._clock = clock
        self._near: set[str] = set()

    async def ask(self) -> None:
        """Asks AWS for the quotas anew: they are raised on request. Keeps those it knows else."""
        try:
            limits = await self._gateway.limits()
        except GatewayError as error:
            log.warning("limits_unknown", error=str(error), kept=str(self._pilot.limits))
            return
        if limits != self._pilot.limits:
            log.info("limits_changed", before=str(self._pilot.limits), after=str(limits))
            self._pilot.obey(limits)

    async def look(self) -> None:
        """Says once what has come near a quota, and again when it has been away from it."""
        shares = {f"account {use.dimension.label}": use.share for use in self._use()}
        shares |= {name: units / most for name, units, most in self._list_targets(_FAR)}
        for name in sorted(shares):
            if shares[name] >= NEAR and name not in self._near:
                log.warning("quota_near", of=name, share=round(shares[name], 3))
        self._near = {
            name
            for name, share in shares.items()
            if share >= (_FAR if name in self._near else NEAR)
        }

    def report(self) -> dict[str, object]:
        """What ``/status`` says: units in total by dimension, and the targets that are near what
        one table or index may have, the fullest first.
        """
        targets = sorted(self._list_targets(NEAR), key=lambda told: -told[1] / told[2])
        return {
            "account": {
                use.dimension.label: {
                    "managed": render_number(use.managed),
                    "elsewhere": None if use.elsewhere is None else render_number(use.elsewhere),
                    "quota": use.most,
                    "share": round(use.share, 4),
                    "is_near": use.share >= NEAR,
                }
                for use in self._use()
            },
            "near_table_quota": [
                {"target": name, "provisioned": units, "quota": most}
                for name, units, most in targets[:_MOST_SHOWN]
            ],
        }

    def measure(self) -> Iterator[Metric]:
        """What ``/metrics`` says of the account's totals."""
        uses = self._use()
        for name, told, values in (
            ("share", "Share of the account's quota provisioned, as far as known.", "share"),
            ("units", "The account's quota of provisioned units.", "most"),
        ):
            yield Metric(
                name=f"capacity_pilot_account_quota_{name}",
                kind="gauge",
                told=told,
                samples=[({"dimension": u.dimension.label}, getattr(u, values)) for u in uses],
            )

    def _use(self) -> tuple[AccountUse, AccountUse]:
        return self._pilot.weigh_account(self._clock.now())

    def _list_targets(self, share: float) -> Iterator[tuple[str, float, int]]:
        """Name, units and quota of each target that has so much of what one resource may have."""
        fleet, limits = self._pilot.fleet, self._pilot.limits
        provisioned = self._pilot.capacity.provisioned
        if len(provisioned) != len(fleet):
            return
        for dimension, most in zip(Dimension, (limits.table_read, limits.table_write), strict=True):
            for place in (provisioned[dimension::2] >= share * most).nonzero()[0].tolist():
                slot = 2 * place + dimension
                yield str(fleet.target(slot)), float(provisioned[slot]), most
