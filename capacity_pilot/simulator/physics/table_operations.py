"""CreateTable, DescribeTable, UpdateTable and the other control-plane operations."""

from __future__ import annotations

from typing import Any, Final

from capacity_pilot.core.model import ResourceStatus
from capacity_pilot.simulator.physics.database import (
    Database,
    Operation,
    Request,
    Response,
    require,
    table_name,
)
from capacity_pilot.simulator.physics.on_demand import NO_MAXIMUM
from capacity_pilot.simulator.physics.refusals import RefusedError, invalid
from capacity_pilot.simulator.physics.store import OrderedItems
from capacity_pilot.simulator.physics.table_declarations import (
    read_changes,
    read_maxima,
    read_switch,
    read_table_spec,
    read_tags,
    table_of_arn,
)
from capacity_pilot.simulator.physics.tables import (
    UNLIMITED,
    KeySchema,
    OnDemandMaximum,
    ResourceState,
    TableState,
)

_MOST_TABLES_LISTED: Final = 100
_MOST_TAGS: Final = 50


def create_table(database: Database, request: Request, now: float) -> Response:
    """The response says CREATING, even when the creation time is 0."""
    tags = read_tags(request)
    state = database.create(read_table_spec(request), now)
    state.tags.update(tags)
    return {"TableDescription": describe(database, state, now)}


def describe_table(database: Database, request: Request, now: float) -> Response:
    """The table now."""
    return {"Table": describe(database, database.world.table(table_name(request)), now)}


def delete_table(database: Database, request: Request, now: float) -> Response:
    """The table is gone at once; the response says DELETING."""
    return {"TableDescription": describe(database, database.delete(table_name(request)), now)}


def update_table(database: Database, request: Request, now: float) -> Response:
    """Echoes the old units and the old counters, as AWS does, with the new statuses."""
    state = database.world.table(table_name(request))
    changes, maxima = read_changes(request), read_maxima(request)
    mode = read_switch(request, state)
    echo = describe(database, state, now)
    if maxima:
        database.world.limit_on_demand(state.spec.name, maxima)
    elif mode is None:
        database.world.update_table(state.spec.name, changes, now)
    else:
        database.world.switch_billing(state.spec.name, mode, changes, now)
    echo["TableStatus"] = state.table.status
    for index in echo.get("GlobalSecondaryIndexes", ()):
        index["IndexStatus"] = state.resources[index["IndexName"]].status
    return {"TableDescription": echo}


def list_tables(database: Database, request: Request, _now: float) -> Response:
    """A page of table names, in order."""
    limit = request.get("Limit") or _MOST_TABLES_LISTED
    if not isinstance(limit, int) or not 1 <= limit <= _MOST_TABLES_LISTED:
        raise invalid(
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy "
            f"constraint: Member must have value between 1 and {_MOST_TABLES_LISTED}"
        )
    after = request.get("ExclusiveStartTableName") or ""
    names = [t.spec.name for t in database.world.tables() if t.spec.name > after]
    response: Response = {"TableNames": names[:limit]}
    if len(names) > limit:
        response["LastEvaluatedTableName"] = names[limit - 1]
    return response


def describe_limits(database: Database, _request: Request, _now: float) -> Response:
    """The account's and a single resource's maxima."""
    limits = database.world.settings.limits
    return {
        "AccountMaxReadCapacityUnits": limits.account_read,
        "AccountMaxWriteCapacityUnits": limits.account_write,
        "TableMaxReadCapacityUnits": limits.table_read,
        "TableMaxWriteCapacityUnits": limits.table_write,
    }


def list_tags(database: Database, request: Request, _now: float) -> Response:
    """All tags of a table; never more than a page."""
    tags = _tagged_table(database, request).tags
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def tag_resource(database: Database, request: Request, _now: float) -> Response:
    """Adds tags, or replaces those of the same key."""
    table = _tagged_table(database, request)
    tags = table.tags | read_tags(request)
    if len(tags) > _MOST_TAGS:
        raise invalid(f"Too many tags: {len(tags)}; a resource has at most {_MOST_TAGS}")
    table.tags = tags
    return {}


