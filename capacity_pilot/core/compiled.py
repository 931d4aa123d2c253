"""Machine code for what is done every second: formulas over arrays, without NumPy's calls between.

What is compiled is plain Python over arrays and numbers. A function takes no keywords and no
dataclasses; the module around it gives it arrays and names what comes back.
"""

from __future__ import annotations

import hashlib
import inspect
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType
from typing import Any, ParamSpec, TypeVar, cast

import numba
import numpy as np
from numba.core.registry import CPUDispatcher

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_config: Any = numba.config
_FOLDER = Path(__file__).parent / "__pycache__"
_ELSEWHERE = Path("~/.cache/capacity-pilot")


def compiled(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Compiles on the first call and keeps the machine code on disk for later processes.

    It is kept in ``NUMBA_CACHE_DIR``, or in the package where that may be written to. Where nothing
    may be written, every process compiles for itself. Division by zero gives inf or NaN, as in
    NumPy.
    """
    own = _config.CACHE_DIR
    folder = Path(own) if own else _FOLDER if os.access(_FOLDER.parent, os.W_OK) else _ELSEWHERE
    # numba forgets a function's machine code when its own file changes, but not when a function it
    # calls or a constant it uses does: so there is a folder for each state of all of them.
    _config.CACHE_DIR = str(folder.expanduser() / f"compiled-{digest(function)}")
    try:
        made = numba.njit(cache=True, error_model="numpy")(function)
    except RuntimeError:  # there is no folder to write to
        made = numba.njit(error_model="numpy")(function)
    finally:
        _config.CACHE_DIR = own
    return cast(Callable[Parameters, Result], made)


def digest(function: Callable[..., object]) -> str:
    """Of the function's source and of everything of ours it is made of, as 16 hexadecimals.

    Raises ``TypeError`` for a function that uses something whose state cannot be told.
    """
    sources = "\n".join(_sources(function, set()))
    return hashlib.sha256(sources.encode()).hexdigest()[:16]


def _sources(function: Callable[..., object], seen: set[object]) -> Iterator[str]:
    plain = function.py_func if isinstance(function, CPUDispatcher) else function
    if plain in seen:
        return
    seen.add(plain)
    yield inspect.getsource(plain)
    for name in sorted(_names(plain.__code__) & plain.__globals__.keys()):
        used = plain.__globals__[name]
        if isinstance(used, CPUDispatcher):
            yield from _sources(used, seen)
        elif isinstance(used, np.ndarray):
            yield f"{name}={used.tolist()!r} {used.dtype}"
        elif isinstance(used, bool | int | float | str | tuple | np.generic):
            yield f"{name}={used!r}"
        elif isinstance(used, type):
            yield inspect.getsource(used)
        elif not inspect.ismodule(used):
            raise TypeError(
                f"{plain.__qualname__} uses {name}, {used!r}: compiled code may use numbers, "
                "arrays, classes, compiled functions and modules"
            )


def _names(code: CodeType) -> set[str]:
    inner = (_names(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*inner)
