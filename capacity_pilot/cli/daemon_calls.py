"""What commands ask of a running daemon, and who it is that asks."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Mapping
from typing import Any

import aiohttp

from capacity_pilot.core.errors import InputError, RetryableError

DEFAULT_URL = "http://127.0.0.1:8080"

_TIMEOUT_S = 10.0
_FIRST_FAILURE = 400
_FIRST_RETRYABLE = 500


async def call(
    method: str, base_url: str, path: str, body: Mapping[str, object] | None = None
) -> dict[str, Any]:
    """The daemon's answer. Raises ``InputError`` for what it refuses, ``RetryableError`` else."""
    url = f"{base_url.rstrip('/')}{path}"
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(method, url, json=body) as response,
        ):
            answer = await response.json()
    except (aiohttp.InvalidURL, aiohttp.ContentTypeError) as error:
        raise InputError(f"{url} is not where a daemon answers: {error}") from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise RetryableError(f"{url}: no answer: {error or 'timed out'}") from error
    if response.status >= _FIRST_FAILURE:
        problems = answer.get("errors", [str(answer)]) if isinstance(answer, dict) else [answer]
        kind = RetryableError if response.status >= _FIRST_RETRYABLE else InputError
        raise kind("\n".join(f"refused: {problem}" for problem in problems))
    return dict(answer)


def name_caller() -> str:
    """``login@host``; raises ``InputError`` where the login has no name."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError) as error:
        raise InputError(f"who are you? give --by; there is no login name: {error}") from error
