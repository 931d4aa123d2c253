"""One stream of random numbers per purpose, so that more of one never shifts another."""

from __future__ import annotations

import zlib

import numpy as np


def stream_of(seed: int, purpose: str, *, table: int | None = None) -> np.random.Generator:
    """The app's stream for a purpose, or one table's own."""
    key = zlib.crc32(purpose.encode())
    return np.random.default_rng([seed, key] if table is None else [seed, key, table + 1])
