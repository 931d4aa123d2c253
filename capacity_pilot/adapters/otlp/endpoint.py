"""Where a server came to listen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Host and bound port, which is the real one also when port 0 was asked for."""

    host: str
    port: int
