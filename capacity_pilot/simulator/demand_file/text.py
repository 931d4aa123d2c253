"""CSV, plain or gzipped: read fast by NumPy; line by line only when something does not fit."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.fleet import Floats
from capacity_pilot.simulator.demand_file.columns import Columns, Limits, check_names, quote

_CHUNK_BYTES = 1 << 20
_BYTE_ORDER_MARK = "\ufeff"


def read_text_columns(path: Path, limits: Limits) -> Columns:
    """Reads CSV with a header line. Raises ``InputError`` with file and line.

    Memory while reading: the text and about 32 bytes per value.
    """
    text = _read_text(path, limits)
    names = tuple(_fields(text.readline()))
    if names == ("",):
        raise InputError(f"{path}:1: the first line is empty; it must name t_s and count")
    check_names(names, limits, place=f"{path}:1")
    return Columns(
        names=names,
        values=_parse(text, names, path),
        place=lambda row: f"{path}:{_line_of(row, text)}",
    )


def _read_text(path: Path, limits: Limits) -> io.BytesIO:
    """The whole text, decompressed, up to the limits."""
    text, lines = io.BytesIO(), 1
    try:
        with path.open("rb") as raw, _unzipped(raw, path) as file:
            while chunk := file.read(_CHUNK_BYTES):
                lines += chunk.count(b"\n")
                text.write(chunk)
                if text.tell() > limits.text_bytes:
                    raise InputError(
                        f"{path}:{lines}: the text goes on after {limits.text_bytes} bytes, the "
                        "most that is read"
                    )
                if lines > limits.rows + 2:  # the header, and nothing after the last line's end
                    raise InputError(
                        f"{path}:{limits.rows + 2}: the file goes on after {limits.rows} rows, "
                        "the most that are read"
                    )
    except EOFError as error:
        raise InputError(
            f"{path}:{lines}: the gzip data ends here, the file was cut off"
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}:{lines}: no gzip data from here on: {error}") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    text.seek(0)
    return text


def _unzipped(raw: IO[bytes], path: Path) -> IO[bytes]:
    if path.name.lower().endswith(".gz"):
        return gzip.GzipFile(fileobj=raw, mode="rb")  # type: ignore[return-value]
    return raw


def _parse(text: io.BytesIO, names: tuple[str, ...], path: Path) -> Floats:
    """(rows, columns). What NumPy refuses is read again slowly, for the line or for good."""
    if next(_filled_lines(text), None) is None:
        return np.empty((0, len(names)))
    text.seek(0)
    try:
        values = np.loadtxt(text, delimiter=",", comments=None, ndmin=2, skiprows=1)
    except ValueError:
        return _parse_slowly(text, names, path)
    if values.shape[1] != len(names):
        return _parse_slowly(text, names, path)
    return values


def _parse_slowly(text: io.BytesIO, names: tuple[str, ...], path: Path) -> Floats:
    rows = []
    for line, content in _filled_lines(text):
        fields = _fields(content)
        if len(fields) != len(names):
            raise InputError(
                f"{path}:{line}: {len(fields)} values where the header names {len(names)}"
            )
        try:
            rows.append([float(field) for field in fields])
        except ValueError as error:
            name, field = next(
                pair for pair in zip(names, fields, strict=True) if not _is_number(pair[1])
            )
            raise InputError(f"{path}:{line}: {name} is {quote(field)}, not a number") from error
    return np.array(rows, dtype=np.float64)


def _filled_lines(text: io.BytesIO) -> Iterator[tuple[int, bytes]]:
    """Lines after the header that hold something, with their numbers in the file."""
    text.seek(0)
    for line, content in enumerate(text, start=1):
        if line > 1 and content.strip():
            yield line, content


def _line_of(row: int, text: io.BytesIO) -> int:
    return next(line for i, (line, _) in enumerate(_filled_lines(text)) if i == row)


def _fields(line: bytes) -> list[str]:
    text = line.decode("utf-8", errors="backslashreplace").removeprefix(_BYTE_ORDER_MARK)
    return [field.strip().strip('"') for field in text.split(",")]


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
