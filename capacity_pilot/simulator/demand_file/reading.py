"""What a demand file says, once it is known to make sense."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.fleet import Bools, Floats, Ints
from capacity_pilot.simulator.demand_file.columns import NEEDED, Columns, Limits
from capacity_pilot.simulator.demand_file.parquet import read_parquet_columns
from capacity_pilot.simulator.demand_file.text import read_text_columns

_READERS: Final[Mapping[str, Callable[[Path, Limits], Columns]]] = {
    ".csv": read_text_columns,
    ".csv.gz": read_text_columns,
    ".parquet": read_parquet_columns,
}
_LEAST_ROWS: Final = 2  # one step is what tells the bin width
_WIDEST_BIN_S: Final = 86_400
_MOST_PER_BIN: Final = 1e12
_LATEST_T_S: Final = 1e11  # Unix seconds fit, milliseconds do not

Check = tuple[Bools, Callable[[int], str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandFile:
    """A checked file, at 16 bytes a row and 8 more per signal.

    ``bins`` (rows,) is each row's bin number, from 0 at the first row, rising, with jumps where
    nothing was recorded. ``counts`` and each of ``signals`` (rows,) are per bin of ``bin_s``
    seconds, finite and not negative.
    """

    path: Path
    name: str
    bin_s: int
    bins: Ints
    counts: Floats
    signals: Mapping[str, Floats]

    @property
    def seconds(self) -> int:
        """From the first row to the end of the last one's bin, missing bins included."""
        return (int(self.bins[-1]) + 1) * self.bin_s


def read_demand(path: Path, *, limits: Limits | None = None) -> DemandFile:
    """Reads and checks one file; ``limits`` default to a leap year of one-second rows.

    Raises ``InputError`` naming the file, the line (or Parquet's row), the value and its bound.
    """
    columns = _READERS[suffix_of(path)](path, limits or Limits())
    if (rows := len(columns.values)) < _LEAST_ROWS:
        raise InputError(f"{path}: {rows} rows; at least {_LEAST_ROWS} tell the bin's width")
    _refuse_first(_value_checks(columns), columns)
    by_name = dict(zip(columns.names, columns.values.T.copy(), strict=True))
    times = by_name["t_s"]
    bin_s = int(np.diff(times).min())
    if bin_s > _WIDEST_BIN_S:
        raise InputError(f"{path}: rows are {bin_s} s apart; a bin is at most {_WIDEST_BIN_S} s")
    _refuse_first([_check_steps(times, bin_s)], columns)
    return DemandFile(
        path=path,
        name=name_of(path),
        bin_s=bin_s,
        bins=((times - times[0]) / bin_s).astype(np.int64),
        counts=by_name["count"],
        signals={name: by_name[name] for name in columns.names if name not in NEEDED},
    )


def name_of(path: Path) -> str:
    """The file's name without its suffix: what a trace is called in a report."""
    return path.name[: -len(suffix_of(path))]


def suffix_of(path: Path) -> str:
    """``.csv``, ``.csv.gz`` or ``.parquet``. Raises ``InputError`` for any other name."""
    for suffix in _READERS:
        if path.name.lower().endswith(suffix) and len(path.name) > len(suffix):
            return suffix
    raise InputError(f"{path}: a demand file's name ends in .csv, .csv.gz or .parquet")


def _refuse_first(checks: Iterator[Check] | list[Check], columns: Columns) -> None:
    """Raises for the first row that fails any of the checks."""
    failed = [(int(np.argmax(wrong)), describe) for wrong, describe in checks if wrong.any()]
    if failed:
        row, describe = min(failed, key=lambda fault: fault[0])
        raise InputError(f"{columns.place(row)}: {describe(row)}")


def _value_checks(columns: Columns) -> Iterator[Check]:
    for name, values in zip(columns.names, columns.values.T, strict=True):
        most = _LATEST_T_S if name == "t_s" else _MOST_PER_BIN
        # Negated, so that NaN fails too.
        yield ~((values >= 0) & (values <= most)), _says(name, values, f"from 0 to {most:.0f}")
        if name == "t_s":
            yield np.isfinite(values) & (values % 1 != 0), _says(name, values, "whole seconds")
            steps = np.diff(values, prepend=values[0] - 1)
            yield steps <= 0, _says(name, values, "later than in the row before it")


def _says(name: str, values: Floats, bound: str) -> Callable[[int], str]:
    return lambda row: f"{name} is {values[row]:.15g}; it must be {bound}"


def _check_steps(times: Floats, bin_s: int) -> Check:
    steps = np.diff(times, prepend=times[0] - bin_s)
    return (
        steps % bin_s != 0,
        lambda row: (
            f"t_s is {times[row]:.15g}, {steps[row]:.15g} s after the row before it; it must be a "
            f"multiple of the bin's {bin_s} s, the smallest step in the file"
        ),
    )
