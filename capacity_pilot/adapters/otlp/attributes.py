"""Span attributes, recognised by their bytes and decoded once.

A service repeats nearly all attributes of its DynamoDB spans word for word, so an attribute's
encoded bytes are looked up before they are parsed. What is unique to each call (request ids)
is irrelevant here and recognised by its key alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any, Final

from capacity_pilot.adapters.otlp.capacity import Consumed, parse_capacity
from capacity_pilot.adapters.otlp.operations import dimension_of_statement
from capacity_pilot.adapters.otlp.throttle_reasons import find_causes
from capacity_pilot.adapters.otlp.wire import AnyValue, KeyValue
from capacity_pilot.core.model import Dimension
from capacity_pilot.core.throttling import Cause


class Slot(Enum):
    """What an attribute tells, whichever name its dialect gives it."""

    __hash__ = object.__hash__  # members are single; Enum's own hash runs in Python

    IS_DYNAMODB = auto()
    METHOD = auto()
    DB_OPERATION = auto()
    XRAY_OPERATION = auto()
    TABLES = auto()
    TABLE_FALLBACK = auto()
    INDEX = auto()
    IS_CONSISTENT = auto()
    LIMIT = auto()
    CAPACITY = auto()
    RETRIES = auto()
    HTTP_STATUS = auto()
    ERROR_TYPE = auto()
    STATEMENT_DIMENSION = auto()
    REASONS = auto()


_SLOTS: dict[bytes, Slot] = {
    b"db.system": Slot.IS_DYNAMODB,
    b"db.system.name": Slot.IS_DYNAMODB,
    b"rpc.service": Slot.IS_DYNAMODB,
    b"rpc.method": Slot.METHOD,
    b"db.operation": Slot.DB_OPERATION,
    b"db.operation.name": Slot.DB_OPERATION,
    b"aws.operation": Slot.XRAY_OPERATION,  # the Collector's X-Ray receiver
    b"aws.dynamodb.table_names": Slot.TABLES,
    b"aws.table_name": Slot.TABLES,  # .NET before 1.28, X-Ray receiver
    b"aws.table.name": Slot.TABLES,
    b"db.collection.name": Slot.TABLE_FALLBACK,
    b"db.namespace": Slot.TABLE_FALLBACK,  # Node says the table here
    b"db.name": Slot.TABLE_FALLBACK,
    b"aws.dynamodb.index_name": Slot.INDEX,
    b"aws.dynamodb.consistent_read": Slot.IS_CONSISTENT,
    b"aws.dynamodb.limit": Slot.LIMIT,
    b"aws.dynamodb.consumed_capacity": Slot.CAPACITY,
    b"retry_attempts": Slot.RETRIES,  # botocore, aiobotocore
    b"aws.xray.retries": Slot.RETRIES,
    b"http.status_code": Slot.HTTP_STATUS,
    b"http.response.status_code": Slot.HTTP_STATUS,
    b"error.type": Slot.ERROR_TYPE,
    b"db.statement": Slot.STATEMENT_DIMENSION,
    b"db.query.text": Slot.STATEMENT_DIMENSION,
    b"aws.dynamodb.throttling_reasons": Slot.REASONS,  # set by applications, see the README
}

_SYSTEMS = frozenset(("dynamodb", "aws.dynamodb"))

MAX_RETRIES = 1000
MAX_TABLES_PER_CALL = 100
"""Batches and transactions name at most 100 items (API reference), so no more tables."""

_MAX_CACHED_BYTES = 1024
_MAX_VALUES_PER_KEY = 64
_MAX_COUNTED_KEYS = 1024


class Fact:
    """One decoded attribute. Equal bytes give the identical fact while the memo keeps them."""

    __slots__ = ("slot", "value")

    def __init__(self, slot: Enum, value: Any) -> None:
        self.slot = slot
        self.value = value


Readers = Mapping[bytes, tuple[Enum, Callable[[AnyValue], Any]]]
"""By attribute key: what it tells, and how its value is read. May raise ``ValueError``."""


class AttributeMemo(dict[bytes, Fact | None]):
    """Encoded KeyValue to fact, ``None`` for an attribute that tells nothing.

    Indexing decodes what is not known yet and raises ``ValueError`` or ``DecodeError`` for a
    relevant attribute that cannot be read. Bounded: the owner empties it by ``forget``
    when ``is_full``.
    """

    def __init__(self, *, max_entries: int, readers: Readers | None = None) -> None:
        super().__init__()
        self._max_entries = max_entries
        self._readers = DYNAMODB_READERS if readers is None else readers
        self._facts: dict[tuple[Enum, Any], Fact] = {}
        self._values_per_key: dict[bytes, int] = {}
        self._varied_keys: set[bytes] = set()

    @property
    def is_full(self) -> bool:
        return len(self) >= self._max_entries

    def forget(self) -> None:
        self.clear()
        self._facts.clear()
        self._values_per_key.clear()
        self._varied_keys.clear()

    def __missing__(self, raw: bytes) -> Fact | None:
        # Encoders put the key first: tag 0x0A, a length below 128, the key itself.
        key = raw[2 : 2 + raw[1]] if len(raw) > 1 else b""
        if key in self._varied_keys:
            return None
        if not _is_leading_key(key, raw):
            key = KeyValue.FromString(raw).key
        reader = self._readers.get(key)
        if reader is None:
            if self._is_worth_keeping(key, raw):
                self[raw] = None
            return None
        slot, read = reader
        fact = self._intern(slot, read(KeyValue.FromString(raw).value))
        if len(raw) <= _MAX_CACHED_BYTES:
            self[raw] = fact
        return fact

    def _intern(self, slot: Enum, value: Any) -> Fact:
        """One fact per value where many attributes tell the same, as statements do."""
        if slot is not Slot.STATEMENT_DIMENSION:
            return Fact(slot, value)
        return self._facts.setdefault((slot, value), Fact(slot, value))

    def _is_worth_keeping(self, key: bytes, raw: bytes) -> bool:
        """False for long values and for keys whose values keep changing, such as request ids."""
        if len(raw) > _MAX_CACHED_BYTES:
            return False
        seen = self._values_per_key.get(key, 0)
        if not seen and len(self._values_per_key) >= _MAX_COUNTED_KEYS:
            return False
        if seen >= _MAX_VALUES_PER_KEY:
            self._varied_keys.add(key)
            return False
        self._values_per_key[key] = seen + 1
        return True


def _is_leading_key(key: bytes, raw: bytes) -> bool:
    return len(raw) > 1 and raw[0] == 0x0A and raw[1] == len(key) < 0x80


def read_text(value: AnyValue) -> str:
    """Raises ``ValueError`` for anything that is no string."""
    if value.WhichOneof("value") != "string_value":
        msg = f"expected a string attribute, got {value.WhichOneof('value')}"
        raise ValueError(msg)
    return value.string_value.decode()


def _read_texts(value: AnyValue) -> tuple[str, ...]:
    if value.WhichOneof("value") == "array_value":
        return tuple(read_text(item) for item in value.array_value.values)
    return (read_text(value),)


def _read_tables(value: AnyValue) -> tuple[str, ...]:
    tables = tuple(dict.fromkeys(name for name in _read_texts(value) if name))
    if len(tables) > MAX_TABLES_PER_CALL:
        msg = f"{len(tables)} tables in one call; DynamoDB takes at most {MAX_TABLES_PER_CALL}"
        raise ValueError(msg)
    return tables


def read_whole_number(value: AnyValue) -> int:
    """Some converters turn numbers into strings."""
    if value.WhichOneof("value") == "int_value":
        return value.int_value
    return int(read_text(value)[:20])


def _read_retries(value: AnyValue) -> int:
    retries = read_whole_number(value)
    if not 0 <= retries <= MAX_RETRIES:
        msg = f"retry attempts must be within 0-{MAX_RETRIES}, not {retries}"
        raise ValueError(msg)
    return retries


def _read_limit(value: AnyValue) -> int:
    """An odd one is as good as unsaid: it only helps to estimate."""
    try:
        return max(read_whole_number(value), 1)
    except ValueError:
        return 1


def _read_flag(value: AnyValue) -> bool:
    if value.WhichOneof("value") == "bool_value":
        return value.bool_value
    return read_text(value).lower() == "true"


def _read_capacity(value: AnyValue) -> tuple[Consumed, ...] | None:
    """``None`` if it cannot be read: the call took place all the same."""
    texts = _read_texts(value)
    if len(texts) > MAX_TABLES_PER_CALL:
        return None
    try:
        return parse_capacity(texts)
    except ValueError:
        return None


def _read_statement(value: AnyValue) -> Dimension | None:
    """Of a PartiQL statement only what it does is kept: statements differ without end."""
    words = read_text(value).split(maxsplit=1)
    return dimension_of_statement(words[0]) if words else None


def _read_reasons(value: AnyValue) -> tuple[Cause, ...]:
    """What cannot be read is as good as unsaid, and so is what comes after the first few."""
    return find_causes(_read_texts(value)[:MAX_TABLES_PER_CALL])


_READERS = {
    Slot.IS_DYNAMODB: lambda value: read_text(value).lower() in _SYSTEMS,
    Slot.METHOD: read_text,
    Slot.DB_OPERATION: read_text,
    Slot.XRAY_OPERATION: read_text,
    Slot.TABLES: _read_tables,
    Slot.TABLE_FALLBACK: _read_tables,
    Slot.INDEX: read_text,
    Slot.IS_CONSISTENT: _read_flag,
    Slot.LIMIT: _read_limit,
    Slot.CAPACITY: _read_capacity,
    Slot.RETRIES: _read_retries,
    Slot.HTTP_STATUS: read_whole_number,
    Slot.ERROR_TYPE: read_text,
    Slot.STATEMENT_DIMENSION: _read_statement,
    Slot.REASONS: _read_reasons,
}

DYNAMODB_READERS: Final[Readers] = {key: (slot, _READERS[slot]) for key, slot in _SLOTS.items()}
