"""``--policy`` as operators write it: a path, ``s3://bucket/prefix`` or ``ssm:/path``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from capacity_pilot.adapters.policy_sources.texts import SUFFIXES
from capacity_pilot.core.errors import PolicyError

_S3: Final = "s3://"
_SSM: Final = "ssm:"
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PARAMETERS: Final = re.compile(r"(/[A-Za-z0-9_.-]+){1,15}")


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """A file or a folder."""

    path: Path


@dataclass(frozen=True, slots=True)
class S3Place:
    """One object, or those right below a prefix, which ends in ``/`` or is ``""``."""

    bucket: str
    key: str


@dataclass(frozen=True, slots=True)
class ParameterPlace:
    """The parameters right below a path of the Parameter Store."""

    path: str


Place = LocalPlace | S3Place | ParameterPlace


def parse_address(address: str) -> Place:
    """Raises ``PolicyError`` for what can be none of them."""
    if address.startswith(_S3):
        bucket, _, key = address.removeprefix(_S3).partition("/")
        if not _BUCKET.fullmatch(bucket):
            raise PolicyError(f"policy: {address!r} names no bucket; write s3://bucket/prefix")
        is_object = key.endswith(SUFFIXES)
        return S3Place(bucket, key if is_object or not key else f"{key.rstrip('/')}/")
    if address.startswith(_SSM):
        path = address.removeprefix(_SSM).rstrip("/")
        if not _PARAMETERS.fullmatch(path):
            raise PolicyError(
                f"policy: {address!r} names no path of the Parameter Store; write ssm:/a/path, "
                "whose parameters are right below it"
            )
        return ParameterPlace(path)
    if _SCHEME.match(address):
        raise PolicyError(
            f"policy: {address!r} is nothing policies are read from; give a file, a folder, "
            "s3://bucket/prefix or ssm:/path"
        )
    return LocalPlace(Path(address))
