"""Compiling with numba, which only the ``simulation`` extra installs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from capacity_pilot.core.errors import InputError

njit: Any = None  # reported when something compiled is called, not when it is imported
with suppress(ImportError):
    from numba import njit

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def compiled(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Compiles on the first call and keeps the machine code on disk for later processes.

    Raises :class:`InputError` when called where numba is not installed.
    """
    if njit is not None:
        return cast(Callable[Parameters, Result], njit(cache=True)(function))

    @wraps(function)
    def refuse(*_: Parameters.args, **__: Parameters.kwargs) -> Result:
        raise InputError(
            "a replay needs numba, which is not installed: pip install 'capacity-pilot[simulation]'"
        )

    return refuse
