"""A stage's API over HTTP, and the commands that speak to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from capacity_pilot.adapters.otlp.decode import Decoder
from capacity_pilot.adapters.otlp.receiver import Receiver
from capacity_pilot.daemon.explanation import explain_with_past
from capacity_pilot.daemon.idle_watch import IdleWatch
from capacity_pilot.daemon.ladder_watch import LadderWatch
from capacity_pilot.daemon.status import report_status
from capacity_pilot.web.announcements import announcement_routes
from capacity_pilot.web.brakes import brake_routes
from capacity_pilot.web.explanation import explanation_route
from capacity_pilot.web.health import serve_health
from tests.command_line import run_command
from tests.daemon.stage import Stage


@asynccontextmanager
async def serve(stage: Stage) -> AsyncIterator[str]:
    receiver = Receiver(Decoder(stage.item_sizes), stage.intake, stage.clock)
    async with serve_health(
        host="127.0.0.1",
        port=0,
        find_fault=lambda: None,
        report_status=lambda: (
            report_status(stage.loop, stage.intake, receiver, mode="active", now=stage.now)
            | stage.desk.report()
            | stage.brakes.report()
            | LadderWatch(stage.loop.pilot).report()
            | IdleWatch(stage.loop.pilot).report()
        ),
        routes=(
            *announcement_routes(stage.desk),
            *brake_routes(stage.brakes),
            explanation_route(
                lambda name: explain_with_past(
                    stage.loop.pilot,
                    stage.loop.last_step,
                    name,
                    stage.now,
                    journal=stage.book.journal,
                )
            ),
        ),
    ) as port:
        yield f"http://127.0.0.1:{port}"


async def ask(
    method: str, url: str, body: object = None, **options: Any
) -> tuple[int, Mapping[str, Any]]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, json=body, **options) as response,
    ):
        return response.status, await response.json()


async def command(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *arguments: str,
) -> tuple[int, str]:
    """The command line's exit code and what it says; the daemon's log is not its own."""
    with capture_logs():
        code = await asyncio.to_thread(run_command, monkeypatch, *arguments)
    told = capsys.readouterr()
    return code, told.out + told.err
