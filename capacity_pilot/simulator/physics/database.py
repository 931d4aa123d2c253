"""The world with items in it: what every operation works on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from capacity_pilot.core.model import ResourceStatus
from capacity_pilot.simulator.physics.refusals import RefusedError, absent_member, invalid
from capacity_pilot.simulator.physics.store import TableStore
from capacity_pilot.simulator.physics.tables import TableSpec, TableState
from capacity_pilot.simulator.physics.world import Charge, World

Request = Mapping[str, Any]
Response = dict[str, Any]


@dataclass(frozen=True, slots=True)
class OpenTable:
    """A table that takes requests, and its items."""

    state: TableState
    store: TableStore


class Database:
    """Tables with their items. Its world must have been advanced to now before every operation."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._stores: dict[str, TableStore] = {}

    def create(self, spec: TableSpec, now: float) -> TableState:
        state = self.world.create_table(spec, now)
        self._stores[state.table_id] = TableStore(spec)
        return state

    def delete(self, name: str) -> TableState:
        state = self.world.delete_table(name)
        del self._stores[state.table_id]
        return state

    def store_of(self, state: TableState) -> TableStore | None:
        """The table's items; ``None`` once it is deleted, or when it came without any."""
        return self._stores.get(state.table_id)

    def open(self, request: Request) -> OpenTable:
        """The table a data-plane request names; one that is being created is not there yet."""
        state = self.world.table(table_name(request))
        if state.table.status is ResourceStatus.CREATING:
            raise RefusedError("ResourceNotFoundException", "Requested resource not found")
        store = self._stores.get(state.table_id)
        if store is None:
            store = self._stores[state.table_id] = TableStore(state.spec)
        return OpenTable(state, store)


Operation = Callable[[Database, Request, float], Response]


def table_name(request: Request) -> str:
    """TableName, which may be given as an ARN."""
    return name_in_arn(require(request, "TableName", str))


def name_in_arn(name: str) -> str:
    """The table's name in its ARN; a plain name is itself."""
    return name.split("table/", 1)[-1] if name.startswith("arn:") else name


def require(request: Request, member: str, kind: type) -> Any:
    """A member that must be there and of one type; raises the ValidationException otherwise."""
    value = request.get(member)
    if value is None:
        raise absent_member(member[0].lower() + member[1:])
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise RefusedError(
            "SerializationException", f"Unexpected value for {member}: {value!r:.80}"
        )
    return value


def refuse_unmodelled(request: Request, modelled: Iterable[str], *, operation: str) -> None:
    """Says so when a request asks for something the model does not have."""
    unknown = sorted(set(request) - set(modelled))
    if unknown:
        raise invalid(f"{', '.join(unknown)} of {operation} is not modelled by this simulator")


def consumed_capacity(
    request: Request, table: TableState, charges: Sequence[Charge]
) -> Response | None:
    """ConsumedCapacity of one table as ReturnConsumedCapacity asks for it; ``None`` if not."""
    detail = request.get("ReturnConsumedCapacity") or "NONE"
    if detail not in {"NONE", "TOTAL", "INDEXES"}:
        raise invalid(
            f"1 validation error detected: Value '{detail}' at 'returnConsumedCapacity' failed "
            "to satisfy constraint: Member must satisfy enum value set: [INDEXES, TOTAL, NONE]"
        )
    if detail == "NONE":
        return None
    by_index: dict[str, float] = {}
    for charge in charges:
        by_index[charge.index] = by_index.get(charge.index, 0.0) + charge.units
    report: Response = {
        "TableName": table.spec.name,
        "CapacityUnits": sum(by_index.values()),
    }
    if detail == "INDEXES":
        report["Table"] = {"CapacityUnits": by_index.pop("", 0.0)}
        if by_index:
            report["GlobalSecondaryIndexes"] = {
                index: {"CapacityUnits": units} for index, units in by_index.items()
            }
    return report
