"""GetItem, PutItem, UpdateItem and DeleteItem."""

from __future__ import annotations

from typing import Any, Final

from capacity_pilot.core.model import Dimension
from capacity_pilot.simulator.physics.database import (
    Database,
    OpenTable,
    Operation,
    Request,
    Response,
    consumed_capacity,
    refuse_unmodelled,
    require,
)
from capacity_pilot.simulator.physics.expressions import (
    Condition,
    Placeholders,
    apply_update,
    project,
)
from capacity_pilot.simulator.physics.refusals import RefusedError, invalid
from capacity_pilot.simulator.physics.sizes import Item, read_units, write_units
from capacity_pilot.simulator.physics.store import Place, StoredItem
from capacity_pilot.simulator.physics.world import Charge

_EXPRESSION_MEMBERS: Final = ("ExpressionAttributeNames", "ExpressionAttributeValues")
_WRITE_MEMBERS: Final = (
    "TableName",
    "ConditionExpression",
    "ReturnValues",
    "ReturnValuesOnConditionCheckFailure",
    "ReturnConsumedCapacity",
    *_EXPRESSION_MEMBERS,
)
_GET_MEMBERS: Final = (
    "TableName",
    "Key",
    "ConsistentRead",
    "ProjectionExpression",
    "ReturnConsumedCapacity",
    *_EXPRESSION_MEMBERS,
)


def get_item(database: Database, request: Request, _now: float) -> Response:
    """Costs the item's size; a missing one as much as a small one."""
    refuse_unmodelled(request, _GET_MEMBERS, operation="GetItem")
    table = database.open(request)
    place = table.store.place_of_key(require(request, "Key", dict))
    stored = table.store.items.get(place)
    charge = Charge(
        "",
        Dimension.READ,
        read_units(stored.size if stored else 0, consistent=bool(request.get("ConsistentRead"))),
        place.partition,
    )
    report = consumed_capacity(request, table.state, [charge])
    response: Response = {}
    if stored is not None:
        projection = request.get("ProjectionExpression")
        response["Item"] = (
            stored.attributes
            if projection is None
            else project(stored.attributes, projection, Placeholders.of(request).names)
        )
    database.world.admit(table.state, [charge])
    return _with_report(response, report)


def put_item(database: Database, request: Request, _now: float) -> Response:
    """Costs the larger of the item that was there and the new one, on the table and indexes."""
    refuse_unmodelled(request, ("Item", *_WRITE_MEMBERS), operation="PutItem")
    _check_return_values(request, ("NONE", "ALL_OLD"))
    table = database.open(request)
    after = table.store.weigh(require(request, "Item", dict))
    place = table.store.place_of_item(after.attributes)
    before = table.store.items.get(place)
    _check_condition(database, table, request, before=before)
    return _write(database, table, request, place=place, after=after)


def delete_item(database: Database, request: Request, _now: float) -> Response:
    """Costs the item that was there; deleting nothing costs 1."""
    refuse_unmodelled(request, ("Key", *_WRITE_MEMBERS), operation="DeleteItem")
    _check_return_values(request, ("NONE", "ALL_OLD"))
    table = database.open(request)
    place = table.store.place_of_key(require(request, "Key", dict))
    _check_condition(database, table, request, before=table.store.items.get(place))
    return _write(database, table, request, place=place, after=None)


def update_item(database: Database, request: Request, _now: float) -> Response:
    """Changes an item by an UpdateExpression, or creates it; costs like PutItem."""
    refuse_unmodelled(request, ("Key", "UpdateExpression", *_WRITE_MEMBERS), operation="UpdateItem")
    _check_return_values(request, ("NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"))
    table = database.open(request)
    key: Item = require(request, "Key", dict)
    place = table.store.place_of_key(key)
    before = table.store.items.get(place)
    _check_condition(database, table, request, before=before)
    attributes: Item = before.attributes if before else key
    text = request.get("UpdateExpression")
    if text is not None:
        attributes = apply_update(text, attributes, Placeholders.of(request), spec=table.state.spec)
    after = table.store.weigh(attributes)
    return _write(database, table, request, place=place, after=after)


def _write(
    database: Database,
    table: OpenTable,
    request: Request,
    *,
    place: Place,
    after: StoredItem | None,
) -> Response:
    write = table.store.plan(place, after)
    report = consumed_capacity(request, table.state, write.charges)
    database.world.admit(table.state, write.charges)
    table.store.commit(write)
    attributes = _returned(
        request.get("ReturnValues") or "NONE",
        write.before.attributes if write.before else {},
        after.attributes if after else {},
    )
    return _with_report({"Attributes": attributes} if attributes else {}, report)


def _returned(which: str, before: Item, after: Item) -> dict[str, Any]:
    match which:
        case "ALL_OLD":
            return dict(before)
        case "ALL_NEW":
            return dict(after)
        case "UPDATED_OLD":
            return {n: v for n, v in before.items() if after.get(n) != v}
        case "UPDATED_NEW":
            return {n: v for n, v in after.items() if before.get(n) != v}
        case _:
            return {}


def _check_return_values(request: Request, allowed: tuple[str, ...]) -> None:
    if (request.get("ReturnValues") or "NONE") not in allowed:
        raise invalid("Return values set to invalid value")


def _check_condition(
    database: Database, table: OpenTable, request: Request, *, before: StoredItem | None
) -> None:
    """A failed condition consumes what the existing item weighs (else 1), and no index's units."""
    text = request.get("ConditionExpression")
    if text is None:
        return
    condition = Condition(text, Placeholders.of(request), kind="ConditionExpression")
    if condition.holds(before.attributes if before else None):
        return
    units = write_units(before.size if before else 0)
    database.world.admit(table.state, [Charge("", Dimension.WRITE, units)])
    returns_old = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
    raise RefusedError(
        "ConditionalCheckFailedException",
        "The conditional request failed",
        details={"Item": before.attributes} if returns_old and before else None,
    )


def _with_report(response: Response, report: Response | None) -> Response:
    if report is not None:
        response["ConsumedCapacity"] = report
    return response


ITEM_OPERATIONS: Final[dict[str, Operation]] = {
    "GetItem": get_item,
    "PutItem": put_item,
    "UpdateItem": update_item,
    "DeleteItem": delete_item,
}
