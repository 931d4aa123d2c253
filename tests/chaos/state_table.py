"""The table that two pilots share, as the physics keeps its items, in a world of its own.

TransactWriteItems is here and not in the physics, which serves applications: as much of it as the
pilots use, all of it or nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from capacity_pilot.adapters.journal.state_table import LEASE_KEY
from capacity_pilot.core.model import BillingMode
from capacity_pilot.simulator.physics.database import (
    Database,
    Operation,
    Request,
    Response,
)
from capacity_pilot.simulator.physics.expressions import Condition, Placeholders
from capacity_pilot.simulator.physics.item_operations import ITEM_OPERATIONS
from capacity_pilot.simulator.physics.query_operation import QUERY_OPERATIONS
from capacity_pilot.simulator.physics.refusals import RefusedError
from capacity_pilot.simulator.physics.tables import KeySchema, TableSpec, Units
from capacity_pilot.simulator.physics.world import World

NAME: Final = "pilot-state"


def make_store(now: float) -> Database:
    """The state table, empty."""
    store = Database(World())
    spec = TableSpec(
        name=NAME,
        key=KeySchema("pk", "sk"),
        units=Units(0, 0),
        attribute_types=(("pk", "S"), ("sk", "S")),
        billing_mode=BillingMode.PAY_PER_REQUEST,
    )
    store.create(spec, now)
    store.world.advance(now)
    return store


class LeaseItem(NamedTuple):
    """The lease as the table has it."""

    holder: str
    token: int
    renewal: int


def read_lease(store: Database) -> LeaseItem | None:
    """``None`` where nobody ever had it."""
    item = _find(store, {"TableName": NAME, "Key": LEASE_KEY})
    if item is None:
        return None
    return LeaseItem(item["holder"]["S"], int(item["token"]["N"]), int(item["renewal"]["N"]))


def read_document(store: Database, name: str) -> bytes | None:
    """A document of the journal's as it is now; ``None`` where there is none."""
    key = {"pk": {"S": f"document#{name}"}}
    current = _find(store, {"TableName": NAME, "Key": {**key, "sk": {"S": "current"}}})
    if current is None:
        return None
    parts = []
    for number in range(int(current["parts"]["N"])):
        sk = f"part#{current['version']['S']}#{number:04d}"
        part = _find(store, {"TableName": NAME, "Key": {**key, "sk": {"S": sk}}})
        assert part is not None, f"{name} lacks {sk}"
        parts.append(base64.b64decode(part["content"]["B"]))
    return b"".join(parts)


def transact(store: Database, request: Request, now: float) -> Response:
    """Raises ``TransactionCanceledException`` and changes nothing where a condition fails."""
    actions = [next(iter(action.items())) for action in request["TransactItems"]]
    reasons = [{"Code": "None" if _holds(store, *a) else "ConditionalCheckFailed"} for a in actions]
    if any(reason["Code"] != "None" for reason in reasons):
        told = ", ".join(reason["Code"] for reason in reasons)
        raise RefusedError(
            "TransactionCanceledException",
            "Transaction cancelled, please refer cancellation reasons for specific reasons "
            f"[{told}]",
            details={"CancellationReasons": reasons},
        )
    for kind, action in actions:
        if kind != "ConditionCheck":
            ITEM_OPERATIONS[f"{kind}Item"](store, action, now)
    return {}


OPERATIONS: Final[Mapping[str, Operation]] = {
    **ITEM_OPERATIONS,
    **QUERY_OPERATIONS,
    "TransactWriteItems": transact,
}


def _holds(store: Database, kind: str, action: Request) -> bool:
    if kind != "ConditionCheck":
        assert "ConditionExpression" not in action, "no condition on what is written is modelled"
        return True
    text = action["ConditionExpression"]
    condition = Condition(text, Placeholders.of(action), kind="ConditionExpression")
    return condition.holds(_find(store, action))


def _find(store: Database, action: Request) -> Mapping[str, Any] | None:
    table = store.open(action)
    stored = table.store.items.get(table.store.place_of_key(action["Key"]))
    return None if stored is None else stored.attributes
