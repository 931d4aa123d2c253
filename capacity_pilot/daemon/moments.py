"""Moments as people read them."""

from __future__ import annotations

from datetime import UTC, datetime


def render_time(at: float) -> str:
    """``2026-01-05T08:00:00Z``."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
