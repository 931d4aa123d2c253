"""Machine code for what is done every second: formulas over arrays, without NumPy's calls between.

What is compiled is plain Python over arrays and numbers. A function takes no keywords and no
dataclasses; the module around it gives it arrays, or a state's ``arrays``, and names what comes
back.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
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
_IDENTIFIER = re.compile(r"\w+")

_digests: dict[object, str] = {}
"""Of what was compiled, since what calls it is made of it."""


def compiled(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Compiles on the first call and keeps the machine code on disk for later processes.

    It is kept in ``NUMBA_CACHE_DIR``, or in the package where that may be written to. Where nothing
    may be written, every process compiles for itself. Division by zero gives inf or NaN, as in
    NumPy.
    """
    own = _config.CACHE_DIR
    folder = Path(own) if own else _FOLDER if os.access(_FOLDER.parent, os.W_OK) else _ELSEWHERE
    made_of = digest(function)
    # numba forgets a function's machine code when its own file changes, but not when a function it
    # calls or a constant it uses does: so there is a folder for each state of all of them.
    _config.CACHE_DIR = str(folder.expanduser() / f"compiled-{made_of}")
    try:
        made = numba.njit(cache=True, error_model="numpy")(function)
    except RuntimeError:  # there is no folder to write to
        made = numba.njit(error_model="numpy")(function)
    finally:
        _config.CACHE_DIR = own
    _digests[made] = made_of
    return cast(Callable[Parameters, Result], made)


def digest(function: Callable[..., object]) -> str:
    """Of the function's source and of everything of ours it is made of, as 16 hexadecimals.

    Raises ``TypeError`` for a function that uses something whose state cannot be told.
    """
    return hashlib.sha256("\n".join(_made_of(function)).encode()).hexdigest()[:16]


def _made_of(function: Callable[..., object]) -> Iterator[str]:
    yield inspect.getsource(function)
    for annotation in function.__annotations__.values():
        yield from _fields_of(annotation, function.__globals__)
    for name in sorted(_names(function.__code__) & function.__globals__.keys()):
        used = function.__globals__[name]
        if isinstance(used, CPUDispatcher):
            yield _digests[used]
        elif isinstance(used, np.ndarray):
            yield f"{name}={used.tolist()!r} {used.dtype}"
        elif isinstance(used, bool | int | float | str | tuple | np.generic):
            yield f"{name}={used!r}"
        elif isinstance(used, type):
            yield inspect.getsource(used)
        elif not inspect.ismodule(used):
            raise TypeError(
                f"{function.__qualname__} uses {name}, {used!r}: compiled code may use numbers, "
                "arrays, classes, compiled functions and modules"
            )


def _fields_of(annotation: object, known: Mapping[str, Any]) -> Iterator[str]:
    """The source of our classes that it names, and of those their attributes are of: machine code
    goes by the order of fields.
    """
    for name in _IDENTIFIER.findall(str(annotation)):
        kind = known.get(name)
        if isinstance(kind, type):
            yield inspect.getsource(kind)
            for inner in inspect.get_annotations(kind).values():
                yield from _fields_of(inner, vars(sys.modules[kind.__module__]))


def _names(code: CodeType) -> set[str]:
    inner = (_names(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*inner)
