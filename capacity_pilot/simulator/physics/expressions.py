"""DynamoDB's expressions, parsed and evaluated by moto: the one place that imports it.

moto's parsers cover the grammar with AWS's messages and are kept by others; its errors become
ours here. Its storage is not used (see ``store``). Names and values a request declares but does
not use are not refused, unlike on AWS.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.dynamodb.comparisons import ConditionExpressionParser, IncorrectOperandType
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.dynamo_type import Item as MotoItem
from moto.dynamodb.parsing.executors import UpdateExpressionExecutor
from moto.dynamodb.parsing.expressions import UpdateExpressionParser  # type: ignore[attr-defined]
from moto.dynamodb.parsing.key_condition_expression import parse_expression
from moto.dynamodb.parsing.validators import UpdateExpressionValidator

from capacity_pilot.simulator.physics.refusals import RefusedError, invalid
from capacity_pilot.simulator.physics.sizes import Item
from capacity_pilot.simulator.physics.tables import KeySchema, TableSpec

_UNUSED_KEY = DynamoType({"S": ""})
_PATH_STEP = re.compile(r"^(?P<name>[^\[\]]+)(?P<positions>(\[\d+\])*)$")


@dataclass(frozen=True, slots=True)
class Placeholders:
    """A request's ExpressionAttributeNames and ExpressionAttributeValues."""

    names: Mapping[str, str]
    values: Mapping[str, Any]

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> Placeholders:
        return cls(
            request.get("ExpressionAttributeNames") or {},
            request.get("ExpressionAttributeValues") or {},
        )


class Condition:
    """A ConditionExpression or FilterExpression, parsed once."""

    def __init__(self, text: str, placeholders: Placeholders, *, kind: str) -> None:
        if not text.strip():
            raise invalid(f"Invalid {kind}: The expression can not be empty;")
        with _translating(kind):
            parser = ConditionExpressionParser(
                text, dict(placeholders.names), dict(placeholders.values)
            )
            self._holds = parser.parse()
        self._kind = kind

    def holds(self, item: Item | None) -> bool:
        """Whether it is true of an item; ``None`` is an item that does not exist."""
        try:
            return bool(self._holds.expr(None if item is None else _to_moto(item)))
        except IncorrectOperandType as error:
            raise invalid(f"Invalid {self._kind}: {error}") from error
        except (TypeError, ValueError):
            # What moto does for operands that are absent or not comparable: AWS says "false".
            return False


def apply_update(
    text: str, item: Item, placeholders: Placeholders, *, spec: TableSpec
) -> dict[str, Any]:
    """The item after an UpdateExpression; ``item`` holds at least its key and is not changed."""
    if not text.strip():
        raise invalid("Invalid UpdateExpression: The expression can not be empty;")
    key_names = list(spec.key.names)
    table: Any = SimpleNamespace(
        table_key_attrs=key_names,
        attribute_keys=key_names,
        attr=[{"AttributeName": n, "AttributeType": t} for n, t in spec.attribute_types],
    )
    names = dict(placeholders.names)
    with _translating("UpdateExpression"):
        # moto changes sets in place, and would reach into the stored item.
        updated = _to_moto(deepcopy(item))
        tree = UpdateExpressionValidator(
            UpdateExpressionParser.make(text.strip()),
            expression_attribute_names=names,
            expression_attribute_values=dict(placeholders.values),
            item=updated,
            table=table,
        ).validate()
        tree.normalize()
        UpdateExpressionExecutor(tree, updated, names).execute()
    return {name: _from_moto(value) for name, value in updated.attrs.items()}


@dataclass(frozen=True, slots=True)
class KeyCondition:
    """A KeyConditionExpression: the partition's value, and what the sort key must satisfy.

    ``comparison`` is ``=``, ``<``, ``<=``, ``>``, ``>=``, ``BETWEEN`` or ``BEGINS_WITH``.
    """

    partition: Mapping[str, Any]
    comparison: str | None = None
    operands: tuple[Mapping[str, Any], ...] = ()


