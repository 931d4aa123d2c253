"""Keeps the user's environment out of the demo: it must reach no AWS account and no collector."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Final

REGION: Final = "us-east-1"

_FOREIGN_PREFIXES = ("AWS_", "OTEL_", "CAPACITY_PILOT_")
_FOREIGN_SUFFIXES = ("_PROXY",)
_OWN: Final = {
    "AWS_ACCESS_KEY_ID": "demo",
    "AWS_SECRET_ACCESS_KEY": "demo",
    "AWS_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}


def isolate(environment: MutableMapping[str, str]) -> None:
    """Takes out what would steer the SDKs, the daemon or their way to this machine's ports.

    Everything started afterwards has credentials that no account knows.
    """
    for name in tuple(environment):
        upper = name.upper()
        if upper.startswith(_FOREIGN_PREFIXES) or upper.endswith(_FOREIGN_SUFFIXES):
            del environment[name]
    environment.update(_OWN)
