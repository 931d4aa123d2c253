"""How many calls one span stands for.

Consistent probability samplers record their rejection threshold in ``tracestate`` as
``ot=th:<1-14 hex digits>``: the digits, padded right with zeros to 14, are T of 2^56 and the
span was kept with probability (2^56 - T) / 2^56 (OpenTelemetry specification, "TraceState:
Probability Sampling"). Older ratio samplers leave no trace of what they did.
"""

from __future__ import annotations

import re
from functools import lru_cache

_THRESHOLD = re.compile(r"[0-9a-f]{1,14}")
_SPACE = 1 << 56

MAX_ADJUSTED_COUNT = 65_536.0
"""One span may not claim to stand for more calls: beyond it, noise would size tables."""


_MAX_CACHED_BYTES = 512
"""What every propagator has to carry of ``tracestate`` (W3C Trace Context, section 3.3.1.5)."""


def adjusted_count(trace_state: bytes) -> float | None:
    """Calls the span stands for; ``None`` if no threshold is recorded.

    Raises ``ValueError`` for a threshold that cannot be read or is implausibly high.
    """
    if len(trace_state) > _MAX_CACHED_BYTES:
        return _read_count(trace_state)
    return _recall_count(trace_state)


def _read_count(trace_state: bytes) -> float | None:
    threshold = _find_threshold(trace_state.decode("ascii", "replace"))
    if threshold is None:
        return None
    if not _THRESHOLD.fullmatch(threshold):
        msg = f"tracestate threshold must be 1-14 hex digits, not {threshold[:40]!r}"
        raise ValueError(msg)
    count = _SPACE / (_SPACE - int(threshold.ljust(14, "0"), 16))
    if count > MAX_ADJUSTED_COUNT:
        msg = f"tracestate threshold {threshold!r} means {count:.3g} calls per span"
        raise ValueError(f"{msg}, more than {MAX_ADJUSTED_COUNT:.0f}")
    return count


_recall_count = lru_cache(maxsize=4096)(_read_count)


def _find_threshold(trace_state: str) -> str | None:
    for member in trace_state.split(","):
        vendor, _, values = member.strip().partition("=")
        if vendor != "ot":
            continue
        for pair in values.split(";"):
            key, colon, value = pair.partition(":")
            if key == "th" and colon:
                return value
    return None
