"""What a client may send: listed parameters only, and changes only while the lease is certain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from capacity_pilot.adapters.aws.request import refuse_unlisted
from capacity_pilot.core.errors import LeaseError


def guard_sending(
    client: Any,
    service: str,
    *,
    sendable: Mapping[str, frozenset[str]],
    changes_by: str,
    within_s: float,
    may_send: Callable[[float], bool],
) -> None:
    """Has the client refuse what is not ``sendable``, and raise ``LeaseError`` for ``changes_by``,
    the operation that changes something, where ``may_send`` says no.

    That is asked when all that is left to do is to hand the signed request to the connection, where
    it is on its way for ``within_s`` at most. ``service`` is botocore's hyphenated name of it.
    """

    def refuse(*, params: Mapping[str, object], model: Any, **_: object) -> None:
        refuse_unlisted(model.name, params, sendable)

    def hold(**_: object) -> None:
        if not may_send(within_s):
            raise LeaseError(f"the lease is not certain for the {within_s:g} s a change may take")

    client.meta.events.register(f"before-parameter-build.{service}", refuse)
    client.meta.events.register(f"before-send.{service}.{changes_by}", hold)
