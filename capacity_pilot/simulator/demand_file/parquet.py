"""Parquet, through pyarrow where it is installed."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from capacity_pilot.core.errors import InputError
from capacity_pilot.simulator.demand_file.columns import Columns, Limits, check_names, quote


def load_pyarrow(path: Path) -> Any:
    """pyarrow with its ``parquet`` module, imported only when a Parquet file is touched."""
    try:
        importlib.import_module("pyarrow.parquet")
        return importlib.import_module("pyarrow")
    except ImportError as error:
        raise InputError(
            f"{path}: Parquet needs {error.name or 'pyarrow'}: "
            "pip install 'capacity-pilot[simulation]'"
        ) from error


def read_parquet_columns(path: Path, limits: Limits) -> Columns:
    """Reads numeric columns; a null becomes NaN. Raises ``InputError`` with file and row."""
    pyarrow = load_pyarrow(path)
    try:
        with path.open("rb") as raw, pyarrow.parquet.ParquetFile(raw) as file:
            names = tuple(file.schema_arrow.names)
            check_names(names, limits, place=str(path))
            _check_types(pyarrow, file.schema_arrow, path)
            if (rows := file.metadata.num_rows) > limits.rows:
                raise InputError(f"{path}: {rows} rows; at most {limits.rows} are read")
            columns = [_to_floats(pyarrow, column) for column in file.read().columns]
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise InputError(f"{path}: not read as Parquet: {said}") from error
    return Columns(
        names=names,
        values=np.column_stack(columns),
        place=lambda row: f"{path}: row {row + 1}",
    )


def _check_types(pyarrow: Any, schema: Any, path: Path) -> None:
    kinds = pyarrow.types
    for field in schema:
        is_number = any(
            is_kind(field.type)
            for is_kind in (kinds.is_integer, kinds.is_floating, kinds.is_decimal)
        )
        if not is_number:
            raise InputError(f"{path}: column {quote(field.name)} is {field.type}, not numbers")


def _to_floats(pyarrow: Any, column: Any) -> Any:
    return column.cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False)
