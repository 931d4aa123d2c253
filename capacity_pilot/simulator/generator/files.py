"""Generated blocks as demand files."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import BinaryIO, Final

from capacity_pilot.core.errors import InputError
from capacity_pilot.simulator.demand_file import load_pyarrow, suffix_of
from capacity_pilot.simulator.generator.table import Block

_COLUMNS: Final = tuple(column.name for column in fields(Block))


def write_demand(path: Path, blocks: Iterable[Block]) -> None:
    """Writes the file whole or not at all; the same blocks give the same bytes.

    Raises ``InputError`` when the name's suffix or the folder does not allow it.
    """
    write = _WRITERS[suffix_of(path)]
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        write(unfinished, blocks)
        unfinished.replace(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _write_text(path: Path, blocks: Iterable[Block]) -> None:
    with path.open("wb") as file:
        _write_lines(file, blocks)


def _write_zipped(path: Path, blocks: Iterable[Block]) -> None:
    # Neither name nor time in the header, so that the bytes tell the content alone.
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as file,
    ):
        _write_lines(file, blocks)


def _write_lines(file: BinaryIO | gzip.GzipFile, blocks: Iterable[Block]) -> None:
    file.write((",".join(_COLUMNS) + "\n").encode())
    for block in blocks:
        rows = zip(*(getattr(block, name).tolist() for name in _COLUMNS), strict=True)
        lines = "".join(f"{t_s},{count},{sent},{feed}\n" for t_s, count, sent, feed in rows)
        file.write(lines.encode())


def _write_parquet(path: Path, blocks: Iterable[Block]) -> None:
    pyarrow = load_pyarrow(path)
    schema = pyarrow.schema([(name, pyarrow.int64()) for name in _COLUMNS])
    with pyarrow.parquet.ParquetWriter(str(path), schema) as writer:
        for block in blocks:
            columns = [getattr(block, name) for name in _COLUMNS]
            writer.write_table(pyarrow.table(columns, schema=schema))


_WRITERS: Final[Mapping[str, Callable[[Path, Iterable[Block]], None]]] = {
    ".csv": _write_text,
    ".csv.gz": _write_zipped,
    ".parquet": _write_parquet,
}
