"""One DynamoDB call as its span's attributes describe it, whichever dialect wrote them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from capacity_pilot.adapters.otlp.attributes import Fact, Slot
from capacity_pilot.adapters.otlp.capacity import Consumed, Parts, Stated, state
from capacity_pilot.adapters.otlp.estimate import Shape, consistency_factor
from capacity_pilot.adapters.otlp.names import NameRegistry, check_name, parse_table
from capacity_pilot.adapters.otlp.operations import (
    BATCH_ALIASES,
    DATA_PLANE,
    Operation,
)
from capacity_pilot.core.model import Dimension
from capacity_pilot.core.throttling import Cause


class Reading(Enum):
    """Whether a call is demand, or else the counter that says why not."""

    DEMAND = "demand"
    FOREIGN = "foreign"  # not a DynamoDB call; not counted
    UNDECIDED = "undecided"  # the span's name has to tell, then it is one of the others
    CONTROL_PLANE = "control_plane"
    WITHOUT_OPERATION = "without_operation"
    WITHOUT_TABLE = "without_table"
    WITHOUT_DIMENSION = "without_dimension"
    INVALID_NAME = "invalid_names"
    OVER_BOUND = "over_bound"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Call:
    """What equal attributes share; compared by identity, since a memo hands out one per shape.

    ``dimension`` is ``None`` only where ``stated`` tells it, or for calls that are no demand.
    ``stated`` is empty when the span states no capacity, and its ``parts`` are ``None`` only
    where table and indexes share a total in ways the span does not say. ``index`` is ``""``
    unless a read names one. ``causes`` are reasons for refusals, of the call or of attempts before
    it, that the application has added. ``limit`` is the most items a query or scan asked for, 1
    if unsaid.

    The rest is worked out once for all spans that share the call. ``lessons`` are what
    ``stated`` teaches, in eventual reads. ``charges`` are the call's demand as (table, index,
    dimension, units), empty if some has to be estimated or a retry to be counted.
    """

    reading: Reading
    operation: Operation | None = None
    operation_name: str = ""
    dimension: Dimension | None = None
    tables: tuple[str, ...] = ()
    index: str = ""
    is_consistent: bool = False
    limit: int = 1
    stated: tuple[Stated, ...] = ()
    has_malformed_capacity: bool = False
    retries: int = 0
    http_status: int | None = None
    error_type: str | None = None
    causes: tuple[Cause, ...] = ()
    hints_at_failure: bool = False
    lessons: tuple[tuple[Shape, float, Parts | None], ...] = ()
    charges: tuple[tuple[str, str, int, float], ...] = ()


FOREIGN = Call(reading=Reading.FOREIGN)
_UNDECIDED = Call(reading=Reading.UNDECIDED)

# Attributes only DynamoDB calls have, though they do not say so in so many words.
_HINTS = frozenset((Slot.XRAY_OPERATION, Slot.TABLES, Slot.INDEX, Slot.CAPACITY))


def describe_call(
    facts: Iterable[Fact], names: NameRegistry, *, span_name: str | None = None
) -> Call:
    """Reads a call out of a span's facts.

    Some spans have no more than their name to say that they are DynamoDB's, or which
    operation they are: those converted from X-Ray, and Python's when its composite sampler
    has dropped what was set at the start. Those are ``UNDECIDED`` until ``span_name`` is
    given. A call whose names cannot be or may not be kept has a reading that says so.
    """
    found: dict[Enum, Any] = {}
    is_dynamodb = False
    for fact in facts:
        if fact.slot is Slot.IS_DYNAMODB:
            is_dynamodb |= fact.value
        else:
            found[fact.slot] = fact.value
    service, named_operation = _split_name(span_name or "")
    method, has_prefix = _strip_service(found.get(Slot.METHOD, ""))
    if not is_dynamodb and not has_prefix and service != "dynamodb":
        is_hinted = span_name is None and not _HINTS.isdisjoint(found)
        return _UNDECIDED if is_hinted else FOREIGN
    name = method or found.get(Slot.XRAY_OPERATION) or found.get(Slot.DB_OPERATION, "")
    name = BATCH_ALIASES.get(name, name) or named_operation
    if not name:
        reading = Reading.UNDECIDED if span_name is None else Reading.WITHOUT_OPERATION
        return Call(reading=reading)
    operation = DATA_PLANE.get(name)
    if operation is None:
        return Call(reading=Reading.CONTROL_PLANE)
    try:
        call = _describe_demand(operation, found)
    except ValueError:
        return Call(reading=Reading.INVALID_NAME)
    return call if _are_admitted(call, names) else Call(reading=Reading.OVER_BOUND)


def _split_name(span_name: str) -> tuple[str, str]:
    """Service and operation of ``DynamoDB.GetItem`` or plain ``DynamoDB``."""
    service, _, operation = span_name.partition(".")
    return service.lower(), operation


def _strip_service(method: str) -> tuple[str, bool]:
    """Since semantic conventions 1.39 ``rpc.method`` may carry the service: DynamoDB/GetItem."""
    service, slash, operation = method.partition("/")
    if slash and service.lower() == "dynamodb":
        return operation, True
    return method, False


def _describe_demand(operation: Operation, found: dict[Enum, Any]) -> Call:
    tables, index = _name_target(operation, found)
    dimension = operation.dimension
    if dimension is None:
        dimension = found.get(Slot.STATEMENT_DIMENSION)
    consumed: tuple[Consumed, ...] | None = found.get(Slot.CAPACITY, ())
    sole_table = tables[0] if len(tables) == 1 else None
    stated = tuple(_state_all(consumed or (), dimension=dimension, sole_table=sole_table))
    if operation.dimension is Dimension.READ and not index:
        stated = tuple(_settle(each) for each in stated)
    retries, http_status = found.get(Slot.RETRIES, 0), found.get(Slot.HTTP_STATUS)
    error_type = found.get(Slot.ERROR_TYPE)
    is_consistent = found.get(Slot.IS_CONSISTENT, False)
    tables = tables or tuple(dict.fromkeys(s.table for s in stated))
    reading = Reading.DEMAND
    if not tables and not any(c.table for c in consumed or ()):
        reading = Reading.WITHOUT_TABLE
    elif dimension is None and not stated:
        reading = Reading.WITHOUT_DIMENSION
    return Call(
        reading=reading,
        operation=operation,
        operation_name=operation.name,
        dimension=dimension,
        tables=tables,
        index=index,
        is_consistent=is_consistent,
        limit=found.get(Slot.LIMIT, 1) if operation.is_indexed_read else 1,
        stated=stated,
        has_malformed_capacity=consumed is None,
        retries=retries,
        http_status=http_status,
        error_type=error_type,
        causes=found.get(Slot.REASONS, ()),
        hints_at_failure=error_type is not None or (http_status or 0) >= 400,
        lessons=tuple(_teach(stated, operation, index, is_consistent=is_consistent)),
        charges=() if retries else tuple(_charge_all(stated, index)),
    )


def _name_target(operation: Operation, found: dict[Enum, Any]) -> tuple[tuple[str, ...], str]:
    """Tables, and the index that serves the read. An index ARN names both."""
    named = found.get(Slot.TABLES) or found.get(Slot.TABLE_FALLBACK) or ()
    parsed = [parse_table(name) for name in named]
    index = found.get(Slot.INDEX, "")
    if index:
        check_name(index)
    elif len(parsed) == 1:
        index = parsed[0][1]
    tables = tuple(dict.fromkeys(table for table, _ in parsed))
    return tables, index if operation.is_indexed_read and len(tables) == 1 else ""


def _state_all(
    consumed: Iterable[Consumed], *, dimension: Dimension | None, sole_table: str | None
) -> Iterable[Stated]:
    for element in consumed:
        table = element.table or sole_table
        if table is None:
            continue
        dimensions = element.dimensions or (() if dimension is None else (dimension,))
        for each in dimensions:
            if (stated := state(element, table=table, dimension=each)) is not None:
                yield stated


def _settle(stated: Stated) -> Stated:
    """A read that names no index is the table's alone."""
    return stated if stated.parts is not None else stated._replace(parts=(("", stated.units),))


def _teach(
    stated: Iterable[Stated], operation: Operation, index: str, *, is_consistent: bool
) -> Iterable[tuple[Shape, float, Parts | None]]:
    factor = consistency_factor(is_consistent=is_consistent)
    for table, dimension, units, parts in stated:
        yield Shape(table, index, operation.name, dimension), units / factor, parts


def _charge_all(stated: tuple[Stated, ...], index: str) -> Iterable[tuple[str, str, int, float]]:
    if any(each.parts is None for each in stated):
        return
    for table, dimension, _, parts in stated:
        for charged, units in parts or ((index, 0.0),):
            yield table, charged, int(dimension), units


def _are_admitted(call: Call, names: NameRegistry) -> bool:
    pairs = [(table, call.index) for table in call.tables]
    pairs += [(cause.table, cause.index) for cause in call.causes if cause.table]
    for stated in call.stated:
        pairs.append((stated.table, ""))
        pairs.extend((stated.table, index) for index, _ in stated.parts or () if index)
    return all(names.admit(table, index) for table, index in pairs)
