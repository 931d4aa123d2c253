"""What the daemon listens on: OTLP twice, and the port for operators."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack

from aiohttp import web

from capacity_pilot.adapters.otlp.grpc_server import serve_grpc
from capacity_pilot.adapters.otlp.http_server import serve_http
from capacity_pilot.adapters.otlp.receiver import Receiver
from capacity_pilot.core.errors import InputError
from capacity_pilot.settings import DaemonSettings
from capacity_pilot.web.health import serve_health


async def open_listeners(
    settings: DaemonSettings,
    stack: AsyncExitStack,
    *,
    receiver: Receiver,
    find_fault: Callable[[], str | None],
    report_status: Callable[[], Mapping[str, object]],
    routes: Iterable[web.RouteDef],
) -> dict[str, str]:
    """Opens them and says where they are. Raises ``InputError`` where it cannot."""
    host, most_bytes = settings.host, settings.max_request_mib << 20
    try:
        http = await stack.enter_async_context(
            serve_http(receiver, host=host, port=settings.http_port, max_request_bytes=most_bytes)
        )
        grpc = await stack.enter_async_context(
            serve_grpc(receiver, host=host, port=settings.grpc_port, max_request_bytes=most_bytes)
        )
        health_port = await stack.enter_async_context(
            serve_health(
                host=host,
                port=settings.health_port,
                find_fault=find_fault,
                report_status=report_status,
                routes=routes,
            )
        )
    except OSError as error:
        raise InputError(f"cannot listen on {host}: {error}") from error
    return {
        "otlp_http": f"http://{host}:{http.port}/v1/traces",
        "otlp_grpc": f"{host}:{grpc.port}",
        "health": f"http://{host}:{health_port}",
    }