def parse_key_condition(text: str, placeholders: Placeholders, key: KeySchema) -> KeyCondition:
    """Raises the ValidationException of a condition that does not fit the key."""
    schema = [{"AttributeName": key.hash_name, "KeyType": "HASH"}]
    if key.range_name is not None:
        schema.append({"AttributeName": key.range_name, "KeyType": "RANGE"})
    with _translating("KeyConditionExpression"):
        hashes, ranges, _ = parse_expression(
            text, dict(placeholders.values), dict(placeholders.names), schema
        )
    if not ranges:
        return KeyCondition(hashes[0][1])
    _, comparison, operands = ranges[0]
    return KeyCondition(hashes[0][1], comparison, tuple(operands))


def project(item: Item, text: str, names: Mapping[str, str]) -> dict[str, Any]:
    """The parts of an item a ProjectionExpression names."""
    if not text.strip():
        raise invalid("Invalid ProjectionExpression: The expression can not be empty;")
    kept: dict[str, Any] = {}
    for path in text.split(","):
        _copy_path(item, kept, _steps(path.strip(), names))
    return kept


def _steps(path: str, names: Mapping[str, str]) -> list[str | int]:
    steps: list[str | int] = []
    for part in path.split("."):
        match = _PATH_STEP.match(part.strip())
        if match is None:
            raise invalid(f'Invalid ProjectionExpression: Syntax error; token: "{part}"')
        name = match["name"]
        if name.startswith("#"):
            if name not in names:
                raise invalid(
                    "Invalid ProjectionExpression: An expression attribute name used in the "
                    f"document path is not defined; attribute name: {name}"
                )
            name = names[name]
        steps.append(name)
        steps.extend(int(position) for position in re.findall(r"\d+", match["positions"]))
    return steps


def _copy_path(source: Mapping[str, Any], target: dict[str, Any], steps: list[str | int]) -> None:
    """Copies one path; elements taken out of a list close ranks, as on AWS."""
    first, rest = str(steps[0]), steps[1:]
    if first not in source:
        return
    if not rest:
        target[first] = source[first]
        return
    if isinstance(rest[0], str):
        inner = source[first].get("M")
        if inner is not None:
            kept: dict[str, Any] = dict(target.get(first, {"M": {}})["M"])
            _copy_path(inner, kept, rest)
            if kept:
                target[first] = {"M": kept}
        return
    elements = source[first].get("L", [])
    if rest[0] < len(elements):
        element: dict[str, Any] = {}
        _copy_path({"element": elements[rest[0]]}, element, ["element", *rest[1:]])
        if element:
            target[first] = {"L": [*target.get(first, {"L": []})["L"], element["element"]]}


def _to_moto(item: Item) -> Any:
    return MotoItem(_UNUSED_KEY, None, dict(item))


def _from_moto(value: Any) -> dict[str, Any]:
    if value.type == "L":
        return {"L": [_from_moto(member) for member in value.value]}
    if value.type == "M":
        return {"M": {name: _from_moto(member) for name, member in value.value.items()}}
    content = list(value.value) if value.type in {"SS", "NS", "BS"} else value.value
    return {value.type: content}


@contextmanager
def _translating(kind: str) -> Iterator[None]:
    """moto refuses with its own errors, and with bare ones for what its parser cannot read."""
    try:
        yield
    except JsonRESTError as error:
        raise RefusedError(error.relative_error_type, error.message) from error
    except KeyError as error:
        raise invalid(
            f"Invalid {kind}: An expression attribute name or value used in the expression is "
            f"not defined: {error.args[0]}"
        ) from error
    except (AssertionError, AttributeError, NotImplementedError, TypeError, ValueError) as error:
        raise invalid(f"Invalid {kind}: Syntax error; {error}") from error
