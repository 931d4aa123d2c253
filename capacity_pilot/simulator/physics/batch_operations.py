"""BatchGetItem and BatchWriteItem: throttled members come back as unprocessed.

Only when every member was throttled does the whole call fail (AWS API reference).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
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
from capacity_pilot.simulator.physics.expressions import Placeholders, project
from capacity_pilot.simulator.physics.refusals import RefusedError, invalid
from capacity_pilot.simulator.physics.sizes import read_units
from capacity_pilot.simulator.physics.store import Place, StoredItem
from capacity_pilot.simulator.physics.world import Charge

_MOST_READS: Final = 100
_MOST_WRITES: Final = 25
_LARGEST_RESPONSE_BYTES: Final = 16 * 1024 * 1024
_THROTTLES: Final = (
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
)
_DUPLICATES: Final = "Provided list of item keys contains duplicates"
_REQUEST_MEMBERS: Final = ("RequestItems", "ReturnConsumedCapacity")
_TABLE_MEMBERS: Final = (
    "Keys",
    "ConsistentRead",
    "ProjectionExpression",
    "ExpressionAttributeNames",
)


@dataclass(frozen=True, slots=True)
class _Read:
    """One key of a BatchGetItem."""

    name: str
    table: OpenTable
    place: Place
    key: dict[str, Any]
    options: Request


@dataclass(frozen=True, slots=True)
class _Put:
    """One member of a BatchWriteItem; ``after`` is ``None`` for a delete."""

    name: str
    table: OpenTable
    place: Place
    after: StoredItem | None
    member: Any


class _Tally:
    """Charges by table, and whether anything got through."""

    def __init__(self) -> None:
        self._charges: dict[str, tuple[OpenTable, list[Charge]]] = {}
        self._refusal: RefusedError | None = None
        self._served = 0

    def admit(self, database: Database, table: OpenTable, charges: tuple[Charge, ...]) -> bool:
        """Serves one member; ``False`` when it is throttled."""
        try:
            database.world.admit(table.state, charges)
        except RefusedError as refusal:
            if refusal.code not in _THROTTLES:
                raise
            self._refusal = refusal
            return False
        self._served += 1
        self._charges.setdefault(table.state.spec.name, (table, []))[1].extend(charges)
        return True

    def close(self, request: Request, response: Response) -> Response:
        """Adds what was consumed, or raises when every member was throttled."""
        if self._refusal is not None and not self._served:
            raise self._refusal
        reports = [
            consumed_capacity(request, table.state, charges)
            for table, charges in self._charges.values()
        ]
        if any(reports):
            response["ConsumedCapacity"] = reports
        return response


def batch_get_item(database: Database, request: Request, _now: float) -> Response:
    """Every key is read and rounded on its own."""
    refuse_unmodelled(request, _REQUEST_MEMBERS, operation="BatchGetItem")
    tally = _Tally()
    found: dict[str, list[Any]] = {}
    left: dict[str, list[Any]] = defaultdict(list)
    reads = _reads(database, request)
    room = _LARGEST_RESPONSE_BYTES
    for read in reads:
        found.setdefault(read.name, [])
        stored = read.table.store.items.get(read.place)
        size = stored.size if stored else 0
        units = read_units(size, consistent=bool(read.options.get("ConsistentRead")))
        charge = Charge("", Dimension.READ, units, read.place.partition)
        if size > room or not tally.admit(database, read.table, (charge,)):
            left[read.name].append(read.key)
        elif stored is not None:
            room -= size
            found[read.name].append(_projected(stored, read.options))
    tables = request["RequestItems"]
    unprocessed = {name: {**tables[name], "Keys": keys} for name, keys in left.items()}
    return tally.close(request, {"Responses": found, "UnprocessedKeys": unprocessed})


def batch_write_item(database: Database, request: Request, _now: float) -> Response:
    """Every member is a PutItem or DeleteItem of its own, without conditions."""
    refuse_unmodelled(
        request, (*_REQUEST_MEMBERS, "ReturnItemCollectionMetrics"), operation="BatchWriteItem"
    )
    tally = _Tally()
    left: dict[str, list[Any]] = defaultdict(list)
    for put in _puts(database, request):
        write = put.table.store.plan(put.place, put.after)
        if tally.admit(database, put.table, write.charges):
            put.table.store.commit(write)
        else:
            left[put.name].append(put.member)
    return tally.close(request, {"UnprocessedItems": dict(left)})


def _reads(database: Database, request: Request) -> list[_Read]:
    reads = []
    seen: set[tuple[str, Place]] = set()
    for name, options in require(request, "RequestItems", dict).items():
        refuse_unmodelled(options, _TABLE_MEMBERS, operation="BatchGetItem")
        table = database.open({"TableName": name})
        for key in require(options, "Keys", list):
            place = table.store.place_of_key(key)
            if (table.state.table_id, place) in seen:
                raise invalid(_DUPLICATES)
            seen.add((table.state.table_id, place))
            reads.append(_Read(name, table, place, key, options))
    if not 1 <= len(reads) <= _MOST_READS:
        raise invalid(
            f"{len(reads)} items requested for the BatchGetItem call; it takes 1 to {_MOST_READS}"
        )
    return reads


def _puts(database: Database, request: Request) -> list[_Put]:
    puts = []
    seen: set[tuple[str, Place]] = set()
    for name, members in require(request, "RequestItems", dict).items():
        table = database.open({"TableName": name})
        for member in members:
            match member:
                case {"PutRequest": {"Item": dict(item)}}:
                    after: StoredItem | None = table.store.weigh(item)
                    place = table.store.place_of_item(item)
                case {"DeleteRequest": {"Key": dict(key)}}:
                    after = None
                    place = table.store.place_of_key(key)
                case _:
                    raise invalid(
                        "Supplied WriteRequest must contain exactly one of PutRequest and "
                        "DeleteRequest"
                    )
            if (table.state.table_id, place) in seen:
                raise invalid(_DUPLICATES)
            seen.add((table.state.table_id, place))
            puts.append(_Put(name, table, place, after, member))
    if not 1 <= len(puts) <= _MOST_WRITES:
        raise invalid(
            f"{len(puts)} items requested for the BatchWriteItem call; it takes 1 to {_MOST_WRITES}"
        )
    return puts


def _projected(stored: StoredItem, options: Request) -> Any:
    projection = options.get("ProjectionExpression")
    if projection is None:
        return stored.attributes
    return project(stored.attributes, projection, Placeholders.of(options).names)


BATCH_OPERATIONS: Final[dict[str, Operation]] = {
    "BatchGetItem": batch_get_item,
    "BatchWriteItem": batch_write_item,
}
