"""CreateTable and UpdateTable requests, read: what of them the model has, and what it refuses."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from capacity_pilot.core.model import BillingMode
from capacity_pilot.simulator.physics.billing import ON_DEMAND_WITH_UNITS
from capacity_pilot.simulator.physics.database import (
    Request,
    name_in_arn,
    refuse_unmodelled,
    require,
)
from capacity_pilot.simulator.physics.on_demand import (
    NO_MAXIMUM,
    PROVISIONED_WITH_MAXIMUM,
    Maxima,
)
from capacity_pilot.simulator.physics.refusals import absent_member, below_one, invalid
from capacity_pilot.simulator.physics.store import projected_attributes
from capacity_pilot.simulator.physics.tables import (
    UNLIMITED,
    IndexSpec,
    KeySchema,
    OnDemandMaximum,
    TableSpec,
    TableState,
    Units,
)
from capacity_pilot.simulator.physics.updates import Changes

_NAME: Final = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
_MOST_INDEXES: Final = 20
_CREATE_MEMBERS: Final = (
    "TableName",
    "KeySchema",
    "AttributeDefinitions",
    "ProvisionedThroughput",
    "GlobalSecondaryIndexes",
    "BillingMode",
    "OnDemandThroughput",
    "Tags",
)
_UPDATE_MEMBERS: Final = (
    "TableName",
    "BillingMode",
    "ProvisionedThroughput",
    "GlobalSecondaryIndexUpdates",
    "OnDemandThroughput",
)
_INDEX_MEMBERS: Final = (
    "IndexName",
    "KeySchema",
    "Projection",
    "ProvisionedThroughput",
    "OnDemandThroughput",
)


def read_table_spec(request: Request) -> TableSpec:
    """The table a CreateTable request declares."""
    refuse_unmodelled(request, _CREATE_MEMBERS, operation="CreateTable")
    name = require(request, "TableName", str)
    if not _NAME.fullmatch(name):
        raise invalid(
            f"1 validation error detected: Value '{name}' at 'tableName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+, and "
            "have length 3 to 255"
        )
    billing_mode = _billing_mode(request) or BillingMode.PROVISIONED
    key = _key_schema(request)
    indexes = tuple(
        _index_spec(index, key, billing_mode)
        for index in request.get("GlobalSecondaryIndexes") or ()
    )
    if len(indexes) > _MOST_INDEXES or len({i.name for i in indexes}) < len(indexes):
        raise invalid(
            "One or more parameter values were invalid: GlobalSecondaryIndexes must have "
            f"different names and be at most {_MOST_INDEXES}"
        )
    types = _attribute_types(request, {*key.names, *(n for i in indexes for n in i.key.names)})
    return TableSpec(
        name=name,
        key=key,
        units=_declared_units(
            request,
            billing_mode,
            absent="ReadCapacityUnits and WriteCapacityUnits must both be specified when "
            "BillingMode is PROVISIONED",
        ),
        attribute_types=types,
        indexes=indexes,
        billing_mode=billing_mode,
        on_demand_maximum=_declared_maximum(request, billing_mode),
    )


def read_tags(request: Request) -> dict[str, str]:
    """Tags as CreateTable and TagResource carry them."""
    return {
        require(tag, "Key", str): require(tag, "Value", str) for tag in request.get("Tags") or ()
    }


def read_switch(request: Request, table: TableState) -> BillingMode | None:
    """The billing mode an UpdateTable request asks for, if it is another one."""
    mode = _billing_mode(request)
    return None if mode is table.spec.billing_mode else mode


def read_changes(request: Request) -> Changes:
    """The units an UpdateTable request asks for, by index name; none where it is about on-demand
    maxima, which come alone.
    """
    refuse_unmodelled(request, _UPDATE_MEMBERS, operation="UpdateTable")
    changes: dict[str, Units] = {}
    if request.get("ProvisionedThroughput") is not None:
        changes[""] = _units(request["ProvisionedThroughput"], "provisionedThroughput")
    updates = request.get("GlobalSecondaryIndexUpdates") or ()
    for position, update in enumerate(updates, start=1):
        refuse_unmodelled(update, ("Update",), operation="GlobalSecondaryIndexUpdates")
        change = require(update, "Update", dict)
        index = require(change, "IndexName", str)
        if change.get("OnDemandThroughput") is not None:
            continue
        if index in changes:
            raise invalid(
                "One or more parameter values were invalid: Only one global secondary index "
                f"update per index is allowed simultaneously. Index: {index}"
            )
        path = f"globalSecondaryIndexUpdates.{position}.member.update.provisionedThroughput"
        changes[index] = _units(require(change, "ProvisionedThroughput", dict), path)
    return changes


def read_maxima(request: Request) -> Maxima:
    """The on-demand maxima an UpdateTable request asks for, by index name."""
    updates = [
        (require(change, "IndexName", str), change)
        for update in request.get("GlobalSecondaryIndexUpdates") or ()
        for change in (require(update, "Update", dict),)
    ]
    asked = {
        index: _maximum(declared["OnDemandThroughput"])
        for index, declared in [("", request), *updates]
        if declared.get("OnDemandThroughput") is not None
    }
    others = [declared for index, declared in updates if index not in asked]
    if asked and (others or {"BillingMode", "ProvisionedThroughput"} & request.keys()):
        raise invalid("OnDemandThroughput with other changes is not modelled by this simulator")
    return asked


def table_of_arn(request: Request) -> str:
    """The table whose ARN a tagging request names."""
    return name_in_arn(require(request, "ResourceArn", str))


def _billing_mode(request: Request) -> BillingMode | None:
    text = request.get("BillingMode")
    if text is None:
        return None
    try:
        return BillingMode(text)
    except ValueError:
        raise invalid(
            f"1 validation error detected: Value '{text}' at 'billingMode' failed to satisfy "
            "constraint: Member must satisfy enum value set: [PROVISIONED, PAY_PER_REQUEST]"
        ) from None


def _units(declared: Request, path: str) -> Units:
    for member in ("ReadCapacityUnits", "WriteCapacityUnits"):
        if declared.get(member) is None:
            raise absent_member(f"{path}.{member[0].lower()}{member[1:]}")
    return Units(
        require(declared, "ReadCapacityUnits", int), require(declared, "WriteCapacityUnits", int)
    )


def _declared_units(declared: Request, billing_mode: BillingMode, *, absent: str) -> Units:
    throughput = declared.get("ProvisionedThroughput")
    if billing_mode is BillingMode.PAY_PER_REQUEST:
        if throughput is not None:
            raise invalid(ON_DEMAND_WITH_UNITS)
        return Units(0, 0)
    if throughput is None:
        raise invalid(f"One or more parameter values were invalid: {absent}")
    return _units(throughput, "provisionedThroughput")


def _declared_maximum(declared: Request, billing_mode: BillingMode) -> OnDemandMaximum:
    asked = declared.get("OnDemandThroughput")
    if asked is None:
        return UNLIMITED
    if billing_mode is not BillingMode.PAY_PER_REQUEST:
        raise invalid(PROVISIONED_WITH_MAXIMUM)
    return OnDemandMaximum(*(None if m == NO_MAXIMUM else m for m in _maximum(asked)))


def _maximum(asked: Request) -> OnDemandMaximum:
    members = ("MaxReadRequestUnits", "MaxWriteRequestUnits")
    refuse_unmodelled(asked, members, operation="OnDemandThroughput")
    maximum = OnDemandMaximum(
        *(None if asked.get(member) is None else require(asked, member, int) for member in members)
    )
    for member, units in zip(members, maximum, strict=True):
        if units is not None and units < 1 and units != NO_MAXIMUM:
            raise below_one(f"onDemandThroughput.{member[0].lower()}{member[1:]}", units)
    return maximum


def _key_schema(declared: Request) -> KeySchema:
    elements = require(declared, "KeySchema", list)
    names = [require(element, "AttributeName", str) for element in elements]
    kinds = [element.get("KeyType") for element in elements]
    if kinds not in (["HASH"], ["HASH", "RANGE"]):
        raise invalid(
            "Invalid KeySchema: it must be one HASH element, then at most one RANGE element; "
            f"it is {kinds!r:.80}"
        )
    return KeySchema(*names)


def _index_spec(declared: Request, table_key: KeySchema, mode: BillingMode) -> IndexSpec:
    refuse_unmodelled(declared, _INDEX_MEMBERS, operation="GlobalSecondaryIndexes")
    name = require(declared, "IndexName", str)
    key = _key_schema(declared)
    projection = require(declared, "Projection", dict)
    kind = projection.get("ProjectionType")
    if kind not in {"ALL", "KEYS_ONLY", "INCLUDE"}:
        raise invalid(
            f"One or more parameter values were invalid: Unknown ProjectionType: {kind!r:.80}"
        )
    non_key = tuple(projection.get("NonKeyAttributes") or ())
    if bool(non_key) != (kind == "INCLUDE"):
        raise invalid(
            "One or more parameter values were invalid: NonKeyAttributes go with ProjectionType "
            f"INCLUDE, and only with it; ProjectionType is {kind}"
        )
    return IndexSpec(
        name=name,
        key=key,
        projection=kind,
        projected=projected_attributes(table_key, key, kind=kind, non_key=non_key),
        units=_declared_units(
            declared, mode, absent=f"ProvisionedThroughput must be specified for index: {name}"
        ),
        non_key_attributes=non_key,
        on_demand_maximum=_declared_maximum(declared, mode),
    )


def _attribute_types(request: Request, used: Iterable[str]) -> tuple[tuple[str, str], ...]:
    definitions: dict[str, Any] = {
        require(d, "AttributeName", str): d.get("AttributeType")
        for d in require(request, "AttributeDefinitions", list)
    }
    if set(definitions) != set(used):
        raise invalid(
            "One or more parameter values were invalid: AttributeDefinitions must define the "
            f"attributes of all keys and no others. AttributeDefinitions: {sorted(definitions)}, "
            f"keys used: {sorted(used)}"
        )
    for name, kind in definitions.items():
        if kind not in {"S", "N", "B"}:
            raise invalid(
                f"1 validation error detected: Value '{kind}' at 'attributeDefinitions' of {name} "
                "failed to satisfy constraint: Member must satisfy enum value set: [B, N, S]"
            )
    return tuple(definitions.items())
