"""``/healthz`` and ``/status`` over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest

from capacity_pilot.web.health import serve_health


@dataclass
class Shown:
    """What the server is to show."""

    fault: str | None = None
    status: dict[str, object] = field(default_factory=lambda: {"mode": "shadow"})
    url: str = ""


@pytest.fixture
async def shown() -> AsyncIterator[Shown]:
    content = Shown()
    async with serve_health(
        host="127.0.0.1",
        port=0,
        find_fault=lambda: content.fault,
        report_status=lambda: content.status,
    ) as port:
        content.url = f"http://127.0.0.1:{port}"
        yield content


async def get(url: str) -> tuple[int, object]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.json()


async def test_a_daemon_without_a_fault_is_healthy(shown: Shown) -> None:
    assert await get(f"{shown.url}/healthz") == (200, {"status": "ok", "fault": None})


async def test_a_fault_asks_for_a_restart_and_is_named_until_it_is_over(shown: Shown) -> None:
    shown.fault = "no tick for 11.0 s, one is due every 1 s"
    failing = {"status": "failing", "fault": shown.fault}
    assert await get(f"{shown.url}/healthz") == (503, failing)
    shown.fault = None
    assert (await get(f"{shown.url}/healthz"))[0] == 200


async def test_status_is_what_it_is_when_asked(shown: Shown) -> None:
    assert await get(f"{shown.url}/status") == (200, {"mode": "shadow"})
    shown.status["mode"] = "active"
    assert await get(f"{shown.url}/status") == (200, {"mode": "active"})


async def test_nobody_changes_anything_over_it(shown: Shown) -> None:
    async with aiohttp.ClientSession() as session:
        for path in ("/healthz", "/status"):
            async with session.post(shown.url + path) as response:
                assert response.status == 405
        async with session.get(f"{shown.url}/") as response:
            assert response.status == 404


async def test_it_no_longer_answers_once_it_is_closed() -> None:
    async with serve_health(
        host="127.0.0.1", port=0, find_fault=lambda: None, report_status=dict
    ) as port:
        url = f"http://127.0.0.1:{port}/healthz"
        assert (await get(url))[0] == 200
    with pytest.raises(aiohttp.ClientConnectorError):
        await get(url)
