"""Application Auto Scaling with every change recorded, before it is asked for and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from capacity_pilot.adapters.aws.refusals import RefusedError
from capacity_pilot.core.auto_scaling import Registration, Suspension
from capacity_pilot.core.errors import GatewayError, LeaseError
from capacity_pilot.core.model import OutcomeKind, Resource, ScalableTarget
from capacity_pilot.core.ports import AutoScaling, RegistrationBook

_NOT_SENT = "not_sent"


class RecordedAutoScaling:
    """An ``AutoScaling`` over another one, which tells the book of each ``register``."""

    def __init__(self, inner: AutoScaling, book: RegistrationBook) -> None:
        self._inner = inner
        self._book = book
        self._found: dict[ScalableTarget, Registration] = {}

    async def read(self, resources: Sequence[Resource], /) -> tuple[Registration, ...]:
        """Read them, as the other does."""
        found = await self._inner.read(resources)
        asked = set(resources)
        kept = {t: r for t, r in self._found.items() if t.resource not in asked}
        self._found = kept | {r.target: r for r in found}
        return found

    async def read_policies(self, resource: Resource, /) -> frozenset[ScalableTarget]:
        """Read them, as the other does."""
        return await self._inner.read_policies(resource)

    async def register(
        self,
        target: ScalableTarget,
        /,
        *,
        minimum: int | None = None,
        suspension: Suspension | None = None,
    ) -> None:
        """Record the call, make it, record how it ended; raises as the other does."""
        asked: dict[str, object] = {} if minimum is None else {"minimum": minimum}
        asked |= {} if suspension is None else asdict(suspension)
        call = await self._book.open_registration(target, asked, self._found.get(target))
        try:
            await self._inner.register(target, minimum=minimum, suspension=suspension)
        except LeaseError as error:
            self._book.close_registration(call, _NOT_SENT, str(error))
            raise
        except GatewayError as error:
            kind = OutcomeKind.UNKNOWN
            if isinstance(error, RefusedError):
                kind = error.refusal.kind
            self._book.close_registration(call, kind.value, str(error))
            raise
        self._book.close_registration(call, OutcomeKind.REQUESTED.value, "")
