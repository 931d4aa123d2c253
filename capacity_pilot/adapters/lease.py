"""The right to change capacity, one pilot's at a time: an item written under conditions.

No clock is compared with another's. The holder writes to the item every second, and counts its
lease from when the last write that succeeded was *sent*, less a margin. Whoever waits takes the
lease when it has watched one and the same item for ``lasts_s`` on its own clock: it cannot have
begun to watch before that write was sent. So all that is assumed is that two clocks run at the
same rate to within the margin, over ten seconds. The token grows with every change of hands and
is part of each condition, so that a late write of an earlier holder changes nothing.

The clock is the one that goes on while a machine sleeps, and while the process is stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from capacity_pilot.adapters.journal.state_table import LEASE_KEY, STORE_ERRORS, code_of
from capacity_pilot.core.errors import GatewayError

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

LEASE_S: Final = 11.0
"""From the last write on, nobody else takes the lease for so long. With a look a second, another
pilot has it at most 13 s after its holder died, and time to decide within 15."""

KEEP_S: Final = 1.0
"""Between writes of the holder, and between looks of those who wait."""

_MARGIN_S: Final = 1.0


def seconds_awake_or_not() -> float:
    """A clock that no one sets and that no suspension stops, where the system has one."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class DynamoDbLease:
    """A lease in the state table; see ``Lease`` for the port. ``keep`` it every ``KEEP_S``.

    ``pilot`` names this process, and no other one ever. ``clock`` is in seconds, from anywhere.
    ``holder`` is who had it when last looked, ``""`` for nobody known.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        *,
        pilot: str,
        clock: Callable[[], float] = seconds_awake_or_not,
    ) -> None:
        self.holder = ""
        self.pilot = pilot
        self._client = client
        self._table = table
        self._clock = clock
        self._token: int | None = None
        self._held_until = -math.inf
        self._seen: tuple[int, int] | None = None
        self._seen_at = 0.0

    @property
    def token(self) -> int | None:
        return self._token if self.is_held_for(0.0) else None

    def is_held_for(self, seconds: float) -> bool:
        return self._token is not None and self._clock() + seconds <= self._held_until

    async def keep(self) -> None:
        """Renews the lease, or takes it where nobody has it any more.

        Raises ``GatewayError`` when the table cannot be asked: what is held then runs out.
        """
        try:
            if self._token is not None and await self._renew(self._token):
                return
            await self._look()
        except STORE_ERRORS as error:
            raise GatewayError(f"lease in {self._table}: {error or 'timed out'}") from error

    async def release(self) -> None:
        """Leaves it to whoever looks next. Raises ``GatewayError`` where that cannot be said."""
        token, self._token = self._token, None
        if token is None:
            return
        try:
            await self._write(
                "holder = :pilot AND #token = :token",
                {":pilot": {"S": self.pilot}, ":token": _number(token)},
                {"holder": {"S": ""}},
            )
        except STORE_ERRORS as error:
            raise GatewayError(f"lease in {self._table}: {error or 'timed out'}") from error

    async def _renew(self, token: int) -> bool:
        sent_at = self._clock()
        is_mine = await self._write(
            "holder = :pilot AND #token = :token",
            {":pilot": {"S": self.pilot}, ":token": _number(token)},
            {},
        )
        if is_mine:
            self._held_until = sent_at + LEASE_S - _MARGIN_S
        else:
            self._token = None
        return is_mine

    async def _look(self) -> None:
        answer = await self._client.get_item(
            TableName=self._table, Key=LEASE_KEY, ConsistentRead=True
        )
        item: Any = answer.get("Item")
        if item is None:
            await self._take(0, "attribute_not_exists(pk)", {})
            return
        token, renewal = int(item["token"]["N"]), int(item["renewal"]["N"])
        self.holder = item["holder"]["S"]
        if self.holder == self.pilot:
            # Taken, but the answer that said so was lost: the next renewal says since when.
            self._token, self._held_until = token, -math.inf
            return
        if self._seen != (token, renewal):
            self._seen, self._seen_at = (token, renewal), self._clock()
        is_over = self._clock() - self._seen_at >= float(item["lasts_s"]["N"])
        if is_over or not self.holder:
            seen = {":seen": _number(token), ":renewal": _number(renewal)}
            await self._take(token, "#token = :seen AND renewal = :renewal", seen)

    async def _take(self, token: int, condition: str, values: dict[str, Any]) -> None:
        sent_at = self._clock()
        changes = {
            "holder": {"S": self.pilot},
            "#token": _number(token + 1),
            "lasts_s": _number(LEASE_S),
        }
        if await self._write(condition, values, changes):
            self._token, self.holder = token + 1, self.pilot
            self._held_until = sent_at + LEASE_S - _MARGIN_S

    async def _write(self, condition: str, values: dict[str, Any], changes: dict[str, Any]) -> bool:
        """Counts one renewal on and makes the changes, or gives false where another wrote."""
        sets = {f":set{n}": value for n, value in enumerate(changes.values())}
        assigned = ", ".join(f"{name} = :set{n}" for n, name in enumerate(changes))
        update = f"SET {assigned} ADD renewal :one" if changes else "ADD renewal :one"
        is_token_named = "#token" in f"{condition}{update}"
        names: Any = {"ExpressionAttributeNames": {"#token": "token"}} if is_token_named else {}
        try:
            await self._client.update_item(
                TableName=self._table,
                Key=LEASE_KEY,
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues={**values, **sets, ":one": _number(1)},
                **names,
            )
        except ClientError as error:
            if code_of(error) == "ConditionalCheckFailedException":
                return False
            raise
        return True


def _number(value: float) -> dict[str, str]:
    return {"N": str(value)}
