"""Where results are written."""

from __future__ import annotations

from pathlib import Path

from capacity_pilot.core.errors import InputError


def check_place(file: Path | None) -> None:
    """Raises ``InputError`` where nothing can be written: a long run must not end there."""
    if file is None:
        return
    if not file.absolute().parent.is_dir():
        raise InputError(f"{file}: there is no folder {file.absolute().parent}")
    if file.is_dir():
        raise InputError(f"{file}: this is a folder; a file is to be written")
