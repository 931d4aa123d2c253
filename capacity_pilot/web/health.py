"""``/healthz`` for whoever restarts the process, ``/status`` for whoever asks what it is doing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

_MOST_BYTES = 64 << 10


@asynccontextmanager
async def serve_health(
    *,
    host: str,
    port: int,
    find_fault: Callable[[], str | None],
    report_status: Callable[[], Mapping[str, object]],
    routes: Iterable[web.RouteDef] = (),
) -> AsyncIterator[int]:
    """Serves both, and further ``routes``, while the context lasts; gives the bound port.

    ``find_fault`` says why the process should be restarted, or ``None``. Lost telemetry is no
    such reason: a restart does not bring it back, and forgets what was learned.
    """

    async def healthz(_: web.Request) -> web.Response:
        fault = find_fault()
        return web.json_response(
            {"status": "failing" if fault else "ok", "fault": fault}, status=503 if fault else 200
        )

    async def status(_: web.Request) -> web.Response:
        return web.json_response(report_status())

    app = web.Application(client_max_size=_MOST_BYTES)
    app.add_routes([web.get("/healthz", healthz), web.get("/status", status), *routes])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
