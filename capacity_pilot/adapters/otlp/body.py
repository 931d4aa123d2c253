"""Request bodies: inflated as they arrive, never beyond a stated size."""

from __future__ import annotations

import zlib

from capacity_pilot.core.errors import TelemetryError

# zlib's window argument: 31 reads a gzip member, 15 a zlib stream, which is what HTTP's
# "deflate" means (RFC 9110, section 8.4.1.2). The Collector calls the latter "zlib" as well.
_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15, "zlib": 15}
_PLAIN = frozenset(("", "identity"))

MAX_MEMBERS = 1024
"""Concatenated gzip members in one body; each costs a fresh decompressor."""


class OversizedError(TelemetryError):
    """A body beyond the stated size; the sender has to make smaller batches (answered 413)."""


class UnsupportedError(TelemetryError):
    """A content type or encoding that is not spoken here (answered 415)."""


class BodyReader:
    """Collects a body chunk by chunk, inflating it within the bound.

    Raises ``UnsupportedError`` for an encoding it does not know.
    """

    def __init__(self, encoding: str, *, max_bytes: int) -> None:
        encoding = encoding.strip().lower()
        if encoding not in _PLAIN and encoding not in _WINDOWS:
            msg = f"Content-Encoding {encoding[:40]!r} is not supported; use gzip, deflate or none"
            raise UnsupportedError(msg)
        self._window = _WINDOWS.get(encoding)
        self._inflator = zlib.decompressobj(self._window) if self._window else None
        self._members = 1
        self._max_bytes = max_bytes
        self._received_bytes = 0
        self._size = 0
        self._chunks: list[bytes] = []

    def feed(self, chunk: bytes) -> None:
        """Raises ``OversizedError`` past the bound, before or after inflating, and
        ``TelemetryError`` if the compression is damaged.
        """
        self._received_bytes += len(chunk)
        if self._received_bytes > self._max_bytes:
            msg = f"request body exceeds {self._max_bytes} bytes as sent"
            raise OversizedError(msg)
        if self._inflator is None:
            self._keep(chunk)
            return
        try:
            self._inflate(chunk)
        except zlib.error as error:
            msg = f"compressed body is damaged after {self._received_bytes} bytes: {error}"
            raise TelemetryError(msg) from error

    def finish(self) -> bytes:
        """The whole body. Raises ``TelemetryError`` if its compression ends early."""
        if self._inflator is not None and not self._inflator.eof:
            msg = f"compressed body ends early, after {self._received_bytes} bytes"
            raise TelemetryError(msg)
        return b"".join(self._chunks)

    def _inflate(self, chunk: bytes) -> None:
        while chunk and self._inflator is not None:
            if self._inflator.eof:
                self._begin_member()
            # One byte more than allowed is asked for, so that a bomb shows without going off.
            self._keep(self._inflator.decompress(chunk, self._max_bytes - self._size + 1))
            chunk = self._inflator.unconsumed_tail or self._inflator.unused_data

    def _begin_member(self) -> None:
        self._members += 1
        if self._window != 31 or self._members > MAX_MEMBERS:
            msg = f"bytes follow the end of the compressed body, or over {MAX_MEMBERS} members"
            raise TelemetryError(msg)
        self._inflator = zlib.decompressobj(self._window)

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._max_bytes:
            msg = f"request body exceeds {self._max_bytes} bytes decompressed"
            raise OversizedError(msg)
        self._chunks.append(piece)
