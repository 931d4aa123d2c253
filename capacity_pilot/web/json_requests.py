"""Bodies of requests that change something: strict JSON, and refusals that say what is wrong.

Only JSON declared as such is taken, which a page open in somebody's browser cannot send here
unasked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from capacity_pilot.core.errors import InputError, OverloadedError

_RETRY_AFTER_S = 60

_Body = TypeVar("_Body", bound=BaseModel)


async def answer(
    request: web.Request, model: type[_Body], carry_out: Callable[[_Body], Awaitable[web.Response]]
) -> web.Response:
    """What ``carry_out`` answers to the request's body, or why it cannot be carried out.

    It may raise ``InputError`` and ``OverloadedError``.
    """
    if request.content_type != "application/json":
        kind = request.content_type[:80]
        return refuse(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"Content-Type is {kind!r}; send application/json",
        )
    try:
        return await carry_out(model.model_validate_json(await request.read()))
    except web.HTTPRequestEntityTooLarge as error:
        return refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, error.text or "too large")
    except ValidationError as error:
        return refuse(HTTPStatus.BAD_REQUEST, *map(_describe, error.errors()))
    except InputError as error:
        return refuse(HTTPStatus.BAD_REQUEST, str(error))
    except OverloadedError as error:
        return refuse(HTTPStatus.SERVICE_UNAVAILABLE, str(error))


def refuse(status: HTTPStatus, *problems: str) -> web.Response:
    """One line per problem."""
    response = web.json_response({"errors": problems}, status=status)
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(_RETRY_AFTER_S)
    return response


def _describe(problem: Mapping[str, object]) -> str:
    """Where, what and what was given."""
    path, value = problem["loc"], problem["input"]
    where = ".".join(map(str, path)) if isinstance(path, tuple) else ""
    message = str(problem["msg"]).removeprefix("Value error, ")
    shown = "" if isinstance(value, dict | list) or not where else f" (got {str(value)[:60]!r})"
    return f"{where + ': ' if where else ''}{message}{shown}"
