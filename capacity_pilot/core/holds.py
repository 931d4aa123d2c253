"""What the pilot has changed of a registration, and what to give back.

A hold is kept durably *before* the first change, so that whoever comes after a crash restores what
the operator had and not what the pilot left. It remembers what the pilot asked for as well: a
minimum it never asked for was set by somebody else, and is from then on what is given back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

from capacity_pilot.core.auto_scaling import Registration
from capacity_pilot.core.errors import InputError
from capacity_pilot.core.model import Dimension, Resource, ScalableTarget

_FORMAT = 1
_REMEMBERED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One target of Application Auto Scaling that the pilot changes.

    ``minimum`` is what it was before the first change, ``None`` while it was not changed; ``asked``
    are the pilot's own, newest last. ``resumes_scale_in`` says that scale-in was not suspended.
    """

    target: ScalableTarget
    minimum: int | None = None
    asked: tuple[int, ...] = ()
    resumes_scale_in: bool = False

    def asking(self, found: Registration, minimum: int) -> Hold:
        """The hold with which another minimum is asked for, where ``found`` is registered."""
        original = found.minimum if self.minimum is None else self.minimum
        # Several are kept: what was asked earlier may show later, after an answer that was lost.
        asked = (*(a for a in self.asked if a != minimum), minimum)[-_REMEMBERED:]
        return replace(self, minimum=original, asked=asked)

    def suspending(self) -> Hold:
        """The hold with which scale-in is suspended."""
        return replace(self, resumes_scale_in=True)

    def seeing(self, found: Registration) -> Hold:
        """The hold after a minimum was seen: one that is nobody's of ours is the new original."""
        if self.minimum is None or found.minimum in (self.minimum, *self.asked):
            return self
        return replace(self, minimum=found.minimum, asked=())

    def give_back(self, found: Registration) -> Registration:
        """What is to be registered in the end: only what is still the pilot's is taken back.

        Never a minimum above the maximum, which somebody may have lowered: AWS would refuse it.
        """
        suspension = found.suspension
        if self.resumes_scale_in:
            suspension = replace(suspension, scale_in=False)
        minimum = found.minimum
        if self.minimum is not None and minimum in self.asked:
            minimum = min(self.minimum, found.maximum)
        return replace(found, minimum=minimum, suspension=suspension)


def encode_holds(holds: Iterable[Hold]) -> bytes:
    """Holds as a document of the journal."""
    kept = [
        {
            "table": hold.target.resource.table,
            "index": hold.target.resource.index,
            "dimension": hold.target.dimension.label,
            "minimum": hold.minimum,
            "asked": list(hold.asked),
            "resumes_scale_in": hold.resumes_scale_in,
        }
        for hold in holds
    ]
    return json.dumps({"format": _FORMAT, "holds": kept}).encode()


def decode_holds(content: bytes) -> tuple[Hold, ...]:
    """Raises ``InputError`` for what cannot be read: what to give back is not known then."""
    try:
        document = json.loads(content)
        if document["format"] != _FORMAT:
            raise InputError(f"holds have format {document['format']}, this release {_FORMAT}")
        return tuple(
            Hold(
                target=ScalableTarget(
                    Resource(kept["table"], kept["index"]), Dimension[kept["dimension"].upper()]
                ),
                minimum=kept["minimum"],
                asked=tuple(kept["asked"]),
                resumes_scale_in=kept["resumes_scale_in"],
            )
            for kept in document["holds"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"holds are damaged: {type(error).__name__}: {error}") from error
