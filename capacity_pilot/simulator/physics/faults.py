"""Failures on order, so that tests see what the real network and the real AWS do now and then."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from capacity_pilot.core.errors import InputError

_MOST_FAULTS: Final = 1000
_LONGEST_HANG_SECONDS: Final = 60.0


class Manner(StrEnum):
    """How the failing call ends for its caller."""

    ERROR = "error"  # an error response with the fault's code
    DISCONNECT = "disconnect"  # the connection closes without an answer
    HANG = "hang"  # no answer for hang_seconds, then the connection closes


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One call of ``operation`` fails; with ``takes_effect`` it is carried out all the same."""

    operation: str
    manner: Manner = Manner.ERROR
    code: str = "InternalServerError"
    message: str = "The request could not be completed because of a fault on order."
    takes_effect: bool = False
    hang_seconds: float = _LONGEST_HANG_SECONDS

    def __post_init__(self) -> None:
        if not 0 <= self.hang_seconds <= _LONGEST_HANG_SECONDS:
            raise InputError(
                f"hang_seconds is {self.hang_seconds}; it must be 0 to {_LONGEST_HANG_SECONDS}"
            )

    @property
    def status(self) -> int:
        return 500 if self.code == "InternalServerError" else 400


class Faults:
    """Faults waiting for their calls, in the order they were given."""

    def __init__(self) -> None:
        self._waiting: deque[Fault] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def order(self, fault: Fault, *, count: int = 1) -> None:
        """Makes the next ``count`` calls of the fault's operation fail."""
        if not 0 < count <= _MOST_FAULTS - len(self._waiting):
            raise InputError(
                f"{count} faults on top of {len(self._waiting)}; it must be 1 or more, "
                f"and {_MOST_FAULTS} at most together"
            )
        self._waiting.extend([fault] * count)

    def take(self, operation: str) -> Fault | None:
        """The fault this call meets, which is then used up."""
        for fault in self._waiting:
            if fault.operation == operation:
                self._waiting.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        self._waiting.clear()


def read_fault(order: dict[str, Any]) -> tuple[Fault, int]:
    """A fault and its count, as ``POST /_physics/faults`` takes them."""
    fields = dict(order)
    count = fields.pop("count", 1)
    if not isinstance(count, int) or isinstance(count, bool):
        raise InputError(f"count is {count!r:.80}; it must be a whole number")
    try:
        manner = Manner(fields.pop("manner", Manner.ERROR))
        return Fault(manner=manner, **fields), count
    except (TypeError, ValueError) as error:
        raise InputError(f"not a fault: {order!r:.200}: {error}") from error
