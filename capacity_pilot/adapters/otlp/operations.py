"""Which DynamoDB operations consume capacity, and in which dimension."""

from __future__ import annotations

from dataclasses import dataclass

from capacity_pilot.core.model import Dimension


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A data-plane operation.

    ``dimension`` is ``None`` for PartiQL, whose statement decides. ``is_indexed_read`` marks
    reads that may be served by an index, ``is_transactional`` those that cost twice
    (developer guide, "Read/write capacity mode").
    """

    name: str
    dimension: Dimension | None
    is_transactional: bool = False
    is_indexed_read: bool = False


_READ, _WRITE = Dimension.READ, Dimension.WRITE

DATA_PLANE: dict[str, Operation] = {
    operation.name: operation
    for operation in (
        Operation(name="GetItem", dimension=_READ),
        Operation(name="BatchGetItem", dimension=_READ),
        Operation(name="Query", dimension=_READ, is_indexed_read=True),
        Operation(name="Scan", dimension=_READ, is_indexed_read=True),
        Operation(name="TransactGetItems", dimension=_READ, is_transactional=True),
        Operation(name="PutItem", dimension=_WRITE),
        Operation(name="UpdateItem", dimension=_WRITE),
        Operation(name="DeleteItem", dimension=_WRITE),
        Operation(name="BatchWriteItem", dimension=_WRITE),
        Operation(name="TransactWriteItems", dimension=_WRITE, is_transactional=True),
        Operation(name="ExecuteStatement", dimension=None),
        Operation(name="BatchExecuteStatement", dimension=None),
        Operation(name="ExecuteTransaction", dimension=None, is_transactional=True),
    )
}

BATCH_ALIASES = {
    # Java's opt-in database conventions rewrite the operation of BatchWriteItem.
    "BATCH": "BatchWriteItem",
    "BATCH PutItem": "BatchWriteItem",
    "BATCH DeleteItem": "BatchWriteItem",
}

_STATEMENT_DIMENSIONS = {"SELECT": _READ, "INSERT": _WRITE, "UPDATE": _WRITE, "DELETE": _WRITE}


def dimension_of_statement(verb: str) -> Dimension | None:
    """The dimension of a PartiQL statement by its first word, ``None`` if that says nothing."""
    return _STATEMENT_DIMENSIONS.get(verb.upper())