def untag_resource(database: Database, request: Request, _now: float) -> Response:
    """Removes tags; those that are not there are no error."""
    table = _tagged_table(database, request)
    for key in require(request, "TagKeys", list):
        table.tags.pop(key, None)
    return {}


def describe(database: Database, table: TableState, now: float) -> dict[str, Any]:
    """TableDescription. Item counts and sizes are live here; AWS refreshes them in about 6 h."""
    store = database.store_of(table)
    description: dict[str, Any] = {
        "TableName": table.spec.name,
        "TableArn": table.arn,
        "TableId": table.table_id,
        "TableStatus": table.table.status,
        "CreationDateTime": table.created_at,
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": kind}
            for name, kind in table.spec.attribute_types
        ],
        "KeySchema": _key_elements(table.spec.key),
        "ItemCount": store.items.count if store else 0,
        "TableSizeBytes": store.items.size if store else 0,
        "DeletionProtectionEnabled": False,
        **_capacity(table.table, now),
    }
    if table.was_on_demand:
        # AWS leaves this out for a table that was created PROVISIONED and never switched.
        description["BillingModeSummary"] = {
            "BillingMode": table.spec.billing_mode,
            "LastUpdateToPayPerRequestDateTime": table.on_demand_at,
        }
    if table.spec.indexes:
        description["GlobalSecondaryIndexes"] = [
            {
                "IndexName": spec.name,
                "IndexArn": table.arn_of(spec.name),
                "IndexStatus": state.status,
                "KeySchema": _key_elements(spec.key),
                "Projection": {"ProjectionType": spec.projection}
                | (
                    {"NonKeyAttributes": list(spec.non_key_attributes)}
                    if spec.non_key_attributes
                    else {}
                ),
                **_index_size(store.indexes[spec.name] if store else None),
                **_capacity(state, now),
            }
            for spec, state in table.indexes()
        ]
    return description


def _capacity(resource: ResourceState, now: float) -> dict[str, Any]:
    throughput: dict[str, Any] = {
        "ReadCapacityUnits": resource.units.read,
        "WriteCapacityUnits": resource.units.write,
        "NumberOfDecreasesToday": resource.quota.decreases_today(now),
    }
    if resource.last_increase_at is not None:
        throughput["LastIncreaseDateTime"] = resource.last_increase_at
    if resource.quota.last_decrease_at is not None:
        throughput["LastDecreaseDateTime"] = resource.quota.last_decrease_at
    return _maximum(resource.on_demand_maximum) | {
        "ProvisionedThroughput": throughput,
        "WarmThroughput": {
            "ReadUnitsPerSecond": resource.warm.read,
            "WriteUnitsPerSecond": resource.warm.write,
            "Status": ResourceStatus.ACTIVE,
        },
    }


def _maximum(maximum: OnDemandMaximum) -> dict[str, Any]:
    """Nothing where there is none."""
    if maximum == UNLIMITED:
        return {}
    read, write = (NO_MAXIMUM if units is None else units for units in maximum)
    return {"OnDemandThroughput": {"MaxReadRequestUnits": read, "MaxWriteRequestUnits": write}}


def _index_size(items: OrderedItems | None) -> dict[str, int]:
    return {
        "ItemCount": items.count if items else 0,
        "IndexSizeBytes": items.size if items else 0,
    }


def _key_elements(key: KeySchema) -> list[dict[str, str]]:
    return [
        {"AttributeName": name, "KeyType": kind}
        for name, kind in zip(key.names, ("HASH", "RANGE"), strict=False)
    ]


def _tagged_table(database: Database, request: Request) -> TableState:
    try:
        return database.world.table(table_of_arn(request))
    except RefusedError as refusal:
        if refusal.code != "ResourceNotFoundException":
            raise
        # The missing "e" is AWS's own.
        raise RefusedError(
            refusal.code,
            f"Requested resource not found: ResourcArn: {request['ResourceArn']} not found",
        ) from refusal


TABLE_OPERATIONS: Final[dict[str, Operation]] = {
    "CreateTable": create_table,
    "DescribeTable": describe_table,
    "DeleteTable": delete_table,
    "UpdateTable": update_table,
    "ListTables": list_tables,
    "DescribeLimits": describe_limits,
    "ListTagsOfResource": list_tags,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
}
