"""What a command needs beyond the daemon's own dependencies."""

from __future__ import annotations

import importlib

from capacity_pilot.core.errors import InputError


def require_extra(extra: str, *modules: str) -> None:
    """Raises ``InputError`` saying what to install when one of the modules is not there."""
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise InputError(
                f"{error.name or module} is needed: pip install 'capacity-pilot[{extra}]'"
            ) from error
