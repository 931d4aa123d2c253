"""Query over a table or an index."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
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
    KeyCondition,
    Placeholders,
    parse_key_condition,
    project,
)
from capacity_pilot.simulator.physics.refusals import invalid
from capacity_pilot.simulator.physics.sizes import Item, read_units
from capacity_pilot.simulator.physics.store import Order, Orderable, Partition, orderable
from capacity_pilot.simulator.physics.tables import IndexSpec
from capacity_pilot.simulator.physics.world import Charge

_LARGEST_PAGE_BYTES: Final = 1_048_576
_MEMBERS: Final = (
    "TableName",
    "IndexName",
    "KeyConditionExpression",
    "FilterExpression",
    "ProjectionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ConsistentRead",
    "ScanIndexForward",
    "ExclusiveStartKey",
    "Limit",
    "Select",
    "ReturnConsumedCapacity",
)


@dataclass(slots=True)
class _Page:
    """What a Query evaluated of a partition: items before any filter, their bytes, and where it
    stopped.
    """

    partition: Orderable
    items: list[Item] = field(default_factory=list)
    size: int = 0
    is_last: bool = True


def query(database: Database, request: Request, _now: float) -> Response:
    """One page; costs the bytes evaluated, summed and rounded once, whatever a filter drops."""
    refuse_unmodelled(request, _MEMBERS, operation="Query")
    table = database.open(request)
    index = _index(table, request)
    placeholders = Placeholders.of(request)
    page = _evaluate(table, request, index=index, placeholders=placeholders)
    charge = Charge(
        index.name if index else "",
        Dimension.READ,
        read_units(page.size, consistent=bool(request.get("ConsistentRead"))),
        page.partition,
    )
    kept = _filter(page.items, request, placeholders)
    response: Response = {"Count": len(kept), "ScannedCount": len(page.items)}
    if request.get("Select") != "COUNT":
        projection = request.get("ProjectionExpression")
        response["Items"] = (
            kept
            if projection is None
            else [project(item, projection, placeholders.names) for item in kept]
        )
    if not page.is_last:
        response["LastEvaluatedKey"] = _page_key(table, index, page.items[-1])
    report = consumed_capacity(request, table.state, [charge])
    if report is not None:
        response["ConsumedCapacity"] = report
    database.world.admit(table.state, [charge])
    return response


def _index(table: OpenTable, request: Request) -> IndexSpec | None:
    name = request.get("IndexName")
    if name is None:
        return None
    index = next((i for i in table.state.spec.indexes if i.name == name), None)
    if index is None:
        raise invalid(f"The table does not have the specified index: {name}")
    if request.get("ConsistentRead"):
        raise invalid("Consistent reads are not supported on global secondary indexes")
    return index


def _evaluate(
    table: OpenTable, request: Request, *, index: IndexSpec | None, placeholders: Placeholders
) -> _Page:
    key = index.key if index else table.state.spec.key
    condition = parse_key_condition(
        require(request, "KeyConditionExpression", str), placeholders, key
    )
    types = dict(table.state.spec.attribute_types)
    operands = {key.hash_name: (condition.partition,), key.range_name: condition.operands}
    for name, values in operands.items():
        for value in values:
            if name is not None and set(value) != {types[name]}:
                raise invalid(
                    "One or more parameter values were invalid: Condition parameter type does "
                    "not match schema type"
                )
    limit = request.get("Limit")
    if limit is not None and require(request, "Limit", int) < 1:
        raise invalid(
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy "
            "constraint: Member must have value greater than or equal to 1"
        )
    items = table.store.indexes[index.name] if index else table.store.items
    page = _Page(orderable(condition.partition))
    partition = items.partitions.get(page.partition)
    if partition is None:
        return page
    for order in _orders(table, request, index=index, condition=condition, partition=partition):
        stored = partition.items[order]
        is_too_big = page.items and page.size + stored.size > _LARGEST_PAGE_BYTES
        if is_too_big or len(page.items) == limit:
            page.is_last = False
            break
        page.items.append(stored.attributes)
        page.size += stored.size
    return page


def _orders(
    table: OpenTable,
    request: Request,
    *,
    index: IndexSpec | None,
    condition: KeyCondition,
    partition: Partition,
) -> Iterator[Order]:
    """The places to read, in reading order, after the start key."""
    begin, end = _span(partition.orders, condition)
    is_forward = request.get("ScanIndexForward", True)
    start_key = request.get("ExclusiveStartKey")
    if start_key is not None:
        try:
            start = table.store.place_in(index, start_key).order
            if is_forward:
                begin = max(begin, bisect_right(partition.orders, start))
            else:
                end = min(end, bisect_left(partition.orders, start))
        except (KeyError, TypeError) as error:
            raise invalid("The provided starting key is invalid") from error
    positions = range(begin, end) if is_forward else range(end - 1, begin - 1, -1)
    return (partition.orders[position] for position in positions)


def _span(orders: Sequence[Order], condition: KeyCondition) -> tuple[int, int]:
    """The half-open range of positions whose sort key satisfies the condition."""
    if condition.comparison is None:
        return 0, len(orders)
    bounds = [orderable(operand) for operand in condition.operands]

    def before(bound: Orderable) -> int:
        return bisect_left(orders, bound, key=_first)

    def after(bound: Orderable) -> int:
        return bisect_right(orders, bound, key=_first)

    match condition.comparison, bounds:
        case "=", [bound]:
            span = before(bound), after(bound)
        case "<", [bound]:
            span = 0, before(bound)
        case "<=", [bound]:
            span = 0, after(bound)
        case ">", [bound]:
            span = after(bound), len(orders)
        case ">=", [bound]:
            span = before(bound), len(orders)
        case "BETWEEN", [lowest, highest]:
            span = before(lowest), after(highest)
        case "BEGINS_WITH", [bytes(prefix)]:
            length = len(prefix)
            end = bisect_right(orders, prefix, key=lambda order: _truncated(order, length))
            span = before(prefix), end
        case _:
            raise invalid("Query key condition not supported")
    return span


def _first(order: Order) -> Any:
    return order[0]


def _truncated(order: Order, length: int) -> Any:
    first = order[0]
    return first[:length] if isinstance(first, bytes) else first


def _filter(items: list[Item], request: Request, placeholders: Placeholders) -> list[Item]:
    text = request.get("FilterExpression")
    if text is None:
        return items
    condition = Condition(text, placeholders, kind="FilterExpression")
    return [item for item in items if condition.holds(item)]


def _page_key(table: OpenTable, index: IndexSpec | None, item: Item) -> dict[str, Any]:
    key = table.store.key_of(item)
    if index is not None:
        key |= {name: item[name] for name in index.key.names}
    return key


QUERY_OPERATIONS: Final[dict[str, Operation]] = {"Query": query}
