"""Somebody else changes tables: capacity, their existence, their indexes."""

from __future__ import annotations

from dataclasses import replace

from capacity_pilot.core.model import Resource, ResourceStatus
from capacity_pilot.simulator.physics.refusals import RefusedError
from capacity_pilot.simulator.physics.tables import (
    IndexSpec,
    KeySchema,
    ResourceState,
    TableSpec,
    Units,
)
from capacity_pilot.simulator.physics.world import World

INDEX_CHANGE_S = 30.0
"""AWS took 24 to 56 s, the table UPDATING meanwhile."""


def table_spec(table: str, indexes: tuple[str, ...], units: int) -> TableSpec:
    return TableSpec(
        name=table,
        key=KeySchema("id"),
        units=Units(units, units),
        attribute_types=tuple((name, "S") for name in ("id", *indexes)),
        indexes=tuple(_index_spec(index, units) for index in indexes),
    )


def has_table(world: World, table: str) -> bool:
    return any(state.spec.name == table for state in world.tables())


def is_settled(world: World, table: str) -> bool:
    return not world.table(table).is_in_flux


def set_capacity(world: World, resource: Resource, units: int, now: float) -> bool:
    """True if the resource has or will have as many units of both kinds."""
    wanted = Units(units, units)
    try:
        world.update_table(resource.table, {resource.index: wanted}, now)
    except RefusedError as refusal:
        return "will not change" in refusal.message
    return True


def add_index(world: World, table: str, index: str, units: int, now: float) -> None:
    """As AWS does: the table is UPDATING and the index CREATING for half a minute."""
    state = world.table(table)
    state.spec = replace(state.spec, indexes=(*state.spec.indexes, _index_spec(index, units)))
    given = Units(units, units)
    state.resources[index] = ResourceState(
        resource=Resource(table, index),
        units=given,
        warm=given,
        first_slot=world._take_slots(given),
    )
    world._count_reserved(Units(0, 0), given)
    state.table.status = ResourceStatus.UPDATING
    for changing in ("", index):
        world._schedule(state, changing, now + INDEX_CHANGE_S)


def begin_removing_index(world: World, table: str, index: str, now: float) -> None:
    """As AWS does: the table is UPDATING and the index DELETING until it is gone."""
    state = world.table(table)
    state.table.status = ResourceStatus.UPDATING
    state.resources[index].status = ResourceStatus.DELETING
    world._schedule(state, "", now + INDEX_CHANGE_S)


def remove_index(world: World, table: str, index: str) -> None:
    state = world.table(table)
    state.spec = replace(
        state.spec, indexes=tuple(spec for spec in state.spec.indexes if spec.name != index)
    )
    gone = state.resources.pop(index)
    world._count_reserved(gone.reserved, Units(0, 0))
    world._free_slots.append(gone.first_slot)


def _index_spec(index: str, units: int) -> IndexSpec:
    return IndexSpec(
        name=index,
        key=KeySchema(index),
        projection="ALL",
        projected=None,
        units=Units(units, units),
    )
