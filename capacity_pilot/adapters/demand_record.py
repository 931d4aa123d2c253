"""An hour of demand by the second, as the journal keeps it, and tables' tags: to try other policies
on.

A document for each hour of the day, so that a day is kept and the journal does not grow. Half
precision: three digits, which is more than is known of demand.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.matching import Tags
from capacity_pilot.core.model import Dimension, Resource, ScalableTarget

HOUR_S: Final = 3600
DOCUMENTS: Final = tuple(f"demand-{hour:02}" for hour in range(24))
"""One for each hour of the day."""

TAGS: Final = "tags"
"""The document of tags, of those tables of which they were read."""

_MOST: Final = 65_000.0
"""What half precision holds; targets with more are kept divided by what brings them below."""

Seconds = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class HourOfDemand:
    """``units`` are (HOUR_S,) per second from Unix second ``start`` on, NaN where not known."""

    start: int
    units: Mapping[ScalableTarget, Seconds]

    @property
    def document(self) -> str:
        """Where it is kept, in the place of the same hour of the day before."""
        return DOCUMENTS[self.start // HOUR_S % 24]


def encode_hour(hour: HourOfDemand) -> bytes:
    """About 5 kB for each busy target."""
    targets = list(hour.units)
    matrix = np.array([hour.units[t] for t in targets], dtype=np.float32).reshape(-1, HOUR_S)
    known = np.where(np.isnan(matrix), 0.0, matrix)
    scale = np.maximum(known.max(axis=1, initial=0.0) / _MOST, 1.0)
    file = io.BytesIO()
    np.savez_compressed(
        file,
        start=np.array(hour.start),
        tables=np.array([t.resource.table for t in targets], dtype=np.str_),
        indexes=np.array([t.resource.index for t in targets], dtype=np.str_),
        dimensions=np.array([int(t.dimension) for t in targets], dtype=np.int8),
        scale=scale,
        units=(matrix / scale[:, None]).astype(np.float16),
    )
    return file.getvalue()


def decode_hour(content: bytes) -> HourOfDemand:
    """Raises ``InputError`` for what ``encode_hour`` did not make."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            units = file["units"].astype(np.float32) * file["scale"].astype(np.float32)[:, None]
            names = zip(file["tables"], file["indexes"], file["dimensions"], strict=True)
            targets = [
                ScalableTarget(Resource(str(table), str(index)), Dimension(int(dimension)))
                for table, index, dimension in names
            ]
            if units.shape[1:] != (HOUR_S,):
                raise InputError(f"an hour of demand has {units.shape[1:]} seconds")
            return HourOfDemand(int(file["start"]), dict(zip(targets, units, strict=True)))
    except (OSError, ValueError, KeyError, EOFError, IndexError, zipfile.BadZipFile) as error:
        raise InputError(f"no hour of demand: {error}") from error


def encode_tags(tags: Mapping[str, Tags]) -> bytes:
    """Tags by table."""
    return json.dumps({table: dict(own) for table, own in tags.items()}, sort_keys=True).encode()


def decode_tags(content: bytes) -> dict[str, Tags]:
    """Raises ``InputError`` for what ``encode_tags`` did not make."""
    try:
        kept = json.loads(content)
        return {
            str(table): {str(key): str(value) for key, value in own.items()}
            for table, own in kept.items()
        }
    except (ValueError, AttributeError) as error:
        raise InputError(f"no tags of tables: {error}") from error
