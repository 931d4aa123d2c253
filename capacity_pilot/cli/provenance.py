"""What a result was made with."""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Iterable
from importlib.metadata import version

from capacity_pilot import __version__


def tell_making(libraries: Iterable[str]) -> dict[str, object]:
    """The command line, and the versions of what ran it; ``libraries`` are installed ones."""
    return {
        "command": shlex.join(["capacity-pilot", *sys.argv[1:]]),
        "versions": {
            "capacity-pilot": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in libraries},
        },
    }
