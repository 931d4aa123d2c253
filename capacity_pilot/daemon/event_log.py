"""The daemon's events: one JSON object per line on standard output."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict

Listener = Callable[[Mapping[str, Any]], None]


class EventTap:
    """Shows events of the log, as they are logged, to one who ``listens``; errors of that are the
    caller's own.
    """

    def __init__(self) -> None:
        self._listener: Listener | None = None

    def listen(self, listener: Listener | None) -> None:
        """From now on, in place of whoever did; ``None`` for nobody."""
        self._listener = listener

    def __call__(self, _logger: object, _method: str, event: EventDict) -> EventDict:
        """Is a processor of structlog's."""
        if self._listener is not None:
            self._listener(event)
        return event


tap = EventTap()
"""The process's."""


def configure_event_log(level: str, *, stream: TextIO | None = None) -> None:
    """Sends structlog's and the libraries' records to stdout or ``stream``: JSON, times in UTC."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.dict_tracebacks,
    ]
    structlog.configure(
        processors=[tap, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.EventRenamer("event"),
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # The scheduler tells of every run of every job, the servers of every request.
    for chatty in ("apscheduler", "aiohttp.access", "botocore", "aiobotocore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
