"""What items weigh and what requests cost (AWS developer guide, "Capacity units", item sizes).

Items are in DynamoDB's JSON: ``{"name": {"S": "value"}}``. An item weighs its attribute names
and values; a number about a byte per two significant digits and one more; a list or map 3 bytes
and one per element.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from capacity_pilot.simulator.physics.refusals import invalid

Item = Mapping[str, Mapping[str, Any]]

READ_UNIT_BYTES: Final = 4096
WRITE_UNIT_BYTES: Final = 1024
LARGEST_ITEM_BYTES: Final = 400 * 1024
_CONTAINER_BYTES: Final = 3
_DEEPEST_NESTING: Final = 32


def read_units(size: int, *, consistent: bool) -> float:
    """RCU of a read of ``size`` bytes; a missing item (0 bytes) costs as much as a small one."""
    units = float(max(math.ceil(size / READ_UNIT_BYTES), 1))
    return units if consistent else units / 2


def write_units(*sizes: int) -> float:
    """WCU of a write whose item weighed or weighs ``sizes`` bytes: the largest counts."""
    return float(max(math.ceil(max(sizes, default=0) / WRITE_UNIT_BYTES), 1))


def index_write_units(
    *,
    before: int | None,
    after: int | None,
    is_moved: bool,
    is_changed: bool,
) -> float:
    """WCU a table's write costs one index, given its entry's bytes (``None``: not indexed).

    ``is_moved``: the index key changed, so that the entry is deleted and put again; ``is_changed``:
    some projected attribute changed.
    """
    if before is None or after is None:
        present = before if after is None else after
        return 0.0 if present is None else write_units(present)
    if is_moved:
        return write_units(before) + write_units(after)
    return write_units(before, after) if is_changed else 0.0


def item_bytes(item: Item) -> int:
    """Bytes of a whole item; raises the ValidationException of a malformed attribute value."""
    return sum(len(name.encode()) + _value_bytes(value, nesting=0) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any], *, nesting: int) -> int:
    if not isinstance(value, Mapping) or len(value) != 1:
        raise invalid(
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
        )
    if nesting > _DEEPEST_NESTING:
        raise invalid("Nesting Levels have exceeded supported limits")
    kind, content = next(iter(value.items()))
    match kind, content:
        case "S", str():
            size = len(content.encode())
        case "N", str():
            size = number_bytes(content)
        case "B", str():
            size = len(decode_binary(content))
        case (("BOOL" | "NULL"), bool()):
            size = 1
        case "M", dict():
            size = _CONTAINER_BYTES + sum(
                1 + len(name.encode()) + _value_bytes(member, nesting=nesting + 1)
                for name, member in content.items()
            )
        case "L", list():
            size = _CONTAINER_BYTES + sum(
                1 + _value_bytes(member, nesting=nesting + 1) for member in content
            )
        case (("SS" | "NS" | "BS"), [_, *_]):
            size = sum(_value_bytes({kind[0]: member}, nesting=nesting) for member in content)
        case (("SS" | "NS" | "BS"), []):
            raise invalid("One or more parameter values were invalid: An set  may not be empty")
        case _:
            raise invalid(f"Supplied AttributeValue is not valid: datatype {kind!r}")
    return size


def number_bytes(text: str) -> int:
    """Bytes of a number: a byte per two significant digits, and one."""
    digits = "".join(map(str, parse_number(text).as_tuple().digits)).strip("0")
    if len(digits) > 38:
        raise invalid("Attempting to store more than 38 significant digits in a Number")
    return math.ceil(len(digits) / 2) + 1


def parse_number(text: str) -> Decimal:
    """The value of an ``N`` attribute."""
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise invalid(f"The parameter cannot be converted to a numeric value: {text}") from error
    if not number.is_finite():
        raise invalid(f"The parameter cannot be converted to a numeric value: {text}")
    return number


def decode_binary(text: str) -> bytes:
    """The bytes of a ``B`` attribute."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid(f"Invalid base64 in a binary attribute value: {error}") from error
