"""Compiling with numba, which only the ``simulation`` extra installs."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from capacity_pilot.core.errors import InputError

_HERE = Path(__file__).parent


def _keep_machine_code() -> None:
    """Numba forgets a function's machine code when its own file changes, but not when a function
    it calls or a constant it uses does. So there is a folder for each state of all of them.
    """
    folder = _HERE / "__pycache__" if os.access(_HERE, os.W_OK) else Path("~/.cache/capacity-pilot")
    base = Path(numba.config.CACHE_DIR or folder.expanduser())
    numba.config.CACHE_DIR = str(base / f"compiled-{digest_sources()}")


def digest_sources() -> str:
    """Of the modules that compile something and those of the simulator they import."""
    used: set[Path] = set()
    for file in _HERE.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        if "simulator.compiled import" in text:
            names = re.findall(r"^from capacity_pilot\.simulator\.(\S+) import", text, re.MULTILINE)
            used |= {file, *(_HERE / f"{name.replace('.', '/')}.py" for name in names)}
    digest = hashlib.sha256()
    for file in sorted(used):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


numba: Any = None  # reported when something compiled is called, not when it is imported
with suppress(ImportError):
    import numba

    _keep_machine_code()

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def compiled(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Compiles on the first call and keeps the machine code on disk for later processes.

    Raises :class:`InputError` when called where numba is not installed.
    """
    if numba is not None:
        return cast(Callable[Parameters, Result], numba.njit(cache=True)(function))

    @wraps(function)
    def refuse(*_: Parameters.args, **__: Parameters.kwargs) -> Result:
        raise InputError(
            "a replay needs numba, which is not installed: pip install 'capacity-pilot[simulation]'"
        )

    return refuse
